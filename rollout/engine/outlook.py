"""The outlook: everything that the next move of an attempt still waits for, and how long at present rates.

For people who ask why (API, ``rollout why``, dashboard). It looks with the same guards as ``decide``, at all
of them instead of the first that speaks, and with the judge's last word, so that nothing is judged again.
Pure and total; it decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import assert_never

from rollout.analysis.judge import Judgement, JudgeState
from rollout.engine import attempt, clusters, drift, guards, tiers
from rollout.engine.guards import At
from rollout.engine.judging import last_word
from rollout.engine.moves import Context
from rollout.engine.observation import Observation
from rollout.engine.reasons import Reason
from rollout.engine.state import State
from rollout.engine.table import Phase
from rollout.spec.resource import Rollout

SLOWEST_PER_SECOND = 1e-6
"""Fewer canary requests than this (one in 11 days) are no traffic to count on."""


@dataclass(frozen=True, slots=True)
class Missing:
    """One thing that is waited for: reason, sentence, and seconds at present rates (None: nobody can know)."""

    reason: str
    message: str
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Outlook:
    """What comes next: ``step`` (1-based; 0: none, or the end of the attempt), its weight in percent, what is missing.

    ``seconds`` is how long until then at present rates: None when something is missing whose end nobody can know.
    """

    step: int = 0
    weight: float | None = None
    missing: tuple[Missing, ...] = ()
    seconds: float | None = None


def outlook(rollout: Rollout | None, state: State, seen: Observation) -> Outlook:
    """Return what the attempt waits for; nothing at rest."""
    context = Context.of(rollout, seen)
    missing = _missing(state, context)
    seconds = _together(missing) if drift.running(state) or state.phase is Phase.ABORTING else None
    if not (state.phase is Phase.PROGRESSING or (state.phase is Phase.PAUSED and state.step)):
        return Outlook(missing=missing, seconds=seconds)
    later = context.steps[state.step : state.step + 1]
    step, weight = (state.step + 1, later[0].weight) if later else (0, attempt.ALL)
    return Outlook(step, weight, missing, seconds)


def _missing(state: State, context: Context) -> tuple[Missing, ...]:
    if context.spec is not None and context.spec.suspend:
        return (Missing(Reason.SUSPENDED, "spec.suspend is true; nothing is written until it is false."),)
    if tiers.is_frozen(state) and state.phase is not Phase.ABORTING:
        return (Missing(state.failover.reason, state.failover.message),)
    match state.phase:
        case Phase.IDLE | Phase.ABORTED:
            return ()
        case Phase.PROGRESSING:
            return _speaking(At(state, context, _judgement(state, context)), guards.LEAVING)
        case Phase.PROMOTING:
            at = At(state, context, None)
            waiting = _speaking(at, clusters.awaited(at))
            return waiting or ((Missing(state.reason, state.message),) if state.copying_at else ())
        case Phase.ABORTING:
            return _speaking(At(state, context, None), (guards.unwritten,))
        case Phase.PAUSED | Phase.INVALID:
            return (Missing(state.reason, state.message),)
        case never:
            assert_never(never)


def _judgement(state: State, context: Context) -> Judgement | None:
    """Return the judge's last word where there is something to judge; elsewhere it is of another attempt."""
    spec = context.spec
    return last_word(state) if spec is not None and spec.analysis.checks and state.share > 0 else None


def _speaking(at: At, asked: tuple[guards.Guard, ...]) -> tuple[Missing, ...]:
    found = [(guard, said) for guard in asked if (said := guard(at)) is not None]
    stands_still = any(guard in guards.COUNTING for guard, _ in found)
    return tuple(Missing(*said, _seconds(guard, at, stands_still=stands_still)) for guard, said in found)


def _seconds(guard: guards.Guard, at: At, *, stands_still: bool) -> float | None:
    """Return how long this guard will speak; while hold time stands still, nobody knows when it is over."""
    foresee = _SECONDS.get(guard)
    return None if foresee is None or (stands_still and guard is guards.hold_time) else foresee(at)


def _hold_left(at: At) -> float | None:
    step = at.step
    return None if step is None else max(0.0, step.hold - at.state.hold.at(at.context.now))


def _requests_left(at: At) -> float | None:
    judge, spec = at.state.judge, at.context.spec
    return (
        None if judge is None or spec is None else _take(at, judge, spec.analysis.min_requests, judge.canary_requests)
    )


def _step_requests_left(at: At) -> float | None:
    judge, step = at.state.judge, at.step
    return None if judge is None or step is None else _take(at, judge, step.min_requests, judge.step_canary_requests)


def _take(at: At, judge: JudgeState, wanted: int, counted: int) -> float | None:
    """Return how long the missing canary requests take at the present rate and weight; None without traffic."""
    canary_rate = (judge.requests_per_second or 0.0) * at.state.share / 100
    return max(0, wanted - counted) / canary_rate if canary_rate >= SLOWEST_PER_SECOND else None


def _next_sample(at: At) -> float | None:
    judge, cadence = at.state.judge, at.context.seen.cadence_seconds
    if judge is None or judge.last_tick_at is None:
        return cadence
    return min(cadence, max(0.0, judge.last_tick_at + cadence * (1 + guards.SOON_PART) - at.context.now))


_SECONDS: Mapping[guards.Guard, Callable[[At], float | None]] = {
    guards.hold_time: _hold_left,
    guards.too_few_requests: _requests_left,
    guards.plan_too_short: _requests_left,
    guards.step_requests: _step_requests_left,
    guards.fresh_tick: _next_sample,
    guards.sample_due: _next_sample,
}
"""The guards whose end can be foreseen; of all others (a person, a gate, a gateway, a source) nobody knows it."""


def _together(missing: tuple[Missing, ...]) -> float | None:
    """Return the longest of what is missing (they go on side by side), None when one is not known."""
    known = [one.seconds for one in missing if one.seconds is not None]
    return max(known, default=0.0) if len(known) == len(missing) else None
