"""Whether it is a quiet hour for a sink; looked up again with each minute only, since many ask."""

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
        self._from = self._to = 0.0
        self._ends: float | None = None

    def seconds(self) -> float | None:
        """Return for how long it stays quiet; None: it is not quiet."""
        if self._times is None:
            return None
        now = self._clock.now()
        if not self._from <= now < self._to:
            self._ends = self._times.until(now)
            self._from, self._to = now, now - now % _MINUTE + _MINUTE
        return None if self._ends is None else max(self._ends - now, 0.0)

    def is_quiet(self) -> bool:
        """Return whether it is quiet now; may be called beside the loop."""
        return self._times is not None and self._times.until(self._clock.now()) is not None
