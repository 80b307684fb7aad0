"""A turn: the state on its way through one decision, what was told meanwhile, and the one way to move."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rollout.failover.reasons import Reason, Word
from rollout.failover.scene import Scene
from rollout.failover.shares import Shares
from rollout.failover.state import FailoverState
from rollout.failover.table import Stage, Trigger, target

MOST_MESSAGE = 1024
MOST_TOLD = 16


@dataclass(frozen=True, slots=True)
class Change:
    """Something to tell: a transition, or a loud reason (``trigger`` is then None).

    ``shares``, ``active`` and ``epoch`` are as the state had them then.
    """

    at: float
    stage: Stage
    trigger: Trigger | None
    shares: Shares
    reason: str
    message: str
    active: str = ""
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class Turn:
    """The state so far, the scene, and what is to be told."""

    state: FailoverState
    scene: Scene
    changes: tuple[Change, ...] = ()

    @property
    def now(self) -> float:
        """Return Unix seconds."""
        return self.scene.now


def keep(turn: Turn, state: FailoverState) -> Turn:
    """Return the turn with this state, and nothing to tell."""
    return turn if state == turn.state else replace(turn, state=state)


def move(turn: Turn, state: FailoverState, trigger: Trigger, word: Word) -> Turn:
    """Return the turn after ``trigger``; ``state`` already carries the other changes.

    Raises:
        KeyError: the transition table has no such transition.
    """
    before, stage = turn.state, target(turn.state.stage, trigger)
    since = turn.now if stage is not before.stage else before.since
    moved_at = turn.now if state.shares != before.shares else before.moved_at
    told = state.told if stage is before.stage else ()
    message = word.message[:MOST_MESSAGE]
    moved = replace(state, stage=stage, since=since, moved_at=moved_at, told=told, reason=word.reason, message=message)
    return Turn(moved, turn.scene, (*turn.changes, _change(moved, trigger, word, turn.now)))


def say(turn: Turn, word: Word) -> Turn:
    """Return the turn with another reason and sentence; a loud one is told once while it lasts."""
    state = replace(turn.state, reason=word.reason, message=word.message[:MOST_MESSAGE])
    if not word.loud:
        return keep(turn, replace(state, told=tuple(reason for reason in state.told if reason == Reason.INEFFECTIVE)))
    return tell_once(keep(turn, state), word)


def tell_once(turn: Turn, word: Word) -> Turn:
    """Return the turn in which ``word`` is told, unless it was since something else was said."""
    state = turn.state
    if word.reason in state.told:
        return turn
    return tell(keep(turn, replace(state, told=(*state.told, word.reason)[-MOST_TOLD:])), word)


def tell(turn: Turn, word: Word) -> Turn:
    """Return the turn in which ``word`` is told; it is not the reason for where failover stands."""
    return replace(turn, changes=(*turn.changes, _change(turn.state, None, word, turn.now)))


def _change(state: FailoverState, trigger: Trigger | None, word: Word, now: float) -> Change:
    return Change(
        at=now,
        stage=state.stage,
        trigger=trigger,
        shares=state.shares,
        reason=word.reason,
        message=word.message[:MOST_MESSAGE],
        active=state.active,
        epoch=state.epoch,
    )
