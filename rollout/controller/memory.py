"""Memory: what ten thousand Rollouts keep for ever is looked at by the garbage collector no more.

Python's full collections walk through every object alive; with five million of them one takes more
than a second, in which no pass runs. What is there once all Rollouts are under way lives as long as
they do, and is freed by its count of references, not by the collector.
"""

from __future__ import annotations

import gc

FEWEST = 500
PASSES_EACH = 4


class Settling:
    """Decides when what is alive is settled: after some passes of each, and again when their number has doubled."""

    def __init__(self) -> None:
        """Begin with nothing settled."""
        self._settled = FEWEST / 2
        self._since = 0

    def look(self, *, rollouts: int, passes: int) -> bool:
        """Settle memory if it is time (then return True): ``passes`` is how many there have been in all."""
        if rollouts < 2 * self._settled:
            self._since = passes
            return False
        if passes - self._since < PASSES_EACH * rollouts:
            return False
        self._settled = rollouts
        gc.collect(1)
        gc.freeze()
        return True
