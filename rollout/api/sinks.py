"""The routes of sinks: how it goes with them, and a message for trial. Called by the application.

Whoever may list Rollouts may see them; a trial needs the right to update Rollouts in all namespaces. A sink that does
not take a message is no fault of the request: it is answered as a gateway answers for what is behind it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import ceil

from fastapi import APIRouter, Request
from starlette.responses import Response

from rollout.api.callers import caller_of, permit
from rollout.api.operations import Operation, add, answered
from rollout.api.parameters import SinkName
from rollout.api.problems import Refused
from rollout.api.service import Service
from rollout.api.sink_models import NotifiedView, SinkList, SinkView, TrialView
from rollout.controller.look import Look
from rollout.engine.observation import Cursor
from rollout.engine.telling import farthest
from rollout.errors import PermanentError, TemporaryError
from rollout.notify.sending import SinkBusy
from rollout.ports import Verb
from rollout.signals import NoticeDesk, SinkStanding

NO_SUCH_SINK = "there is no such sink: the operator has set up none of this name"

AWAY_SECONDS = 60
"""When to come back to a sink that is away: nobody is to be disturbed by a client that tries by itself."""


class SinkRoutes:
    """The operations."""

    def __init__(self, service: Service) -> None:
        """Ask the sinks of ``service``."""
        self._service = service

    async def list_all(self, request: Request) -> Response:
        """Answer how it goes with each."""
        await permit(self._service.access, caller_of(request), Verb.LIST, "")
        now = self._service.clock.now()
        return answered(SinkList(items=[view_of(one, now) for one in self._service.sinks.standings()]))

    async def test(self, request: Request, sink: SinkName) -> Response:
        """Send a message for trial."""
        caller = caller_of(request)
        await permit(self._service.access, caller, Verb.UPDATE, "")
        try:
            await self._service.sinks.trial(sink, by=caller.name)
        except PermanentError as error:
            raise Refused(502, str(error)) from error
        except TemporaryError as error:
            seconds = ceil(error.seconds) if isinstance(error, SinkBusy) else AWAY_SECONDS
            raise Refused(503, str(error), headers={"Retry-After": str(max(1, seconds))}) from error
        return answered(TrialView(sink=sink, message=f"Sink {sink} has taken a message for trial."))


def view_of(one: SinkStanding, now: float) -> SinkView:
    """Return how it goes with a sink as the API tells it."""
    return SinkView(
        name=one.name,
        kind=one.kind,
        delivered=one.delivered,
        failed=one.failed,
        folded=one.folded,
        passed_over=one.passed_over,
        pending=one.pending,
        lag_seconds=max(0.0, one.lag_seconds),
        delivered_at=one.delivered_at or None,
        problem=one.problem,
        problem_at=one.problem_at or None,
        closed_until=one.closed_until if one.closed_until > now else None,
        quiet=one.quiet,
    )


def notified_of(look: Look, desk: NoticeDesk) -> list[NotifiedView]:
    """Return how far each sink was told of the Rollout, and which it names that are not there."""
    recorded, told = _by_sink(look.state.notified), _by_sink(desk.told(look.key))
    found = (farthest(told.get(name), recorded.get(name)) for name in sorted({*recorded, *told}))
    newest = [cursor for cursor in found if cursor is not None]
    return [*(_notified(cursor, look) for cursor in newest), *_missing(look, desk, {one.sink for one in newest})]


def _by_sink(cursors: Iterable[Cursor]) -> dict[str, Cursor]:
    return {cursor.sink: cursor for cursor in cursors}


def _notified(cursor: Cursor, look: Look) -> NotifiedView:
    transitions = look.state.transitions
    oldest = next((one.at for one in transitions if one.number > cursor.number), look.at)
    return NotifiedView(
        sink=cursor.sink,
        number=cursor.number,
        at=cursor.at or None,
        behind=max(0, transitions[-1].number - cursor.number) if transitions else 0,
        lag_seconds=max(0.0, look.at - oldest),
        problem=cursor.problem,
    )


def _missing(look: Look, desk: NoticeDesk, known: set[str]) -> Iterator[NotifiedView]:
    there = known | {one.name for one in desk.standings()}
    wanted = look.rollout.spec.notify if look.rollout is not None else ()
    for name in dict.fromkeys(one.sink for one in wanted):
        if name not in there:
            yield NotifiedView(sink=name, number=0, at=None, behind=0, lag_seconds=0.0, problem=NO_SUCH_SINK)


def sinks_router(service: Service) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/api/v1/sinks", tags=["notifications"])
    sinks = SinkRoutes(service)
    add(router, "GET ", sinks.list_all, _LIST)
    add(router, "POST /{sink}/test", sinks.test, _TEST)
    return router


_LIST = Operation(
    id="listSinks",
    summary="How it goes with the sinks",
    description=(
        "Answers all sinks that the operator has set up: what each has taken since this replica started, what it was"
        " not told yet, and why the last try failed. Replicas tell of the Rollouts that they act for."
    ),
    answers={200: ("All sinks.", SinkList)},
)
_TEST = Operation(
    id="testSink",
    summary="Send a message for trial",
    description=(
        "Sends the sink a message that says it is a trial, and who asked for it; it is tried once, also while the"
        " sink is closed or has quiet hours. 502: the sink refuses, or is set up wrong; 503: it is away or busy now."
    ),
    answers={200: ("It was taken.", TrialView)},
    errors=(404, 502),
)
