"""Sinks of which nothing is known but what a test says."""

from rollout.engine.observation import Cursor
from rollout.errors import NotOursError, RolloutError
from rollout.ports import Key
from rollout.signals import SinkStanding


class FakeDesk:
    """``NoticeDesk`` in memory; ``failure`` is what a trial ends with.

    ``tried`` is whom a trial was sent to and by whom, ``asked`` how often one was asked for.
    """

    def __init__(self, *known: SinkStanding) -> None:
        """Have these sinks."""
        self.known = known
        self.cursors: dict[Key, tuple[Cursor, ...]] = {}
        self.failure: RolloutError | None = None
        self.tried: list[tuple[str, str]] = []
        self.asked = 0

    def standings(self) -> tuple[SinkStanding, ...]:
        """Return those that there are."""
        return self.known

    def told(self, key: Key) -> tuple[Cursor, ...]:
        """Return what the test has said."""
        return self.cursors.get(key, ())

    async def trial(self, sink: str, *, by: str) -> None:
        """Remember the trial.

        Raises:
            NotOursError: there is no such sink.
            RolloutError: ``failure``.
        """
        self.asked += 1
        if sink not in {one.name for one in self.known}:
            raise NotOursError(f"there is no sink {sink}")
        if self.failure is not None:
            raise self.failure
        self.tried.append((sink, by))
