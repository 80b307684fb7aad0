"""Whether it is a quiet hour for a sink; looked up again with each minute, or when it ends, only, since many ask."""

from __future__ import annotations

from typing import Protocol

from rollout.ports import Clock

_MINUTE = 60.0


class QuietTimes(Protocol):
    """The minutes that cron expressions name."""

    def until(self, at: float) -> float | None:
        """Return when the quiet at ``at`` (Unix seconds) ends; None: it is not quiet then."""
        ...


class Quiet:
    """The quiet hours of one sink."""

    def __init__(self, times: QuietTimes | None, clock: Clock) -> None:
        """Look into ``times``; None: it is never quiet."""
        self._times = times
        self._clock = clock
        self._known: tuple[float, float, float | None] = (0.0, 0.0, None)

    def seconds(self) -> float | None:
        """Return for how long it stays quiet; None: it is not quiet. May be called beside the loop."""
        if self._times is None:
            return None
        now = self._clock.now()
        since, until, ends = self._known
        if not since <= now < until:
            ends = self._times.until(now)
            self._known = (now, now - now % _MINUTE + _MINUTE if ends is None else ends, ends)
        return None if ends is None else max(ends - now, 0.0)
