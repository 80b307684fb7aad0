"""The door: who asks is found out before anything else, and nobody asks too often.

A layer of the application, before any route is looked for, so that a caller without a token learns nothing of what
there is. What a caller may do is asked by the routes (``rollout.api.callers``).
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from rollout.api.arrivals import request_id_of
from rollout.api.callers import CALLER, bearer_of, unauthenticated
from rollout.api.problems import RETRY_SECONDS, Refused, answer_of
from rollout.api.rates import Rate, network_of
from rollout.errors import TemporaryError
from rollout.meters import Meters
from rollout.ports import Access, Caller

log = structlog.get_logger(__name__)

GUARDED = ("/metrics", "/openapi.json")
"""What is behind the door beside all below ``/api``."""

SIGNED = "/api/v1/hooks/"
"""Who posts here has no token, but a signature, which the route verifies."""


@dataclass(frozen=True, slots=True)
class Rates:
    """How often callers may ask, and how often an address may come with a token that is not accepted."""

    asked: Rate
    failed: Rate


class Doorkeeper:
    """Wraps an application."""

    def __init__(self, app: ASGIApp, access: Access, rates: Rates, meters: Meters) -> None:
        """Hand requests of known callers on to ``app``, and those to what stands outside the door."""
        self._app = app
        self._access = access
        self._rates = rates
        self._meters = meters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request through, or answer it."""
        if scope["type"] == "http" and _is_guarded(scope["method"], scope["path"]):
            try:
                scope.setdefault("state", {})[CALLER] = await self._let_in(HTTPConnection(scope))
            except Refused as refused:
                await answer_of(refused, request_id_of(scope))(scope, receive, send)
                return
            except TemporaryError as error:
                log.warning("callers cannot be identified", why=str(error))
                told = "callers cannot be identified now; the log of the service says why"
                unavailable = Refused(503, told, headers={"Retry-After": str(RETRY_SECONDS)})
                await answer_of(unavailable, request_id_of(scope))(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _let_in(self, connection: HTTPConnection) -> Caller:
        token = bearer_of(connection)
        caller = await self._access.identify(token) if token is not None else None
        if caller is None:
            raise await self._stranger(connection)
        wait = await self._rates.asked.take(caller.name)
        if wait:
            self._meters.rate_limited()
            raise too_many(f"{caller.name} asks", self._rates.asked, wait)
        return caller

    async def _stranger(self, connection: HTTPConnection) -> Refused:
        """Return the answer to somebody unknown; a token that is good is never refused for others' bad ones."""
        given = "authorization" in connection.headers
        address = connection.client.host if connection.client is not None else ""
        wait = await self._rates.failed.take(network_of(address)) if given else 0
        if wait:
            self._meters.rate_limited()
            return too_many("this address comes with tokens that are not accepted", self._rates.failed, wait)
        if given:
            self._meters.authentication_failed()
            log.warning("a token was not accepted", address=address)
        return unauthenticated(given=given)


def _is_guarded(method: str, path: str) -> bool:
    if method == "POST" and path.startswith(SIGNED):
        return False
    return path in GUARDED or path == "/api" or path.startswith("/api/")


def too_many(who: str, rate: Rate, wait: int) -> Refused:
    """Return the refusal of somebody who asks too often, and is to come back after so many seconds."""
    often = f"{who} more often than {rate.times} times in {rate.seconds} s"
    return Refused(429, f"{often}; come back in {wait} s", headers={"Retry-After": str(wait)})
