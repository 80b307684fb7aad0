"""The route of live numbers: where a Rollout stands right now, what the judge sees, and what the next step waits for.

Called by the application. A look costs no query and no write: the controller answers from its caches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isnan

from fastapi import APIRouter, Request
from starlette.responses import Response

from rollout.analysis.judge import CheckReport
from rollout.analysis.judge import JudgeState as Judge
from rollout.api.callers import caller_of, permit
from rollout.api.failing import failover_of
from rollout.api.failover_models import FailoverView
from rollout.api.models import (
    ArmView,
    CheckView,
    GateView,
    HealthView,
    HoldView,
    Live,
    RequestsView,
    WeightsView,
)
from rollout.api.operations import Operation, add, answered
from rollout.api.outcomes import outcome_of_waiting
from rollout.api.parameters import Namespace, RolloutName
from rollout.api.resources import key_text
from rollout.api.service import Service
from rollout.api.shapes import MissingView
from rollout.api.sink_models import NotifiedView
from rollout.api.sinks import notified_of
from rollout.controller.look import Look
from rollout.engine import drift
from rollout.engine.moves import intended
from rollout.engine.state import GateSeen, State, Word
from rollout.engine.table import Phase
from rollout.errors import NotOursError
from rollout.ports import Key, Verb
from rollout.spec.resource import Step

EFFECTIVE: Mapping[str, str] = {"Agrees": "True", "Differs": "False", "Blocks": "Blocks"}
"""The engine's word on whether requests follow the weights -> that of the API; anything else is Unknown."""

IN_A_STEP = (Phase.PROGRESSING, Phase.PAUSED)
LARGEST = 1e9
"""Logarithms are told up to this size: JSON has no infinity."""


class LiveNumbers:
    """The operation."""

    def __init__(self, service: Service) -> None:
        """Look through the controller of ``service``."""
        self._service = service

    async def read(self, request: Request, namespace: Namespace, name: RolloutName) -> Response:
        """Answer where the Rollout stands."""
        await permit(self._service.access, caller_of(request), Verb.GET, namespace)
        key = Key(namespace, name)
        look = self._service.controller.look(key)
        if look is None:
            raise NotOursError(f"there is no {key_text(key)}")
        return answered(live_of(look, notified_of(look, self._service.sinks)))


def live_router(service: Service) -> APIRouter:
    """Return the route of live numbers."""
    router = APIRouter(prefix="/api/v1/rollouts/{namespace}/{name}/live", tags=["rollouts"])
    add(router, "GET ", LiveNumbers(service).read, _LIVE)
    return router


def live_of(look: Look, notified: Sequence[NotifiedView] = ()) -> Live:
    """Return the look as the API tells it; total, whatever there is to see."""
    state, word, failover = look.state, _word(look), failover_of(look)
    is_on_the_way = state.phase is Phase.PROGRESSING
    return Live(
        namespace=look.key.namespace,
        name=look.key.name,
        at=look.at,
        phase="" if look.is_new else state.phase.value,
        reason=state.reason,
        message=state.message,
        attempt=state.attempt,
        step=state.step,
        steps=[step.weight for step in look.steps],
        revision=state.revision,
        stable=state.stable,
        canary=state.canary,
        weights=_weights(state),
        hold=_hold(look),
        verdict=word.verdict.value if word is not None else None,
        verdict_reason=word.reason if word is not None else None,
        verdict_message=word.message if word is not None else None,
        requests=_requests(look),
        checks=[_check(report) for report in state.evidence],
        health={
            name: HealthView(ready=found.ready, total=found.total, known=found.known)
            for name, found in look.endpoints.items()
        },
        failover=failover,
        notified=list(notified),
        missing=_missing(look, failover),
        gates=[_gate(seen) for seen in state.gates],
        next_step_in_seconds=look.outlook.seconds if is_on_the_way else None,
        waiting=outcome_of_waiting(look.stored.command) if look.stored.command is not None else None,
        problems=list(look.problems),
    )


def _missing(look: Look, failover: FailoverView | None) -> list[MissingView]:
    """Return what is missing; of what failover waits for, with the seconds that are known of that."""
    known = {(one.reason, one.message): one.seconds for one in failover.missing} if failover is not None else {}
    return [
        MissingView(reason=one.reason, message=one.message, seconds=known.get((one.reason, one.message), one.seconds))
        for one in look.outlook.missing
    ]


def _weights(state: State) -> WeightsView:
    effective = EFFECTIVE.get(state.effective, "Unknown")
    return WeightsView(intended=dict(intended(state)), observed=dict(state.observed), effective=effective)


def _step(look: Look) -> Step | None:
    """Return the step that the attempt is in."""
    place = look.state.step
    in_a_step = look.state.phase in IN_A_STEP and drift.running(look.state) and 0 < place <= len(look.steps)
    return look.steps[place - 1] if in_a_step else None


def _hold(look: Look) -> HoldView | None:
    step, hold = _step(look), look.state.hold
    if step is None:
        return None
    counted = hold.at(look.at)
    left = 0.0 if look.state.hold_over else max(0.0, step.hold - counted)
    return HoldView(seconds=counted, of_seconds=step.hold, left_seconds=left, running=hold.since is not None)


def _judged(look: Look) -> Judge | None:
    """Return what the judge remembers, where there is something to judge."""
    has_checks = look.rollout is not None and bool(look.rollout.spec.analysis.checks)
    return look.state.judge if has_checks and drift.running(look.state) else None


def _word(look: Look) -> Word | None:
    return look.state.word if _judged(look) is not None and look.state.share > 0 else None


def _requests(look: Look) -> RequestsView | None:
    judge, step = _judged(look), _step(look)
    if judge is None or look.rollout is None:
        return None
    return RequestsView(
        canary=judge.canary_requests,
        needed=look.rollout.spec.analysis.min_requests,
        canary_in_step=judge.step_canary_requests,
        needed_in_step=step.min_requests if step is not None else 0,
        per_second=judge.requests_per_second,
    )


def _check(report: CheckReport) -> CheckView:
    return CheckView(
        name=report.name,
        kind=report.kind,
        verdict=report.verdict.value,
        reason=report.reason,
        sentence=report.sentence,
        evidence=_finite(report.log_evidence),
        limit=_finite(report.limit),
        share=min(1.0, max(0.0, _finite(report.log_evidence) / report.limit)) if report.limit > 0 else 0.0,
        canary=ArmView(bad=report.canary_bad, total=report.canary_total),
        stable=ArmView(bad=report.stable_bad, total=report.stable_total),
        dry_run=report.dry_run,
    )


def _gate(seen: GateSeen) -> GateView:
    key = seen.key
    return GateView(
        hook=key.hook.value,
        name=key.name,
        attempt=key.attempt,
        step=key.step,
        agrees=seen.agrees,
        message=seen.message,
        at=seen.at,
        tries=seen.tries,
    )


def _finite(number: float) -> float:
    return 0.0 if isnan(number) else max(-LARGEST, min(LARGEST, number))


_LIVE = Operation(
    id="getLive",
    summary="Where a Rollout stands right now",
    description=(
        "Answers live numbers: weights as intended and as observed, hold time, requests, what each check sees, ready"
        " endpoints, and everything that the next step still waits for, with the seconds that it takes at present"
        " rates. It costs no query and no write, so that it may be asked for every second."
    ),
    answers={200: ("Where it stands.", Live)},
    errors=(404,),
)
