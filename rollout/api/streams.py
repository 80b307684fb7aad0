"""The routes of event streams: which transitions are wanted, from where on, and who may read them.

Called by the application. The stream itself is in ``stream_response``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response

from rollout.api.callers import bearer_of, caller_of, permit
from rollout.api.feed import Feed, Scope
from rollout.api.operations import Operation, add
from rollout.api.parameters import Namespace, OfNamespace, RolloutName
from rollout.api.problems import Refused
from rollout.api.service import Service
from rollout.api.stream_response import EventStream, Pace, Source
from rollout.ports import Key, Verb

READ_TOGETHER = 2
"""So many readers catch up from the journal at once; the controller's records wait behind each page."""

_ID: dict[str, Any] = {
    "pattern": r"^[0-9]{1,18}$",
    "json_schema_extra": {"allowed": "the id of an event: 1 to 18 digits"},
}
LastEvent = Annotated[
    str | None, Header(alias="Last-Event-ID", description="Go on after this event; absent: from now on.", **_ID)
]
LastEventInQuery = Annotated[
    str | None, Query(alias="lastEventId", description="As Last-Event-ID, which counts when both are given.", **_ID)
]


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """How streams work: what lets them end, how many there may be, how long transitions gather (s), how time is kept.

    ``closing`` is to be set before the server waits for its requests to end.
    """

    closing: asyncio.Event
    most_streams: int = 500
    gather_seconds: float = 0.05
    pace: Pace = field(default_factory=Pace)


class Streams:
    """The operations."""

    def __init__(self, service: Service, options: StreamOptions) -> None:
        """Let all streams share one feed of the journal of ``service``."""
        self._service = service
        most, gather = options.most_streams, options.gather_seconds
        feed = Feed(service.journal, options.closing, most_readers=most, gather_seconds=gather)
        meters = service.meters
        meters.streams_are(lambda: feed.readers)
        turns, ended = asyncio.Semaphore(READ_TOGETHER), lambda why: meters.stream_ended(why.name.lower())
        self._source = Source(feed, service.journal, turns, options.pace, ended)

    async def of_all(
        self,
        request: Request,
        *,
        namespace: OfNamespace = None,
        last: LastEvent = None,
        last_in_query: LastEventInQuery = None,
    ) -> Response:
        """Stream the transitions of all Rollouts, or of those of a namespace."""
        return await self._open(request, Verb.LIST, Scope(namespace or ""), last or last_in_query)

    async def of_one(
        self,
        request: Request,
        *,
        namespace: Namespace,
        name: RolloutName,
        last: LastEvent = None,
        last_in_query: LastEventInQuery = None,
    ) -> Response:
        """Stream the transitions of one Rollout."""
        return await self._open(request, Verb.GET, Scope(namespace, name), last or last_in_query)

    async def _open(self, request: Request, verb: Verb, wanted: Scope, last: str | None) -> Response:
        await permit(self._service.access, caller_of(request), verb, wanted.namespace)
        known = not wanted.name or self._service.store.read(Key(wanted.namespace, wanted.name)) is not None
        if not known and last is None:
            raise Refused(404, f"there is no Rollout {wanted.namespace}/{wanted.name}")
        after = None if last is None else int(last)
        return EventStream(self._source, wanted, after=after, allowed=self._still(request, verb, wanted.namespace))

    def _still(self, request: Request, verb: Verb, namespace: str) -> Callable[[], Awaitable[bool]]:
        """Return what finds out whether the caller may go on."""
        access, token = self._service.access, bearer_of(request)

        async def allowed() -> bool:
            caller = await access.identify(token) if token is not None else None
            return caller is not None and await access.may(caller, verb, namespace)

        return allowed


def stream_router(service: Service, options: StreamOptions) -> APIRouter:
    """Return the routes of event streams."""
    router = APIRouter(tags=["events"])
    streams = Streams(service, options)
    add(router, "GET /api/v1/events", streams.of_all, _OF_ALL)
    add(router, "GET /api/v1/rollouts/{namespace}/{name}/events", streams.of_one, _OF_ONE)
    return router


class _StreamOperation(Operation):
    """An operation that answers with events."""

    def responses(self) -> dict[int | str, dict[str, Any]]:
        """Return the answers; events are text with a form of its own."""
        found = super().responses()
        return {
            **found,
            200: {"description": _EVENTS, "content": {"text/event-stream": {"schema": {"type": "string"}}}},
        }


_EVENTS = (
    "Server-sent events. `transition`: the id is its place in the journal, the data a TransitionEvent."
    " `gap`: transitions are missing after and before the ids that its data names as `after` and `from`."
)
_OF_ALL = _StreamOperation(
    id="streamEvents",
    summary="Transitions as they are recorded",
    description="Streams the transitions of all Rollouts, or of those of a namespace, each once and in order.",
    answers={200: (_EVENTS, None)},
)
_OF_ONE = _StreamOperation(
    id="streamEventsOfRollout",
    summary="Transitions of a Rollout as they are recorded",
    description=(
        "Streams the transitions of one Rollout, each once and in order. A deletion does not end it: the Rollout may be"
        " made again."
    ),
    answers={200: (_EVENTS, None)},
    errors=(404,),
)
