"""The book: the desks of all Rollouts that we act for.

Passes ask it who is told (``telling``), those who work for a sink ask what is owed to it and say what became of that;
a tick has cursors recorded. It sends nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from rollout.engine.observation import Cursor, Telling
from rollout.engine.state import State
from rollout.notify.delivery.desk import NOTHING, STANDING, Desk, Wisher, is_recorded, life_of
from rollout.notify.delivery.options import Reach
from rollout.notify.delivery.owed import Due, Owed, owed
from rollout.notify.sinks import Sink
from rollout.ports import Key, StoredRollout
from rollout.spec.resource import Rollout

MOST_PROBLEM, MOST_THREAD = 200, 128
"""So many characters have a problem, which is cut, and a thread, which is left out, at most."""

MOST_GONE = 1000
"""Of so many Rollouts that are gone is kept what was not told yet."""


class Book:
    """Knows who is told of what, and how far."""

    def __init__(self, sinks: Iterable[Sink], fresh: Callable[[Key], None]) -> None:
        """Begin with no desk; ``fresh`` is called with Rollouts that may owe something to somebody."""
        self._wisher = Wisher(sinks)
        self._fresh = fresh
        self._reach: Reach | None = None
        self._desks: dict[Key, Desk] = {}
        self._moved: dict[Key, None] = {}
        self._closing = False

    def begin(self, reach: Reach) -> None:
        """Look at Rollouts by ``reach`` from now on."""
        self._reach = reach

    def telling(self, stored: StoredRollout, rollout: Rollout | None, state: State) -> Telling | None:
        """Return who is to be told of the Rollout, and how far each was."""
        key = stored.key
        desk = self._desks.get(key)
        if desk is None or desk.rollout is not rollout or desk.life != life_of(stored):
            desk = self._open(desk, stored, rollout, state)
        if desk.told:
            desk.rewind(state.number)
        if desk.seen != state.number:
            desk.seen = state.number
            self._fresh(key)
        if not desk.wishes.sinks:
            return Telling(()) if state.notified else None
        if desk.wishes.problems:
            self._remark(key, desk, state)
        due, desk.due = desk.due or (self._closing and bool(desk.told)), False
        return Telling(desk.wishes.sinks, desk.told, due)

    def _open(self, desk: Desk | None, stored: StoredRollout, rollout: Rollout | None, state: State) -> Desk:
        """Return the desk with what is wanted now: the one there is, unless it is of another life."""
        wishes = self._wisher.of(stored, rollout, state)
        if desk is None or desk.life != life_of(stored):
            desk = self._desks[stored.key] = Desk(life_of(stored), rollout, wishes)
            self._moved.pop(stored.key, None)
        elif rollout is None:
            known = desk.wishes.rules
            rules = {name: replace(known.get(name, rule), shut=rule.shut) for name, rule in wishes.rules.items()}
            desk.rollout, desk.wishes = None, replace(wishes, rules=rules)
        else:
            desk.rollout, desk.wishes, desk.seen = rollout, wishes, -1
        return desk

    def _remark(self, key: Key, desk: Desk, state: State) -> None:
        """Let cursors of sinks that are not told say why, and go on: nothing is kept for them."""
        for sink, problem in desk.wishes.problems.items():
            cursor = desk.cursor(sink, state)
            if cursor is not None and (cursor.problem, cursor.number) != (problem, state.number):
                self._move(key, desk, replace(cursor, number=state.number, problem=problem))

    def made(self, key: Key) -> None:
        """Keep where the Rollout stands, with the transitions of just now: it may be gone before they are told."""
        desk = self._desks.get(key)
        if desk is not None and desk.wishes.sinks and self._reach is not None:
            desk.last = self._reach.state(key) or desk.last

    def is_ours(self, key: Key, due: Due) -> bool:
        """Return whether we act for the Rollout, and what is due was made in the life that it has now."""
        return self.state(key) is not None and self._desks[key].life == due.life

    def sinks(self, key: Key) -> tuple[str, ...]:
        """Return the sinks that are told of the Rollout and are set up."""
        desk = self._desks.get(key)
        return tuple(desk.wishes.rules) if desk is not None else ()

    def told(self, key: Key) -> tuple[Cursor, ...]:
        """Return how far each sink was told, as far as it is known."""
        desk, state = self._desks.get(key), self._state(key)
        if desk is None or state is None:
            return ()
        return tuple(cursor for sink in desk.wishes.sinks if (cursor := desk.cursor(sink, state)) is not None)

    def state(self, key: Key) -> State | None:
        """Return where the Rollout stands, or stood when it went; None: others act for it, or nobody."""
        reach, desk = self._reach, self._desks.get(key)
        if reach is None or desk is None:
            return None
        if not reach.holds(key):
            self._drop(key)
            return None
        if reach.state(key) is None:
            desk.seen = -1  # whoever sees it next has it looked at
        return self._state(key)

    def _state(self, key: Key) -> State | None:
        if self._reach is None:
            return None
        stored, desk = self._reach.stored(key), self._desks.get(key)
        if stored is None:
            return desk.last if desk is not None else None
        if desk is None or desk.life != life_of(stored):
            return None
        return self._reach.state(key) or desk.last

    def owed(self, key: Key, sink: str) -> Owed | None:
        """Return what is owed to the sink, and move its cursor over what is not told at all; None: nothing."""
        desk, state = self._desks.get(key), self.state(key)
        rule = desk.wishes.rules.get(sink) if desk is not None else None
        if desk is None or state is None or rule is None:
            return None
        cursor = desk.cursor(sink, state)
        if cursor is None or sink not in desk.wishes.sinks:
            return None
        found = owed(state.transitions, cursor.number, rule, desk.life)
        problem = cursor.problem
        if not found.dues and (found.skipped > cursor.number or problem in STANDING or sink in desk.wishes.problems):
            problem = desk.wishes.problems.get(sink, "")
        if found.skipped > cursor.number or problem != cursor.problem:
            self._move(key, desk, replace(cursor, number=max(found.skipped, cursor.number), problem=problem))
        if not found.dues:
            return None
        desk.last = state
        return found

    def thread(self, key: Key, sink: str, due: Due) -> str:
        """Return the thread of the attempt to which the transition belongs; empty: it has none yet."""
        desk, state = self._desks.get(key), self._state(key)
        cursor = desk.cursor(sink, state) if desk is not None and state is not None else None
        attempt = due.transition.attempt if due.transition is not None else 0
        return cursor.thread if cursor is not None and attempt and cursor.attempt == attempt else ""

    def moved(self, key: Key, sink: str, due: Due, *, at: float, thread: str = "") -> None:
        """Take note that the sink was told up to ``due``, at ``at`` (Unix seconds)."""
        cursor = self._before(key, sink, due)
        if cursor is not None:
            attempt = due.transition.attempt if due.transition is not None else cursor.attempt
            kept = thread or (cursor.thread if attempt == cursor.attempt else "")
            kept = kept if len(kept) <= MOST_THREAD else ""
            self._move(key, self._desks[key], Cursor(sink, due.number, at, kept, attempt))

    def passed(self, key: Key, sink: str, due: Due, problem: str) -> None:
        """Take note that ``due`` is passed over, and why."""
        cursor = self._before(key, sink, due)
        if cursor is not None:
            self._move(key, self._desks[key], replace(cursor, number=due.number, problem=problem[:MOST_PROBLEM]))

    def failed(self, key: Key, sink: str, due: Due, problem: str) -> None:
        """Take note why the sink could not be told of ``due``."""
        cursor, problem = self._before(key, sink, due), problem[:MOST_PROBLEM]
        if cursor is not None and cursor.problem != problem:
            self._move(key, self._desks[key], replace(cursor, problem=problem))

    def _before(self, key: Key, sink: str, due: Due) -> Cursor | None:
        """Return how far the sink was told before ``due``; None: that is of no account any more."""
        desk, state = self._desks.get(key), self._state(key)
        if desk is None or state is None or desk.life != due.life or not _has(state, due):
            return None
        cursor = desk.cursor(sink, state)
        return cursor if cursor is not None and cursor.number < due.number else None

    def _move(self, key: Key, desk: Desk, cursor: Cursor) -> None:
        desk.told = {**desk.told, cursor.sink: cursor}
        self._moved[key] = None

    def unrecorded(self) -> tuple[Key, ...]:
        """Return the Rollouts whose cursors have moved since they were recorded; what is recorded is forgotten here."""
        return tuple(key for key in tuple(self._moved) if not self._settled(key))

    def _settled(self, key: Key) -> bool:
        desk, state = self._desks.get(key), self.state(key)
        if desk is None or state is None or self._is_gone(key):
            self._moved.pop(key, None)
            return True
        if is_recorded(desk.told, state):
            self._moved.pop(key, None)
            desk.told = desk.asked = NOTHING
            if all(cursor.number >= state.number for cursor in state.notified):
                desk.last = None
            return True
        return False

    def _is_gone(self, key: Key) -> bool:
        """Return whether no pass is made over the Rollout any more, although the store may still show it."""
        return self._reach is not None and (self._reach.stored(key) is None or self._reach.state(key) is None)

    def remember(self, key: Key) -> None:
        """Let the next pass of the Rollout record its cursors, and wake it, unless the last waking is not answered."""
        desk, state = self._desks.get(key), self._state(key)
        if desk is None or state is None or self._reach is None:
            return
        desk.due = True
        if is_recorded(desk.asked, state):
            desk.asked = desk.told
            self._reach.wake(key)

    def close(self) -> None:
        """Let each pass from now on record cursors that have moved."""
        self._closing = True

    def sweep(self) -> Iterator[Key]:
        """Forget Rollouts for which others act, and those that are gone: but for a few, when all was told of them.

        Each that was looked at is yielded: there are many, and others have things to do meanwhile.
        """
        left = MOST_GONE
        for key in reversed(tuple(self._desks)):
            yield key
            if self.state(key) is not None and not self._is_gone(key):
                continue
            left -= 1
            if left < 0 or all(self.owed(key, sink) is None for sink in self.sinks(key)):
                self._drop(key)

    def _drop(self, key: Key) -> None:
        self._desks.pop(key, None)
        self._moved.pop(key, None)


def _has(state: State, due: Due) -> bool:
    """Return whether what is due happened: what was never recorded leaves its number to another transition."""
    if due.transition is None:
        return due.number <= state.number
    same = next((made for made in reversed(state.transitions) if made.number <= due.number), None)
    return due.number <= state.number and (same is None or same.number < due.number or same.at == due.at)
