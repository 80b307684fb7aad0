"""How long to wait after a failure: longer each time up to a bound, and not all for equally long."""

from __future__ import annotations

from rollout.engine.state import State
from rollout.engine.table import Phase
from rollout.engine.tiers import is_frozen
from rollout.errors import PermanentError, RolloutError

FIRST_BACKOFF_SECONDS = 0.1
LONGEST_BACKOFF_SECONDS = 4.0
LONGEST_REFUSED_SECONDS = 240.0
"""What does not work by trying again is tried again all the same, this rarely at last: somebody may have mended it."""

RECORD_SECONDS = 3.0
QUICK_RECORDS = 30
"""A record that is refused although its weights were written is tried so often before the waits grow: for a minute."""

QUICK_TRIES = 3
"""How many conflicts in a row are tried again at once."""


def backoff(failures: int, chance: float, *, longest: float = LONGEST_BACKOFF_SECONDS) -> float:
    """Return the seconds to wait after so many failures in a row; a small ``chance`` (0 to 1) takes up to half away."""
    wait = min(longest, FIRST_BACKOFF_SECONDS * 2.0 ** min(failures, 16))
    return wait * (0.5 + chance / 2)


def longest_after(error: RolloutError, state: State | None) -> float:
    """Return the longest wait after this failure of a pass: short as long as traffic may have to leave a backend."""
    urgent = state is not None and (state.phase in {Phase.ABORTING, Phase.ABORTED} or is_frozen(state))
    return LONGEST_REFUSED_SECONDS if isinstance(error, PermanentError) and not urgent else LONGEST_BACKOFF_SECONDS


def record_wait(tries: int, chance: float, *, refused: bool) -> float:
    """Return the seconds until a record is tried again that failed so often in a row, the last time for good or not."""
    grown = RECORD_SECONDS * 2.0 ** min(max(0, tries - QUICK_RECORDS), 16)
    wait = min(LONGEST_REFUSED_SECONDS, grown) if refused else RECORD_SECONDS
    return wait * (0.5 + chance / 2)
