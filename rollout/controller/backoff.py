"""How long to wait after a failure: longer each time up to a bound, and not all for equally long."""

from __future__ import annotations

FIRST_BACKOFF_SECONDS = 0.1
LONGEST_BACKOFF_SECONDS = 4.0
QUICK_TRIES = 3
"""How many conflicts in a row are tried again at once."""


def backoff(failures: int, chance: float, *, longest: float = LONGEST_BACKOFF_SECONDS) -> float:
    """Return the seconds to wait after so many failures in a row; a small ``chance`` (0 to 1) takes up to half away."""
    wait = min(longest, FIRST_BACKOFF_SECONDS * 2.0 ** min(failures, 16))
    return wait * (0.5 + chance / 2)
