"""The real clock, behind the port ``Clock``.

Given to everything that needs the time, so that tests and rehearsals can put another in its place.
"""

from __future__ import annotations

import time


class SystemClock:
    """The time of this machine."""

    def now(self) -> float:
        """Return Unix time in seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()
