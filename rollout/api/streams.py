"""The routes of event streams: which transitions are wanted, from where on, and who may read them.

Called by ``rollout.api.app``, which has asked for a token before. The stream itself is in ``stream_response``.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request
from starlette.responses import Response

from rollout.api.callers import bearer_of, caller_of, permit
from rollout.api.feed import Feed, Scope
from rollout.api.problems import Refused, invalid
from rollout.api.service import Service
from rollout.api.stream_response import EventStream, Pace, Source
from rollout.errors import Problem
from rollout.ports import Key, Verb
from rollout.spec.base import Name

ID_ALLOWED = "the id of an event: 1 to 18 digits"
READ_TOGETHER = 2
"""So many readers catch up from the journal at once; the controller's records wait behind each page."""

_ID = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """How streams work: what lets them end, how many there may be, how long transitions gather (s), how time is kept.

    ``closing`` is to be set before the server waits for its requests to end.
    """

    closing: asyncio.Event
    most_streams: int = 500
    gather_seconds: float = 0.05
    pace: Pace = field(default_factory=Pace)


_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events `transition` (data: TransitionEvent, id: its sequence) and `gap` (data: after, from).",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}
_SCHEMA = {"pattern": f"^{_ID.pattern}$"}
LastHeader = Annotated[
    str | None,
    Header(
        alias="Last-Event-ID", description="Go on after this event; absent: from now on.", json_schema_extra=_SCHEMA
    ),
]
LastQuery = Annotated[
    str | None,
    Query(
        alias="lastEventId",
        description="As Last-Event-ID, which counts when both are given.",
        json_schema_extra=_SCHEMA,
    ),
]


def position(header: LastHeader = None, query: LastQuery = None) -> int | None:
    """Return after which sequence the caller wants to go on; None: from now on.

    Raises:
        Refused: it is none.
    """
    given = query if header is None else header
    if given is not None and not _ID.fullmatch(given):
        name = "lastEventId" if header is None else "Last-Event-ID"
        raise invalid(Problem(name, "is not the id of an event", given=given[:64], allowed=ID_ALLOWED))
    return None if given is None else int(given)


After = Annotated[int | None, Depends(position)]


def stream_router(service: Service, options: StreamOptions) -> APIRouter:
    """Return the routes; all their streams share one feed of the service's journal."""
    router = APIRouter(tags=["events"])
    streams = _Streams(service, options)

    @router.get("/api/v1/events", responses=_EVENTS, response_class=Response)
    async def stream_events(
        request: Request, after: After, namespace: Annotated[Name | None, Query()] = None
    ) -> Response:
        """Stream the transitions of all Rollouts, or of those of a namespace, as server-sent events."""
        return await streams.open(request, Scope(namespace or ""), after)

    @router.get("/api/v1/rollouts/{namespace}/{name}/events", responses=_EVENTS, response_class=Response)
    async def stream_events_of_rollout(request: Request, namespace: Name, name: Name, after: After) -> Response:
        """Stream the transitions of one Rollout; it may be deleted and made again meanwhile."""
        return await streams.open(request, Scope(namespace, name), after)

    return router


class _Streams:
    """Opens streams of one service."""

    def __init__(self, service: Service, options: StreamOptions) -> None:
        self._service = service
        feed = Feed(
            service.journal,
            options.closing,
            most_readers=options.most_streams,
            gather_seconds=options.gather_seconds,
        )
        self._source = Source(feed, service.journal, asyncio.Semaphore(READ_TOGETHER), options.pace)

    async def open(self, request: Request, wanted: Scope, after: int | None) -> Response:
        verb = Verb.GET if wanted.name else Verb.LIST
        await permit(self._service.access, caller_of(request), verb, wanted.namespace)
        if wanted.name and after is None and self._service.store.read(Key(wanted.namespace, wanted.name)) is None:
            raise Refused(404, f"there is no Rollout {wanted.namespace}/{wanted.name}")
        return EventStream(self._source, wanted, after=after, allowed=self._still(request, verb, wanted.namespace))

    def _still(self, request: Request, verb: Verb, namespace: str) -> Callable[[], Awaitable[bool]]:
        access, token = self._service.access, bearer_of(request)

        async def allowed() -> bool:
            caller = await access.identify(token) if token is not None else None
            return caller is not None and await access.may(caller, verb, namespace)

        return allowed
