"""How a service of the demo answers: how fast, how often badly, and as which revision.

A value that the demo sends to a service (``rollout.demo.service``) to deploy a revision. The base
latency is chosen for Envoy's default histogram buckets (25, 50, 100 ms): half of a good revision's
answers take 20 ms or less and 1 in 100 more than 60 ms, so that one that is three times slower
stands out at the bounds 50 and 100 ms.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from random import Random

P50_SECONDS = 0.020
"""Half of the answers of a good revision take no longer."""

P99_SECONDS = 0.060
"""99 of 100 answers of a good revision take no longer."""

SLOW_SECONDS = 0.050
"""An answer that takes longer counts as slow; also the first bound of the demo's latency check."""

_Z99 = 2.3263478740408408
_MU = math.log(P50_SECONDS)
_SIGMA = math.log(P99_SECONDS / P50_SECONDS) / _Z99


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What a revision does: ``error_share`` (0 to 1) of its answers fail, all take ``latency_factor`` times as long."""

    revision: str
    error_share: float = 0.0
    latency_factor: float = 1.0

    def draw_latency_seconds(self, chance: Random) -> float:
        """Return how long one answer takes."""
        return chance.lognormvariate(_MU, _SIGMA) * self.latency_factor

    def draw_error(self, chance: Random) -> bool:
        """Return whether one answer is an error."""
        return chance.random() < self.error_share

    def to_wire(self) -> dict[str, object]:
        """Return the behaviour as JSON has it."""
        return asdict(self)


def behaviour_from_wire(wire: Mapping[str, object]) -> Behaviour:
    """Return the behaviour that ``to_wire`` wrote.

    Raises:
        KeyError, ValueError: it is not one.
    """
    return Behaviour(str(wire["revision"]), float(str(wire["error_share"])), float(str(wire["latency_factor"])))
