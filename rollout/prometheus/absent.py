"""The port ``Measurements`` where no Prometheus is set: every question is answered with that.

Used by the kubernetes runtime, which has no other source. An attempt that has nothing to judge goes on; any other one
holds and says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from rollout.errors import Unavailable
from rollout.ports import Ask

WHY = "no Prometheus is set (--prometheus, ROLLOUT_PROMETHEUS)"


class NoPrometheus:
    """No source of counters."""

    replays = True

    async def measure(self, ask: Ask) -> NoReturn:
        """Say that there is nobody to ask.

        Raises:
            Unavailable: always.
        """
        del ask
        raise Unavailable(WHY)

    def checkpoint(self, ask: Ask) -> Mapping[str, object]:
        """Return nothing: nothing was measured."""
        del ask
        return {}
