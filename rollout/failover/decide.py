"""``decide_failover``: from settings, state and health to the next state, the shares, and what to tell.

Pure and total: the same input gives the same output, and nothing that is seen makes it raise. Called
by the engine in every pass; what the shares mean in weights is the engine's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from rollout.failover import drill, failback, guards, stages
from rollout.failover.leaving import pressed_until
from rollout.failover.orders import Answer, obey
from rollout.failover.plan import pressure
from rollout.failover.reasons import Reason, Word
from rollout.failover.scene import Scene
from rollout.failover.seen import BLIND_SECONDS, Seen
from rollout.failover.shares import Shares
from rollout.failover.state import FailoverState
from rollout.failover.table import Stage
from rollout.failover.turn import Change, Turn, keep, say, tell_once
from rollout.spec.failover import Failover

MOST_STEPS = 6
"""So many steps follow each other in one pass at most: suspect, fail over, and what comes of that."""


@dataclass(frozen=True, slots=True)
class FailoverDecision:
    """What follows: the state to record, then the shares to write, then what to tell.

    ``shares`` are what the backups get, the rest is tier 0's (``shares.by_backend`` splits it).
    ``next_at`` is when to look again without an event (Unix seconds; None: not at all); that readings grow old is an
    event, which whoever makes them tells. ``notes`` hold beside the state's own reason. ``health`` is what is known of
    each backend, by name. ``down``: the primary is down, for the fleet limit.
    """

    state: FailoverState
    shares: Shares
    changes: tuple[Change, ...]
    notes: tuple[Word, ...]
    answer: Answer | None
    next_at: float | None


def decide_failover(settings: Failover, state: FailoverState, seen: Seen, now: float) -> FailoverDecision:
    """Return what follows at ``now`` (Unix seconds) from where failover stands and what is seen."""
    scene = Scene.of(settings, seen, now)
    turn, answer = obey(Turn(state, scene))
    turn = _suspended(turn) if seen.suspended else _advanced(turn, state)
    turn, notes = _noted(turn)
    return FailoverDecision(
        state=turn.state,
        shares=turn.state.shares,
        changes=turn.changes,
        notes=notes,
        answer=answer,
        next_at=_next_at(turn),
    )


def _suspended(turn: Turn) -> Turn:
    turn = drill.by_calendar(turn) if drill.is_due(turn) else turn
    message = "spec.suspend is true: nothing is written, also no failover."
    return say(turn, Word(Reason.SUSPENDED, message, loud=True))


def _advanced(turn: Turn, before: FailoverState) -> Turn:
    """Go on step by step until nothing more follows, or there are other shares to record and write."""
    turn = drill.first_look(turn)
    if drill.is_due(turn) and turn.state.stage is not Stage.NORMAL:
        turn = drill.by_calendar(turn)
    return turn if turn.state.shares != before.shares else _on_and_on(turn, before, MOST_STEPS)


def _on_and_on(turn: Turn, before: FailoverState, steps: int) -> Turn:
    after = stages.advance(turn)
    if after.state == turn.state or after.state.shares != before.shares or not steps:
        return after
    return _on_and_on(after, before, steps - 1)


def _noted(turn: Turn) -> tuple[Turn, tuple[Word, ...]]:
    """Return what is told beside the reason: a gateway that does not follow the last move."""
    state, seen, verify = turn.state, turn.scene.seen, turn.scene.settings.verify
    written = seen.written_at if verify.route_status and state.moved_at else None
    late = written is not None and turn.now >= written + verify.within and seen.followed is False
    if not late or written is None:
        told = tuple(reason for reason in state.told if reason != Reason.INEFFECTIVE)
        return keep(turn, replace(state, told=told)), ()
    message = f"The shares of {turn.now - written:.0f} s ago are written, and the gateway does not follow."
    word = Word(Reason.INEFFECTIVE, message, loud=True)
    return tell_once(turn, word), (word,)


def _next_at(turn: Turn) -> float | None:
    times = [at for at in _times(turn) if at > turn.now]
    return min(times, default=None)


def _times(turn: Turn) -> Iterator[float]:
    """Yield the times at which something may follow; those that are past are none."""
    state, scene, settings = turn.state, turn.scene, turn.scene.settings
    found = pressure(state, scene)
    if found is not None and state.pressing_since:
        yield pressed_until(state, found)
    yield guards.cools_until(state, settings)
    yield scene.seen.session_started_at + BLIND_SECONDS
    for well in state.well:
        full_at = well.full_at(failback.wait_seconds(state, settings), scene.seen.session_started_at)
        if full_at is not None:
            yield full_at
    if state.journey is not None:
        yield state.journey.at + settings.failback.step_interval
    if state.drilling is not None and settings.drill is not None:
        yield state.drilling.began_at + settings.drill.duration
    if scene.seen.written_at is not None:
        yield scene.seen.written_at + settings.verify.within
    yield from _of_calendar(turn)


def _of_calendar(turn: Turn) -> Iterator[float]:
    settings, calendar = turn.scene.settings, turn.scene.seen.calendar
    if settings.failback.windows and calendar.window_opens_at is not None and turn.state.active:
        yield calendar.window_opens_at
    if settings.drill is not None and calendar.next_drill_at is not None:
        yield calendar.next_drill_at
