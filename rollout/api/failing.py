"""Failover as the API tells it: from a look to what people read, with what each signal says and what is waited for.

Called by ``rollout.api.live``. What will happen is ``rollout.failover``'s to decide; here stands only when its present
reason ends, where that can be foreseen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from rollout.api.failover_models import (
    BackendHealthView,
    DampingView,
    DrillView,
    FailoverView,
    JourneyView,
    SignalView,
)
from rollout.api.shapes import MissingView
from rollout.controller.look import Look
from rollout.engine.state import Condition, State, Tiers
from rollout.engine.tiers import in_force
from rollout.failover.failback import wait_seconds
from rollout.failover.guards import cools_until
from rollout.failover.health import Reading, aged
from rollout.failover.reasons import Reason
from rollout.failover.scene import standing
from rollout.failover.seen import BackendSeen, Calendar
from rollout.failover.shares import PRIMARY, share_of
from rollout.failover.state import FailoverState
from rollout.failover.table import LEGAL, Stage
from rollout.spec.failover import Failover

READY = "FailoverReady"
NOT_SEEN = Condition(READY, "Unknown", "NotSeenYet", "The controller has not looked at it yet.", 0.0)


def failover_of(look: Look) -> FailoverView | None:
    """Return where failover stands, None where there is none."""
    tiers = in_force(look.rollout.spec if look.rollout is not None else None, look.state)
    if tiers is None:
        return None
    state, settings, ready = look.state.failover, tiers.settings, _ready(look.state)
    calendar = look.failover.calendar if look.failover is not None else Calendar()
    drilled = state.drilled
    return FailoverView(
        phase=state.stage.value,
        active=state.active,
        epoch=state.epoch,
        since=state.since,
        reason=state.reason,
        message=state.message,
        mode=settings.mode.value,
        strategy=settings.strategy.value,
        proposed=state.proposed,
        away_since=(state.left_at or state.since) if state.active else None,
        cause=[signal.value for signal in state.cause],
        ready=ready.status == "True",
        ready_reason=ready.reason,
        ready_message=ready.message,
        journey=_journey(look.state, settings),
        damping=_damping(state, settings, look.at),
        drilling=state.drilling.id if state.drilling is not None else None,
        last_drill=None
        if drilled is None
        else DrillView(id=drilled.id, at=drilled.at, result=drilled.result.value, why=drilled.why),
        next_drill_at=calendar.next_drill_at if settings.drill is not None else None,
        backends=dict(_backends(look, tiers)),
        missing=list(_missing(_Now(state, settings, calendar, look.at, look.session))),
        commands=[action.value for action, stages in LEGAL.items() if state.stage in stages],
    )


def _ready(state: State) -> Condition:
    return next((condition for condition in state.conditions if condition.type == READY), NOT_SEEN)


def _damping(state: FailoverState, settings: Failover, now: float) -> DampingView:
    per = settings.damping.per
    counted = sum(at > now - per for at in state.failovers)
    return DampingView(counted=counted, most=settings.damping.max_failovers, per_seconds=per)


def _journey(state: State, settings: Failover) -> JourneyView | None:
    journey = state.failover.journey
    if journey is None:
        return None
    steps = settings.failback.steps if journey.back else settings.ramp_up
    target = (journey.target or state.stable) if journey.back else state.failover.active
    return JourneyView(back=journey.back, target=target, step=journey.step, steps=list(steps))


# ---------------------------------------------------------------- backends


def _backends(look: Look, tiers: Tiers) -> Iterator[tuple[str, BackendHealthView]]:
    state = look.state
    named = {state.stable: "stable", state.canary: "canary", **dict.fromkeys(tiers.backups, "backup")}
    seen = look.failover.backends if look.failover is not None else {}
    for name, role in named.items():
        if name:
            share = None if role == "canary" else share_of(state.failover.shares, PRIMARY if role == "stable" else name)
            yield name, _backend(seen.get(name, BackendSeen(name)), tiers.settings, look.at, role=role, share=share)


def _backend(seen: BackendSeen, settings: Failover, now: float, *, role: str, share: int | None) -> BackendHealthView:
    vote = standing(seen, settings.signals, now).vote
    return BackendHealthView(
        role=role,
        health=vote.health.value,
        since=vote.since,
        resting=seen.resting,
        share=share,
        signals=[_signal(reading, now) for reading in seen.readings],
    )


def _signal(reading: Reading, now: float) -> SignalView:
    counts = aged(reading, now)
    return SignalView(
        signal=counts.signal.value,
        health=counts.health.value,
        since=counts.since,
        age_seconds=max(0.0, now - counts.seen_at),
        evidence=counts.evidence,
    )


# ---------------------------------------------------------------- what is waited for


@dataclass(frozen=True, slots=True)
class _Now:
    state: FailoverState
    settings: Failover
    calendar: Calendar
    at: float
    session: float


def _missing(now: _Now) -> Iterator[MissingView]:
    """Yield what the next move waits for; at home nothing is waited for."""
    state = now.state
    if state.stage is not Stage.NORMAL:
        until = _UNTIL.get(state.reason, _nobody_knows)(now)
        seconds = None if until is None else max(0.0, until - now.at)
        yield MissingView(reason=state.reason, message=state.message, seconds=seconds)


def _nobody_knows(_now: _Now) -> float | None:
    return None


def _confirmed(now: _Now) -> float | None:
    return now.state.pressing_since + now.settings.confirm_for if now.state.pressing_since else None


def _lasting(now: _Now) -> float | None:
    return now.state.pressing_since + now.settings.hold_off if now.state.pressing_since else None


def _cooled(now: _Now) -> float:
    return cools_until(now.state, now.settings)


def _next_step(now: _Now) -> float | None:
    journey = now.state.journey
    return None if journey is None else journey.at + now.settings.failback.step_interval


def _stable(now: _Now) -> float | None:
    wait = wait_seconds(now.state, now.settings)
    ends = [well.full_at(wait, now.session) for well in now.state.well]
    return min((end for end in ends if end is not None), default=None)


def _window(now: _Now) -> float | None:
    return now.calendar.window_opens_at


def _drilled(now: _Now) -> float | None:
    drill, drilling = now.settings.drill, now.state.drilling
    return None if drill is None or drilling is None else drilling.began_at + drill.duration


_UNTIL: Mapping[str, Callable[[_Now], float | None]] = {
    Reason.PRIMARY_DOWN: _confirmed,
    Reason.BACKUP_DOWN: _confirmed,
    Reason.PARTLY_DOWN: _lasting,
    Reason.COOLING_DOWN: _cooled,
    Reason.RAMPING: _next_step,
    Reason.FAILING_BACK: _next_step,
    Reason.NOT_YET_STABLE: _stable,
    Reason.OUTSIDE_WINDOW: _window,
    Reason.DRILLING: _drilled,
}
"""The reasons whose end can be foreseen (Unix seconds); of all others (health, a person, the operator) nobody knows."""
