"""Bets: what an ``Analysis`` asks to be counted, with its tolerance and its share of the stake.

A check on errors is one bet, a check on slowness one for each bound. Made once for each analysis, read by
everything that judges counts. It must not know samples or evidence.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from rollout.analysis.samples import ERRORS, slower_than
from rollout.spec.analysis import Analysis, ErrorsCheck, Judge, SlowerThanCheck
from rollout.spec.quantities import format_duration

RATIO = 1.2
"""How many times stable's bad share is tolerated, unless the check says."""

ERROR_POINTS = 0.0002
"""Share of failed requests tolerated on top (0.02 points), unless the check says."""

SLOWNESS_POINTS = 0.001
"""Share of slow requests tolerated on top (0.1 points), unless the check says."""

_PERCENT = 100


@dataclass(frozen=True, slots=True)
class Bet:
    """One count of one check.

    ``count`` is the count id in a batch, ``key`` the name of its stream. ``bound`` is "" for errors,
    else how people write it (500ms). ``share`` is its part of the stake (0 to 1; all shares sum to 1;
    0 for a dry run or a threshold).
    """

    check: ErrorsCheck | SlowerThanCheck
    count: str
    key: str
    bound: str
    ratio: float
    points_fraction: float
    by_evidence: bool
    share: float = 0.0

    @property
    def of_errors(self) -> bool:
        """Return whether failed requests are counted, rather than slow ones."""
        return not self.bound

    @property
    def is_staked(self) -> bool:
        """Return whether its evidence takes part in the verdict."""
        return self.by_evidence and not self.check.dry_run


@lru_cache(maxsize=1024)
def bets_of(analysis: Analysis) -> tuple[Bet, ...]:
    """Return the bets of all checks on counts, in their order.

    Errors and slowness have half of the stake each, or all of it when alone; the checks of one kind
    share its part evenly, the bounds of one check share the check's.
    """
    bets = tuple(bet for check in analysis.checks for bet in _of_check(check, analysis.judge))
    staked = {(bet.check.kind, bet.check.name) for bet in bets if bet.is_staked}
    kinds = [kind for kind, _ in staked]
    return tuple(
        replace(bet, share=1 / (len(set(kinds)) * kinds.count(bet.check.kind) * _bounds(bet.check)))
        if bet.is_staked
        else bet
        for bet in bets
    )


def primary_of(bets: tuple[Bet, ...]) -> Bet | None:
    """Return the bet whose totals count the requests: errors before slowness, dry runs last; None without any."""
    return min(bets, key=lambda bet: (bet.check.dry_run, not bet.of_errors), default=None)


def _bounds(check: ErrorsCheck | SlowerThanCheck) -> int:
    return len(check.bounds) if isinstance(check, SlowerThanCheck) else 1


def _of_check(check: object, judge: Judge) -> Iterator[Bet]:
    if isinstance(check, ErrorsCheck):
        yield _bet(check, judge, count=ERRORS, points=ERROR_POINTS)
    elif isinstance(check, SlowerThanCheck):
        for bound in check.bounds:
            bet = _bet(check, judge, count=slower_than(bound), points=SLOWNESS_POINTS)
            yield replace(bet, bound=format_duration(bound))


def _bet(check: ErrorsCheck | SlowerThanCheck, judge: Judge, *, count: str, points: float) -> Bet:
    asked = check.tolerance
    return Bet(
        check=check,
        count=count,
        key=f"{check.name}/{count}",
        bound="",
        ratio=RATIO if asked.ratio is None else asked.ratio,
        points_fraction=points if asked.points is None else asked.points / _PERCENT,
        by_evidence=(check.judge or judge) is Judge.EVIDENCE,
    )
