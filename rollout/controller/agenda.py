"""The agenda: one heap of due times for all Rollouts, with a wake-up for what is due sooner.

Per-Rollout timers stay out of the calendar: ten thousand of them cost nothing here.
"""

from __future__ import annotations

import asyncio
import heapq
from itertools import count

from rollout.ports import Key


class Agenda:
    """Due times (monotonic seconds) by key; of two for one key the earlier stands."""

    __slots__ = ("_due", "_heap", "_numbers", "_wake")

    def __init__(self) -> None:
        """Begin with nothing due."""
        self._heap: list[tuple[float, int, Key]] = []
        self._due: dict[Key, float] = {}
        self._numbers = count()
        self._wake = asyncio.Event()

    def put(self, key: Key, at: float) -> None:
        """Let ``key`` be due at ``at``, unless it is due sooner already."""
        if self._due.get(key, float("inf")) <= at:
            return
        self._due[key] = at
        heapq.heappush(self._heap, (at, next(self._numbers), key))
        if self._heap[0][2] == key:
            self._wake.set()

    def pop(self, now: float) -> list[tuple[float, Key]]:
        """Take out what is due at ``now``, as (due time, key), earliest first."""
        due = []
        while self._heap and self._heap[0][0] <= now:
            at, _, key = heapq.heappop(self._heap)
            if self._due.get(key) == at:
                del self._due[key]
                due.append((at, key))
        return due

    async def wait(self, now: float) -> None:
        """Return when something may be due: its time has come, or something was put in front of it."""
        self._wake.clear()
        timeout = max(0.0, self._heap[0][0] - now) if self._heap else None
        try:
            async with asyncio.timeout(timeout):
                await self._wake.wait()
        except TimeoutError:
            return
