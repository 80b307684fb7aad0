"""When each target is asked next: a heap of times, and one timer of the loop for the earliest.

Each target has its own place in the interval, which follows from its name: many targets spread evenly, and stay so. A
turn that was missed is left out, never made up for.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from zlib import crc32

AT_ONCE = 64
"""So many are begun in one turn of the loop at most, so that answers are read in between."""


@dataclass(slots=True, order=True)
class Turn:
    """The next turn of one who is called every ``interval`` seconds; ``due`` is of the loop's clock."""

    due: float
    number: int
    interval: float = field(compare=False)
    begin: Callable[[], None] = field(compare=False)
    ended: bool = field(default=False, compare=False)


class Agenda:
    """Calls many at intervals; ``late`` hears by how many seconds each call came too late."""

    def __init__(self, late: Callable[[float], None]) -> None:
        """Begin with an empty agenda."""
        self._late = late
        self._turns: list[Turn] = []
        self._numbers = 0
        self._timer: asyncio.Handle | None = None

    def add(self, name: str, interval: float, begin: Callable[[], None]) -> Turn:
        """Call ``begin`` every ``interval`` seconds; where in the interval follows from ``name``."""
        loop = asyncio.get_running_loop()
        now, phase = loop.time(), crc32(name.encode()) / 2**32 * interval
        due = now + (phase - now) % interval
        self._numbers += 1
        turn = Turn(due, self._numbers, interval, begin)
        heapq.heappush(self._turns, turn)
        if self._turns[0] is turn:
            self._set(loop)
        return turn

    def close(self) -> None:
        """Call nobody any more."""
        self._turns.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_at(self._turns[0].due, self._ring, loop) if self._turns else None

    def _ring(self, loop: asyncio.AbstractEventLoop) -> None:
        now, left = loop.time(), AT_ONCE
        while self._turns and self._turns[0].due <= now and left:
            turn = self._turns[0]
            if turn.ended:
                heapq.heappop(self._turns)
                continue
            left -= 1
            self._late(now - turn.due)
            turn.due += turn.interval * (1 + (now - turn.due) // turn.interval)
            heapq.heapreplace(self._turns, turn)
            turn.begin()
        self._set(loop)
