"""Counting over a window: how many requests, and bad ones, one backend had in the last so many seconds.

For the health of a backend, which is judged by itself; the judge compares two and counts in
``rollout.analysis.counters``. Differences per series, never rates, with the same rules: a reset counts from
zero, and a series that is born while its instance was being scraped counts in full.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from rollout.analysis.samples import Family, Series


@dataclass(frozen=True, slots=True)
class Window:
    """Requests and bad ones since ``since``, up to the newest sample at ``at`` (Unix seconds)."""

    total: int
    bad: int
    since: float
    at: float


def counted(family: Family, *, since: float, until: float) -> Window | None:
    """Return what ``family`` counted after ``since`` and up to ``until``, or None when it has no sample there.

    The samples should reach back to one at or before ``since`` for each series. Bad requests that are
    counted in several ways are those of the way that counted most.
    """
    times = [at for series in family.total for at, _ in series.samples if since < at <= until]
    if not times:
        return None
    scraped = _scraped_since((*family.total, *family.part))
    total = sum(_increase(series, scraped, since=since, until=until) for series in family.total)
    ways: defaultdict[int, float] = defaultdict(float)
    for series in family.part:
        ways[series.way] += _increase(series, scraped, since=since, until=until)
    part = max(ways.values(), default=0.0)
    bad = total - part if family.part_is_good else part
    return Window(round(total), round(bad), since, max(times))


def _scraped_since(many: Sequence[Series]) -> dict[str, float]:
    """Return when each instance was first seen, by any of its series."""
    found: dict[str, float] = {}
    for series in many:
        if series.samples:
            found[series.instance] = min(found.get(series.instance, inf), series.samples[0][0])
    return found


def _increase(series: Series, scraped: dict[str, float], *, since: float, until: float) -> float:
    before: float | None = None
    increase = 0.0
    for at, value in series.samples:
        if at > until:
            break
        if before is None:
            newborn = at > since and scraped[series.instance] < at
            increase += value if newborn else 0.0
        elif at > since:
            increase += value - before if value >= before else value
        before = value
    return increase
