"""Guards: what keeps an automatic move from being made, as a list of named functions.

Each returns the reason with its sentence, or None. They say nothing of health, which ``plan`` asks for.
"""

from __future__ import annotations

from collections.abc import Callable

from rollout.failover.health import Signal
from rollout.failover.reasons import Reason, Word
from rollout.failover.state import FailoverState
from rollout.failover.table import Stage
from rollout.failover.turn import Turn
from rollout.spec.failover import FailbackMode, Failover, FailoverMode

SIGNALS_FOR_A_CROWD = 2

Guard = Callable[[Turn, str], Word | None]
"""What may speak against a move, which the text tells of."""


def stopped(turn: Turn, what: str) -> Word | None:
    """All automatic failover is stopped by the operator; a failback that a person ordered is none."""
    journey = turn.state.journey
    if not turn.scene.seen.stopped or (journey is not None and journey.ordered):
        return None
    return Word(Reason.STOPPED, f"All automatic failover is stopped; without that: {what}.", loud=True)


def observing(turn: Turn, what: str) -> Word | None:
    """The mode is Observe."""
    if turn.scene.settings.mode is not FailoverMode.OBSERVE:
        return None
    return Word(Reason.OBSERVING, f"The mode is Observe; without that: {what}.", loud=True)


def crowded(turn: Turn, what: str) -> Word | None:
    """Too many primaries are down at once, and only one signal says so of this one."""
    carrier = turn.scene.standing(turn.state.active)
    one_signal = len(carrier.vote.failing) < SIGNALS_FOR_A_CROWD and not carrier.resting
    limited = turn.scene.seen.crowded and turn.scene.settings.fleet_limit is not None
    if not (limited and one_signal) or carrier.name:
        return None
    told = ", ".join(carrier.vote.failing) or "none"
    message = f"Too many primaries are down at once; a second signal than {told} is waited for before: {what}."
    return Word(Reason.SUSPECT_OBSERVER, message, loud=True)


def cools_until(state: FailoverState, settings: Failover) -> float:
    """Return until when the last move delays another one (Unix seconds)."""
    return state.moved_at + settings.damping.cooldown if state.moved_at else 0.0


def cooling(turn: Turn, what: str) -> Word | None:
    """The last move is too recent for one that metrics alone ask for, or for a second one while latched."""
    state = turn.state
    only_metrics = turn.scene.standing(state.active).vote.failing == (Signal.METRICS,)
    again = state.stage is Stage.LATCHED and state.moved_at > state.since
    if not (only_metrics or again):
        return None
    return cooling_always(turn, what)


def cooling_always(turn: Turn, what: str) -> Word | None:
    """The last move is too recent."""
    left = cools_until(turn.state, turn.scene.settings) - turn.now
    return Word(Reason.COOLING_DOWN, f"The last move is too recent, {left:.0f} s before: {what}.") if left > 0 else None


def by_hand(turn: Turn, what: str) -> Word | None:
    """Failback is a person's, because failover was or because the settings say so."""
    state = turn.state
    if not state.ordered and turn.scene.settings.failback.mode is FailbackMode.AUTO:
        return None
    message = f"Failover {state.epoch} waits for failback with this number before: {what}."
    return Word(Reason.WAITING_FOR_FAILBACK, message, loud=True)


def outside_window(turn: Turn, what: str) -> Word | None:
    """None of the windows of failback is open."""
    until = turn.scene.seen.calendar.window_until
    if not turn.scene.settings.failback.windows or (until is not None and turn.now < until):
        return None
    return Word(Reason.OUTSIDE_WINDOW, f"A window is waited for before: {what}.")


ANY_MOVE: tuple[Guard, ...] = (stopped, observing)
FAILOVER: tuple[Guard, ...] = (*ANY_MOVE, crowded, cooling)
FAILBACK: tuple[Guard, ...] = (*ANY_MOVE, by_hand, outside_window, cooling_always)


def first(guards: tuple[Guard, ...], turn: Turn, what: str) -> Word | None:
    """Return what the first guard says that speaks against ``what``."""
    return next((word for guard in guards if (word := guard(turn, what)) is not None), None)
