"""Does the gateway really serve the weights that the route says?

Requests counted per backend since the last weight change against the intended share. The test is
strict (one in a million per look): looks repeat, and retries, stickiness and long streams bend the
shares of a healthy gateway. Called by the engine; it must not know what is done about the answer.
"""

from __future__ import annotations

from enum import StrEnum
from math import inf, log

LEAST_REQUESTS = 200
"""Fewer requests than this say nothing."""

CHANCE = 1e-6
"""Chance per look at which a gateway that serves the weights is called different."""

BLOCKING_FACTOR = 3
"""A share that is off by more than this factor blocks a step."""


class Agreement(StrEnum):
    """Whether the counted share agrees with the intended one."""

    UNKNOWN = "Unknown"
    AGREES = "Agrees"
    DIFFERS = "Differs"
    BLOCKS = "Blocks"


def share_agrees(canary: int, stable: int, share: float) -> Agreement:
    """Return whether ``canary`` of all requests agrees with the intended ``share`` (0 to 1).

    Two-sided binomial test by the Chernoff bound ``2 exp(-n KL(observed || intended))``, which is
    never more eager than the exact test. ``Blocks`` is a difference by more than a factor of three.
    """
    requests = canary + stable
    if requests < LEAST_REQUESTS:
        return Agreement.UNKNOWN
    observed = canary / requests
    if requests * _divergence(observed, share) <= log(2 / CHANCE):
        return Agreement.AGREES
    if share / BLOCKING_FACTOR <= observed <= share * BLOCKING_FACTOR:
        return Agreement.DIFFERS
    return Agreement.BLOCKS


def _divergence(observed: float, intended: float) -> float:
    """Return the Kullback-Leibler divergence of two shares, in nats."""
    return _part(observed, intended) + _part(1 - observed, 1 - intended)


def _part(observed: float, intended: float) -> float:
    if observed <= 0:
        return 0.0
    return observed * log(observed / intended) if intended > 0 else inf
