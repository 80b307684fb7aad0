"""Seeded chance: exact binomial counts and shares of a lognormal latency, from uniform numbers alone.

Only ``random.Random.random`` is drawn from, whose sequence Python promises to keep, so that a seed means
the same requests on every version. One uniform number makes one count, however many requests it stands for.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

Z99 = 2.3263478740408408
"""How many standard deviations the 99th percentile of a normal distribution lies above its mean."""


class Chance:
    """One stream of chance, named by the seed and what it decides, so that streams do not disturb each other."""

    def __init__(self, seed: int, purpose: str) -> None:
        self._random = random.Random(f"{seed}/{purpose}")

    def uniform(self) -> float:
        """Return a number from 0 to 1, 1 itself left out."""
        return self._random.random()

    def below(self, limit: int) -> int:
        """Return a whole number from 0 to ``limit - 1``, each as likely."""
        return min(int(self._random.random() * limit), limit - 1)

    def hits(self, trials: int, probability: float) -> int:
        """Return how many of ``trials`` independent tries succeed, each with ``probability``."""
        if trials <= 0 or probability <= 0.0:
            return 0
        if probability >= 1.0:
            return trials
        return binomial(trials, probability, self._random.random())

    def split(self, trials: int, weights: Sequence[float]) -> list[int]:
        """Return how many of ``trials`` fall to each of ``weights``, each try independently and in proportion."""
        counts, left, weight_left = [], trials, float(sum(weights))
        for weight in weights:
            count = self.hits(left, weight / weight_left) if weight_left > 0 else 0
            counts.append(count)
            left, weight_left = left - count, weight_left - weight
        return counts


def binomial(trials: int, probability: float, uniform: float) -> int:
    """Turn one uniform number into a binomial count: from the mode outwards, each count takes its share of it.

    The number of turns grows with the standard deviation only, and no share is lost: it is exact.
    """
    mode = min(int((trials + 1) * probability), trials)
    odds = probability / (1.0 - probability)
    share_up = share_down = _mass(trials, probability, mode)
    uniform -= share_up
    up = down = mode
    while uniform >= 0.0 and (up < trials or down > 0):
        if up < trials:
            share_up *= (trials - up) / (up + 1) * odds
            up += 1
            uniform -= share_up
            if uniform < 0.0:
                return up
        if down > 0:
            share_down *= down / (trials - down + 1) / odds
            down -= 1
            uniform -= share_down
            if uniform < 0.0:
                return down
        if share_up == 0.0 and share_down == 0.0:
            break
    return mode


def _mass(trials: int, probability: float, count: int) -> float:
    """Return the probability of exactly ``count`` successes."""
    ways = math.lgamma(trials + 1) - math.lgamma(count + 1) - math.lgamma(trials - count + 1)
    return math.exp(ways + count * math.log(probability) + (trials - count) * math.log1p(-probability))


def slower_share(bound_seconds: float, *, p50_seconds: float, p99_seconds: float) -> float:
    """Return the share of a lognormal latency through these two percentiles that lies above ``bound_seconds``."""
    if bound_seconds <= 0.0:
        return 1.0
    distance = math.log(bound_seconds / p50_seconds)
    sigma = math.log(p99_seconds / p50_seconds) / Z99
    if sigma == 0.0:
        return 1.0 if distance < 0.0 else 0.0
    return 0.5 * math.erfc(distance / sigma / math.sqrt(2.0))
