"""An event loop in which waiting takes no time: when nothing is ready, the clock jumps to the next timer.

The shipped controller runs on it unmodified: ``asyncio.sleep``, time limits and timers all follow the
virtual clock. There is no real input or output behind it, so the same program takes the same turns in
the same order on every machine; a program that waits for a thread is told that it waits for ever. It
knows nothing of rollouts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


class DeadlockError(RuntimeError):
    """Nothing is ready and no timer is set: the program would wait for ever."""


class VirtualLoop(asyncio.BaseEventLoop):
    """A loop whose ``time()`` starts at 0 and moves only when there is nothing left to do at once."""

    def __init__(self) -> None:
        super().__init__()
        self._virtual_seconds = 0.0
        self._selector = _Leap(self._leap)

    def time(self) -> float:
        """Return the virtual seconds since the loop was made."""
        return self._virtual_seconds

    def _leap(self, seconds: float) -> None:
        self._virtual_seconds += seconds

    def _process_events(self, event_list: list[object]) -> None:
        """Do nothing: there are no files or sockets to hear from."""

    def _write_to_self(self) -> None:
        """Do nothing: the loop never sleeps, so it needs no waking."""


class _Leap:
    """Stands where a selector stands: asked to wait, it lets the time pass at once."""

    def __init__(self, leap: Callable[[float], None]) -> None:
        self._leap = leap

    def select(self, timeout: float | None) -> list[object]:
        """Let ``timeout`` seconds pass (None: until something comes, which nothing can)."""
        if timeout is None:
            raise DeadlockError("nothing is ready and no timer is set: everything waits for something that never comes")
        self._leap(max(0.0, timeout))
        return []


class VirtualClock:
    """The ``Clock`` port over a virtual loop, which began at ``began_at`` (Unix seconds)."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, began_at: float) -> None:
        self._loop = loop
        self._began_at = began_at

    def now(self) -> float:
        """Return Unix time in seconds."""
        return self._began_at + self._loop.time()

    def monotonic(self) -> float:
        """Return the virtual time in seconds."""
        return self._loop.time()


def run(main: Coroutine[Any, Any, Result]) -> Result:
    """Run ``main`` to its end in virtual time and return its result; tasks that are left are cancelled.

    Raises:
        DeadlockError: everything waits and nothing can come.
    """
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
