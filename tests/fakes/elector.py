"""Electors without Leases: a test says who acts for what, passing the contract of ``Elector``."""

from __future__ import annotations

from collections.abc import Callable

from rollout.ports import Key


class FakeElector:
    """``Elector`` in memory: it holds every key, or only ``keys``, until it loses them.

    ``is_late`` is what the real one is when its loop stood still: the deadline has passed, and nobody was told.
    """

    def __init__(self, *keys: Key, everything: bool = False) -> None:
        self.is_late = False
        self._everything = everything
        self._keys = set(keys)
        self._listeners: list[Callable[[], None]] = []

    def holds(self, key: Key) -> bool:
        """Return whether we may act for the Rollout."""
        return not self.is_late and (self._everything or key in self._keys)

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` after every loss and every gain."""
        self._listeners.append(listener)

    def gain(self, *keys: Key) -> None:
        """Hold these, too (none: everything)."""
        self.is_late = False
        self._everything = self._everything or not keys
        self._keys.update(keys)
        self._tell()

    def lose(self, *keys: Key) -> None:
        """Hold these no more (none: nothing)."""
        self.is_late = False
        self._everything = False
        self._keys = self._keys.difference(keys) if keys else set()
        self._tell()

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()


class FakeElection:
    """Electors of which one holds everything: the first that joined of those that are there."""

    def __init__(self) -> None:
        self._there: list[FakeElector] = []

    def join(self) -> FakeElector:
        """Return one more."""
        joined = FakeElector()
        self._there.append(joined)
        if self._there[0] is joined:
            joined.gain()
        return joined

    def leave(self, elector: FakeElector) -> None:
        """Let one go; who comes next has everything."""
        self._there.remove(elector)
        elector.lose()
        if self._there:
            self._there[0].gain()
