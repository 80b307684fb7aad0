"""Recording: whether a pass has brought anything that the status must tell at once.

Each write costs an API server; with a thousand Rollouts what moves all the time must not be written all the time. A
restart begins with what was recorded last, so nothing may be left out that it cannot find out again by itself.
Called by ``decide``.
"""

from __future__ import annotations

from dataclasses import replace

from rollout.engine import gates
from rollout.engine.drift import running
from rollout.engine.dropping import only_drops
from rollout.engine.moves import intended
from rollout.engine.reasons import Reason
from rollout.engine.state import Recorded, State
from rollout.engine.table import Phase
from rollout.failover.reasons import Reason as Why

MOST_LOST_SECONDS = 1800.0
"""Samples that were judged in so much time may be in no record: a source is asked for them again, one hour back."""

ON_COURSE = frozenset(
    {
        Reason.STARTED,
        Reason.RETRIED,
        Reason.NEW_REVISION,
        Reason.STEP_STARTED,
        Reason.PROMOTED_BY_COMMAND,
        Reason.HOLDING,
    }
)
"""Reasons of a step that goes as it should: from its beginning to the end of its hold time there is no news."""

AWAY = frozenset({Why.FAILED_OVER, Why.MAINTENANCE, Why.ON_BACKUP})
"""Reasons of a failover that was made: that it was is told by its transition, that it lasts is no news."""


def is_significant(before: State, state: State) -> bool:
    """Return whether the status must be written: numbers and sentences alone ride along with the next write.

    So does what only follows from the last record: that the weights which it intends are written, that the floor is
    left then, that the gateway took them in, and that the hold time runs; but not that the write began anew, from which
    hold time counts.
    """
    is_anew = 0.0 < before.writing_at < state.writing_at
    return is_anew or _gist(before) != _gist(state) or _has_health_news(state) or _has_much_evidence(state)


def recorded(state: State) -> State:
    """Return the state that knows what its record tells."""
    tick_at = state.judge.last_tick_at if state.judge is not None else None
    now = Recorded(state.ready, tick_at or 0.0)
    return state if state.recorded == now else replace(state, recorded=now)


def _gist(state: State) -> tuple[object, ...]:
    conditions = tuple((condition.type, condition.status) for condition in state.conditions)
    is_under_way = state.writing_at > 0 or state.phase is Phase.ABORTING or _is_moved(state)
    as_recorded = is_under_way or state.observed == intended(state)
    weights = (state.share, state.parked, tuple(rule.total for rule in state.owned), as_recorded or state.observed)
    hold = (state.hold.since is not None or state.writing_at > 0, state.hold_over, state.approved_step)
    seen = (state.seen_revision, state.templates, state.stable, state.steps_seen, state.observed_generation)
    workloads = (state.copying_at, state.copied, state.scaling)
    drifted, failover = (state.drift.hands_off, state.drift.repairs), state.failover
    return (
        state.number,
        state.phase,
        state.reason not in ON_COURSE | AWAY and state.reason,
        conditions,
        weights,
        hold,
        seen,
        workloads,
        state.handled,
        gates.gist(state),
        _rests(state) or state.ready,
        drifted,
        replace(failover, message="", reason="" if failover.reason in AWAY else failover.reason),
        state.tiers,
    )


def _is_moved(state: State) -> bool:
    """Return whether what failover wants is being written, or was: that the routes show it then is no news."""
    moved_at = state.failover.moved_at
    ours, want = state.owned[0].acknowledged if state.owned else (), intended(state)
    written = bool(state.owned) and (ours == want or only_drops(ours, want))
    return moved_at > 0 and (moved_at > state.last_write_at or written)


def _rests(state: State) -> bool:
    return not running(state) and state.phase is not Phase.ABORTING


def _has_health_news(state: State) -> bool:
    """Return whether health at rest is another than was recorded; that nobody can look just now is no news of it."""
    news = (health for name, health in state.ready if (name, health) not in state.recorded.ready)
    return _rests(state) and any(health != "Unknown" for health in news)


def _has_much_evidence(state: State) -> bool:
    """Return whether more has been judged since the last record than a restart may lose."""
    if state.judge is None or state.judge.last_tick_at is None:
        return False
    return state.judge.last_tick_at - max(state.recorded.tick_at, state.judge.began_at) > MOST_LOST_SECONDS
