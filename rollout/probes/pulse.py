"""How much time the loop stood still: a process that does not look at its sockets sees every target time out.

A beat comes every 20 ms; what it comes too late by is time in which nothing could be heard. Also a process that was
stopped and continued is found out this way.
"""

from __future__ import annotations

import asyncio
from collections import deque

BEAT_SECONDS = 0.02
NOTICED_SECONDS = 0.01
"""Less than this is the usual unrest of a loop."""

MOST_STALLS = 256


class Pulse:
    """The beats of the running loop; ``start`` before use, ``stop`` at the end."""

    def __init__(self) -> None:
        """Begin without a beat."""
        self._stalls: deque[tuple[float, float]] = deque(maxlen=MOST_STALLS)
        self._expected = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to beat."""
        self._expect(asyncio.get_running_loop())

    def stop(self) -> None:
        """End."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def stalled_since(self, began: float) -> float:
        """Return for how many seconds since ``began`` (of the loop's clock) the loop stood still."""
        if self._timer is None:
            return 0.0
        now = asyncio.get_running_loop().time()
        stalls = [*self._stalls, (self._expected, now)]
        lost = (ended - max(stopped, began) for stopped, ended in stalls if ended > began)
        return sum(seconds for seconds in lost if seconds >= NOTICED_SECONDS)

    def _expect(self, loop: asyncio.AbstractEventLoop) -> None:
        self._expected = loop.time() + BEAT_SECONDS
        self._timer = loop.call_at(self._expected, self._beat, loop)

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        if now - self._expected >= NOTICED_SECONDS:
            self._stalls.append((self._expected, now))
        self._expect(loop)
