"""Shares of the tiers: Envoy's priority formula, mixtures of two distributions, and the split inside tier 0.

Whole percentages. A distribution (``Shares``) names the backups that have some; tier 0, the stable
and canary roles together, has the rest. So shares always sum to 100 and are never all zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

ALL = 100

Shares = tuple[tuple[str, int], ...]
"""(backup, percent from 1 to 100) in order of preference; what they leave is tier 0's."""

PRIMARY = ""
"""The name of tier 0 where a backend is named; a backend has a longer one."""


@dataclass(frozen=True, slots=True)
class Tier:
    """The targets of one tier: ``healthy`` and ``degraded`` ones out of ``total``."""

    healthy: int
    total: int
    degraded: int = 0


def spill(tiers: Sequence[Tier], overprovisioning: int = 140) -> tuple[int, ...]:
    """Return the percentage of each tier by Envoy's priority formula: integer arithmetic, divisions floor.

    Without a healthy or degraded target everything goes to tier 0. ``spill((Tier(1, 2), Tier(1, 1)))`` is
    ``(70, 30)``.
    """
    healthy = [_capacity(tier.healthy, tier.total, overprovisioning) for tier in tiers]
    degraded = [_capacity(tier.degraded, tier.total, overprovisioning) for tier in tiers]
    total = min(ALL, sum(healthy) + sum(degraded))
    shares = [0] * len(tiers)
    if total == 0:
        shares[0] = ALL
        return tuple(shares)
    rest = ALL
    for capacities in (healthy, degraded):
        for place, capacity in enumerate(capacities):
            given = min(rest, capacity * ALL // total)
            shares[place] += given
            rest -= given
    shares[_first_above_zero(healthy if any(healthy) else degraded)] += rest
    return tuple(shares)


def _capacity(good: int, total: int, overprovisioning: int) -> int:
    return min(ALL, overprovisioning * good // total) if total else 0


def _first_above_zero(numbers: Sequence[int]) -> int:
    return next(place for place, number in enumerate(numbers) if number > 0)


def spill_beside(
    tiers: Sequence[Tier], fixed: Sequence[int | None], overprovisioning: int = 140
) -> tuple[int, ...] | None:
    """Return the formula's shares where some are ``fixed`` (percent; None: free).

    The free tiers share what the fixed ones leave, as the formula has it; None when none of them can take any.
    """
    free = [tier if given is None else Tier(0, 0) for tier, given in zip(tiers, fixed, strict=True)]
    rest = ALL - sum(given or 0 for given in fixed)
    able = [_capacity(tier.healthy + tier.degraded, tier.total, overprovisioning) > 0 for tier in free]
    if rest and not any(able):
        return None
    scaled = apportioned([share * rest for share in spill(free, overprovisioning)], ALL) if rest else (0,) * len(free)
    return tuple(share if given is None else given for share, given in zip(scaled, fixed, strict=True))


def apportioned(parts: Sequence[int], divisor: int) -> tuple[int, ...]:
    """Divide each of ``parts`` so that the sum stays, by largest remainder; their sum is a multiple of ``divisor``.

    What is 0 stays 0.
    """
    whole = [part // divisor for part in parts]
    left = sum(parts) // divisor - sum(whole)
    for place in sorted(range(len(parts)), key=lambda place: (-(parts[place] % divisor), place))[:left]:
        whole[place] += 1
    return tuple(whole)


def share_of(shares: Shares, name: str) -> int:
    """Return the percentage of the backup ``name``, or of tier 0 (``PRIMARY``)."""
    return dict(shares).get(name, 0) if name else ALL - sum(percent for _, percent in shares)


def from_tiers(names: Sequence[str], percents: Sequence[int]) -> Shares:
    """Return the distribution that gives these backups these percentages, those above zero."""
    return tuple((name, percent) for name, percent in zip(names, percents, strict=True) if percent > 0)


def mixed(origin: Shares, goal: Shares, percent: int) -> Shares:
    """Return the way from ``origin`` to ``goal`` after ``percent`` of it."""
    names = tuple(dict.fromkeys(name for name, _ in (*goal, *origin)))
    parts = [share_of(origin, name) * (ALL - percent) + share_of(goal, name) * percent for name in (PRIMARY, *names)]
    return from_tiers(names, apportioned(parts, ALL)[1:])


def spread(names: Sequence[str]) -> Shares:
    """Return equal shares for tier 0 and these backups; what cannot be divided is tier 0's."""
    return tuple((name, ALL // (len(names) + 1)) for name in names)


def by_backend(shares: Shares, *, stable: str, canary: str, split: float) -> dict[str, float]:
    """Return the percentage of each backend above zero; ``split`` is the canary's percentage of tier 0."""
    first = float(share_of(shares, PRIMARY))
    found = {canary: first * split / ALL, stable: first * (ALL - split) / ALL}
    found.update((name, float(percent)) for name, percent in shares)
    return {name: percent for name, percent in found.items() if percent > 0}
