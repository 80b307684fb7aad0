"""Telling: how far each sink was told of the Rollout's transitions, and which of these stay for it.

The state has what was recorded of that, an observation what came since. Both are joined when the status is written
anyway; for them alone it is written when other sinks are wanted, or what is recorded has become too old. Called by
``decide`` and ``moves``; who the sinks are, and how they are told, it must not know.
"""

from __future__ import annotations

from dataclasses import replace

from rollout.engine.observation import Cursor, Telling
from rollout.engine.state import MOST_TRANSITIONS, MOST_UNTOLD, State, Transition


def joined(state: State, telling: Telling | None) -> tuple[Cursor, ...]:
    """Return the newest cursor of each sink that is wanted, in the order of their names.

    ``state`` is that before the pass: a sink that is new starts where it stood, so that it is told what this pass
    brings and no history.
    """
    if telling is None:
        return ()
    recorded = {cursor.sink: cursor for cursor in state.notified}
    newest = (_newest((telling.told.get(name), recorded.get(name)), name, state) for name in sorted(telling.sinks))
    return tuple(newest)


def _newest(found: tuple[Cursor | None, ...], sink: str, state: State) -> Cursor:
    """Return the farthest; one that is beyond what there was to tell is of another life of the name."""
    known = (cursor for cursor in found if cursor is not None and cursor.number <= state.number)
    return farthest(*known) or Cursor(sink, state.number)


def farthest(*found: Cursor | None) -> Cursor | None:
    """Return the first of those cursors of one sink that have come farthest, None when there is none."""
    known = [cursor for cursor in found if cursor is not None]
    return max(known, key=lambda cursor: cursor.number, default=None)


def is_to_be_recorded(state: State, cursors: tuple[Cursor, ...], telling: Telling | None) -> bool:
    """Return whether the cursors alone are worth a write of the status, in which those of ``state`` stand."""
    is_due = telling is not None and telling.due
    if is_due:
        return cursors != state.notified
    return [cursor.sink for cursor in cursors] != [cursor.sink for cursor in state.notified]


def with_cursors(state: State, cursors: tuple[Cursor, ...]) -> State:
    """Return the state with these cursors, and without the transitions that nobody waits for any more."""
    transitions = kept(state.transitions, cursors)
    if (cursors, transitions) == (state.notified, state.transitions):
        return state
    return replace(state, notified=cursors, transitions=transitions)


def kept(transitions: tuple[Transition, ...], cursors: tuple[Cursor, ...]) -> tuple[Transition, ...]:
    """Return the last transitions, and of older ones those that the slowest sink was not told of, up to a bound."""
    older, last = transitions[:-MOST_TRANSITIONS], transitions[-MOST_TRANSITIONS:]
    if not older or not cursors:
        return last
    slowest = min(cursor.number for cursor in cursors)
    return (*(made for made in older if made.number > slowest), *last)[-MOST_UNTOLD:]
