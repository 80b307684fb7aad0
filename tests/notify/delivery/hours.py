"""Time without waiting: a loop whose clock jumps to the next thing that is due as soon as nothing else is to do."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import TypeVar

T = TypeVar("T")

BEGIN = 1_800_000_000.0
"""Unix seconds at which each play begins: a Friday, 08:00 UTC."""


class _Skipping(selectors.SelectSelector):
    """A selector that never waits: it says how long it would have waited."""

    def __init__(self) -> None:
        super().__init__()
        self.skipped = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Look, and let the time pass that was to be waited for."""
        assert timeout is not None, "everything waits for something that never comes"
        self.skipped += max(0.0, timeout)
        return super().select(0)


class _Loop(asyncio.SelectorEventLoop):
    """A loop that lives in the time of its selector."""

    def __init__(self) -> None:
        self._skipping = _Skipping()
        super().__init__(self._skipping)

    def time(self) -> float:
        """Return the seconds that passed."""
        return self._skipping.skipped


class LoopClock:
    """``Clock`` of the loop that runs."""

    def now(self) -> float:
        """Return Unix seconds."""
        return BEGIN + self.monotonic()

    def monotonic(self) -> float:
        """Return seconds since the play began."""
        return asyncio.get_running_loop().time()


def loop_of_hours() -> asyncio.AbstractEventLoop:
    """Return a new loop in which hours take no time."""
    return _Loop()


def play(story: Coroutine[None, None, T]) -> T:
    """Run a story to its end; hours in it take no time."""
    with asyncio.Runner(loop_factory=loop_of_hours) as runner:
        return runner.run(story)
