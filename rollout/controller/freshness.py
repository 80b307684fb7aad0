"""Freshness: readings grow old, and become known again, without anybody telling; then a pass is due.

After each pass it is noted what the readings of its Rollout said. When the first of them would be too old they are read
again, and mostly say the same, which costs a small part of a pass; only what is something else wakes the Rollout. What
is Unknown is looked at again all the time, since silence that ends is no event. Used by ``rollout.controller.vitals``.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Iterable, Sequence
from itertools import count

from rollout.failover.health import Health, Reading, aged
from rollout.ports import Clock, Key

AGAIN_SECONDS = 5.0
"""So long after it was found Unknown a reading is looked at again."""

SOONEST_SECONDS = 0.05

AT_ONCE = 64
"""So many Rollouts are looked at in one turn of the loop at most."""

Gist = tuple[tuple[Health, int, int], ...]


class Freshness:
    """Looks again at what ``read`` returns for a Rollout (None: it is not kept any more), and wakes it for news."""

    def __init__(
        self, read: Callable[[Key], Sequence[Reading] | None], clock: Clock, wake: Callable[[Iterable[Key]], None]
    ) -> None:
        """Begin with nothing noted; ``clock`` gives the Unix seconds of readings."""
        self._read = read
        self._clock = clock
        self._wake = wake
        self._noted: dict[Key, tuple[float, Gist]] = {}
        self._due: list[tuple[float, int, Key]] = []
        self._numbers = count()
        self._timer: asyncio.TimerHandle | None = None

    def note(self, key: Key, readings: Sequence[Reading]) -> None:
        """Note what a pass saw at this moment."""
        now = self._clock.now()
        self._put(key, now, _gist(readings, now), readings)

    def drop(self, key: Key) -> None:
        """Look at this Rollout no more."""
        self._noted.pop(key, None)

    def stop(self) -> None:
        """Look at nothing any more."""
        self._noted.clear()
        self._due.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _put(self, key: Key, now: float, gist: Gist, readings: Sequence[Reading]) -> None:
        known = (one.expires_at - now for one in readings if aged(one, now).health is not Health.UNKNOWN)
        wait = min(known, default=AGAIN_SECONDS)
        if any(health is Health.UNKNOWN for health, _, _ in gist):
            wait = min(wait, AGAIN_SECONDS)
        due = asyncio.get_running_loop().time() + max(SOONEST_SECONDS, wait)
        self._noted[key] = (due, gist)
        heapq.heappush(self._due, (due, next(self._numbers), key))
        if self._due[0][0] == due:
            self._set()

    def _set(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(self._due[0][0], self._ring) if self._due else None

    def _ring(self) -> None:
        loop_now, left = asyncio.get_running_loop().time(), AT_ONCE
        while self._due and self._due[0][0] <= loop_now and left:
            due, _, key = heapq.heappop(self._due)
            noted = self._noted.get(key)
            if noted is not None and noted[0] == due:
                left -= 1
                self._look(key, noted[1])
        self._set()

    def _look(self, key: Key, before: Gist) -> None:
        readings, now = self._read(key), self._clock.now()
        if readings is None:
            self.drop(key)
            return
        gist = _gist(readings, now)
        self._put(key, now, gist, readings)
        if gist != before:
            self._wake((key,))


def _gist(readings: Sequence[Reading], now: float) -> Gist:
    counted = (aged(reading, now) for reading in readings)
    return tuple((reading.health, reading.healthy, reading.total) for reading in counted)
