"""Which Rollouts wait for a sink: those that gather, those whose turn comes one by one, and those that sleep.

Each is in one place at most; with it stands when the oldest thing happened that it is owed (Unix seconds).
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field
from typing import TypeAlias

from rollout.ports import Key

Places: TypeAlias = dict[Key, float]


@dataclass(slots=True)
class Waiting:
    """Rollouts in the order in which they came."""

    gathering: Places = field(default_factory=dict)
    turns: Places = field(default_factory=dict)
    asleep: Places = field(default_factory=dict)
    at_work: Places = field(default_factory=dict)

    def __contains__(self, key: object) -> bool:
        """Return whether the Rollout is anywhere here."""
        return key in self.gathering or key in self.turns or key in self.at_work

    def put(self, key: Key, at: float, *, gather: bool) -> None:
        """Let the Rollout wait, at the end, unless it does or is worked on."""
        if key not in self:
            self.asleep.pop(key, None)
            (self.gathering if gather else self.turns)[key] = at

    def sleep(self, key: Key, at: float) -> None:
        """Let it wait until the quiet hours are over, unless it has its turn."""
        if key not in self:
            self.asleep.setdefault(key, at)

    def wake(self, *, gather: bool) -> None:
        """Let all that sleep wait again."""
        asleep, self.asleep = self.asleep, {}
        for key, at in asleep.items():
            self.put(key, at, gather=gather)

    def ripen(self) -> None:
        """Give turns to those that gathered."""
        self.turns.update(self.gathering)
        self.gathering.clear()

    def take(self) -> Key:
        """Return the one whose turn it is; it is at work from now on."""
        key = next(iter(self.turns))
        self.at_work[key] = self.turns.pop(key)
        return key

    def take_one(self, *, rather_not: Container[Key]) -> Key | None:
        """Return the first that waits, at work from now on: one of ``rather_not`` only if there is no other."""
        waiting = (*self.turns, *self.gathering)
        key = next((key for key in waiting if key not in rather_not), waiting[0] if waiting else None)
        if key is not None:
            self.at_work[key] = (self.turns if key in self.turns else self.gathering).pop(key)
        return key

    def take_all(self) -> tuple[Key, ...]:
        """Return all that gather; they are at work from now on."""
        taken = tuple(self.gathering)
        self.at_work.update(self.gathering)
        self.gathering.clear()
        return taken

    def done(self, key: Key) -> None:
        """Take the Rollout away from those at work."""
        self.at_work.pop(key, None)

    def all(self) -> Places:
        """Return all that wait or are worked on; may be called beside the loop."""
        return {**self.asleep.copy(), **self.gathering.copy(), **self.turns.copy(), **self.at_work.copy()}
