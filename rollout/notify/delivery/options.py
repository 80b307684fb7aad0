"""What delivery is set up with: its patience, and the ways by which it reaches the controller."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rollout.engine.state import State
from rollout.ports import Key, StoredRollout


@dataclass(frozen=True, slots=True)
class Options:
    """How patient delivery is; all times are seconds.

    ``tick`` is how often cursors are recorded. A delivery tries ``attempts`` times and waits ``first_wait`` and then
    twice as long each time, ``longest_wait`` at most. A sink gets at most ``places`` messages at once, of one Rollout
    at most ``in_a_go`` before others have their turn. When all ends, what is under way may take ``last_words``, the
    record of cursors ``recording``.
    """

    tick: float = 5.0
    attempts: int = 3
    first_wait: float = 0.2
    longest_wait: float = 2.0
    places: int = 8
    in_a_go: int = 10
    last_words: float = 0.5
    recording: float = 1.0


@dataclass(frozen=True, slots=True)
class Reach:
    """The controller as delivery sees it; all of it answers at once, from memory.

    ``state`` is where a Rollout stands (None: not known here), ``stored`` what the store has, ``holds`` whether we act
    for it, ``wake`` lets a pass be due.
    """

    state: Callable[[Key], State | None]
    stored: Callable[[Key], StoredRollout | None]
    holds: Callable[[Key], bool]
    wake: Callable[[Key], None]
