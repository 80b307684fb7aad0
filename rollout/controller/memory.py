"""Memory: what is kept for ever is looked at by the garbage collector no more, so that no pass waits for it.

Python's full collections walk through every object alive. What a program has imported and made when it begins to serve
takes a tenth of a second, just when a failover makes new objects; with the five million of ten thousand Rollouts one
takes more than a second. What is there then lives as long as the program or the Rollouts do, and is freed by its count
of references, not by the collector. Called by the controller, and by whoever has a process of its own.
"""

from __future__ import annotations

import gc

FEWEST = 500
PASSES_EACH = 4


def settle_all() -> None:
    """Settle what is alive in this process now, after all that is garbage was freed."""
    gc.collect()
    gc.freeze()


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
