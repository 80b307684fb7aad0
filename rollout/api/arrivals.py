"""Every request, from its arrival to its end: its id, its line in the log, and the last net under it.

The outermost layer of the application. An error that nobody expected becomes a problem here, and is logged with its
traceback; no token is in any line.
"""

from __future__ import annotations

import re
import time
import uuid
from dataclasses import dataclass

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rollout.api.callers import CALLER
from rollout.api.problems import UNEXPECTED, Refused, answer_of
from rollout.meters import Meters
from rollout.ports import Caller
from rollout.spec.fields import printable

log = structlog.get_logger(__name__)

REQUEST_ID = "rollout.request_id"
"""The name of the id in the request's state."""

HEADER = "X-Request-ID"
_USABLE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_METHODS = _READING | {"POST", "PUT", "PATCH", "DELETE"}
_TOO_MANY = 429


class Arrivals:
    """Wraps an application."""

    def __init__(self, app: ASGIApp, meters: Meters) -> None:
        """Hand requests on to ``app``, and count them."""
        self._app = app
        self._meters = meters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Carry one request through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _id_of(scope)
        scope.setdefault("state", {})[REQUEST_ID] = request_id
        answer = _Answer(send, request_id)
        began = time.monotonic()
        self._meters.request_began()
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, answer.send)
            except ClientDisconnect:
                log.debug("the client went away", path=printable(scope["path"]))
            except Exception:
                log.exception("request failed", method=scope["method"], path=printable(scope["path"]))
                if not answer.status:
                    await answer_of(Refused(500, UNEXPECTED), request_id)(scope, receive, answer.send)
            finally:
                seconds, route = time.monotonic() - began, _route_of(scope)
                lasts = route.endswith("/events")
                self._meters.request_ended(_method_of(scope), route, answer.status, None if lasts else seconds)
                _tell(scope, answer.status, seconds)


@dataclass(slots=True)
class _Answer:
    """What goes out; ``status`` is 0 until it has begun."""

    out: Send
    request_id: str
    status: int = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers[HEADER] = self.request_id
            headers.setdefault("Cache-Control", "no-store")
            headers.setdefault("X-Content-Type-Options", "nosniff")
        await self.out(message)


def _route_of(scope: Scope) -> str:
    """Return the template of the route that was found, so that names make no new series."""
    return str(getattr(scope.get("route"), "path", "none"))


def _method_of(scope: Scope) -> str:
    return scope["method"] if scope["method"] in _METHODS else "other"


def request_id_of(scope: Scope) -> str:
    """Return the id of the request."""
    return str(scope.get("state", {}).get(REQUEST_ID, ""))


def _id_of(scope: Scope) -> str:
    given = Headers(scope=scope).getlist(HEADER)
    usable = len(given) == 1 and _USABLE.fullmatch(given[0])
    return given[0] if usable else uuid.uuid4().hex


def _tell(scope: Scope, status: int, seconds: float) -> None:
    """Log the request: a change by somebody known stands out, and a flood of others does not."""
    caller = scope["state"].get(CALLER)
    name = caller.name if isinstance(caller, Caller) else ""
    told = log.info if name and scope["method"] not in _READING and status != _TOO_MANY else log.debug
    what = {"method": scope["method"], "path": printable(scope["path"]), "status": status}
    told("request", **what, by=name, seconds=round(seconds, 4))
