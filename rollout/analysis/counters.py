"""From raw counters to ticks: how many requests, and bad ones, each arm had since the last look.

Differences per series, never rates: a rate extrapolates, and loses the first errors of a series
that is born with a value. Called by ``rollout.analysis.streams`` with an overlapping window each time:
what a tick has counted lies at or before its ``at``, so ``after`` is all that must be remembered, and
looking twice at the same samples counts nothing twice. It must not know checks or verdicts.

- A series counts ``v - prev``, or ``v`` after a reset (``v < prev``). One that appears later than another
  series of its instance counts in full, since the target was being scraped without it; else its first
  sample is the baseline.
- Nothing counts before both arms have been seen: until then samples only move the baselines.
- A sample that comes after its round is over (a scrape later than a whole interval) is left out,
  requests and bad ones alike; the next difference of its series starts from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf

from rollout.analysis.rounds import Count, Event, Moment, Tick, Track, cut
from rollout.analysis.samples import Family, Series
from rollout.errors import MeasurementError

__all__ = ["Count", "Tick", "check_tick", "ticks", "unchecked_ticks"]

_TOO_LARGE = 2.0**63
"""NaN, infinity, negative numbers and what no counter holds are not samples."""


def ticks(*, canary: Family, stable: Family, after: float | None, since: float | None = None) -> tuple[Tick, ...]:
    """Return the ticks in the samples that lie after ``after``, which is where the last one ended.

    ``since`` is the last tick's own ``since``: it tells which series took part in it (None at the first
    call, where ``after`` is the time up to which nothing counts, or None). The samples must reach back
    to one at or before ``after`` for each series.

    Raises:
        MeasurementError: more bad requests than requests in a tick.
    """
    found = unchecked_ticks(canary=canary, stable=stable, after=after, since=since)
    for tick in found:
        check_tick(tick, canary="canary", stable="stable")
    return found


def check_tick(tick: Tick, *, canary: str, stable: str) -> None:
    """Check that neither of the backends, named as given, has more bad requests than requests.

    Raises:
        MeasurementError: one has; the message names it and both numbers.
    """
    for name, (total, bad) in ((canary, tick.canary), (stable, tick.stable)):
        if bad > total:
            message = f"{name} has more bad requests than requests: {bad} of {total}"
            raise MeasurementError(message)
        if bad < 0:
            message = f"{name} has more requests within the bound than requests: {total - bad} of {total}"
            raise MeasurementError(message)


def unchecked_ticks(
    *, canary: Family, stable: Family, after: float | None, since: float | None = None
) -> tuple[Tick, ...]:
    """Return the ticks as ``ticks`` does, also those with impossible numbers."""
    if not (_is_newer(canary, after) and _is_newer(stable, after)):
        return ()
    tracks = [*_tracks(canary, of_canary=True, after=after), *_tracks(stable, of_canary=False, after=after)]
    start = _start(tracks, after)
    if start is None:
        return ()
    expected = _expected(tracks, start=start, newer_than=since if start == after else None)
    moments = _moments(tracks, start=start, after=after)
    return tuple(cut(moments, since=start, expected=expected, part_is_good=canary.part_is_good))


def _is_newer(family: Family, after: float | None) -> bool:
    """Return whether a total has a sample after ``after``: the quick answer for a look without news."""
    newest = max((series.samples[-1][0] for series in family.total if series.samples), default=-inf)
    return newest > (-inf if after is None else after)


def _tracks(family: Family, *, of_canary: bool, after: float | None) -> Iterator[Track]:
    parts = list(_clean(family.part, of_canary=of_canary, of_total=False, after=after))
    totals = _clean(family.total, of_canary=of_canary, of_total=True, after=after)
    if family.part_is_good:  # requests without the bucket of the bound would all look slow
        bounded = {(part.instance, part.pod) for part in parts}
        totals = (total for total in totals if (total.instance, total.pod) in bounded)
    yield from totals
    yield from parts


def _clean(many: Sequence[Series], *, of_canary: bool, of_total: bool, after: float | None) -> Iterator[Track]:
    for series in many:
        finite = [(at, round(value)) for at, value in series.samples if 0 <= value < _TOO_LARGE]
        if finite:
            samples = tuple(finite[_last_known(finite, after) :])
            yield Track(of_canary, of_total, series.instance, series.pod, finite[0][0], samples, series.way)


def _last_known(samples: list[tuple[float, int]], after: float | None) -> int:
    """Return the index of the last sample at or before ``after``, or 0 when there is none."""
    if after is None:
        return 0
    for index in range(len(samples) - 1, 0, -1):
        if samples[index][0] <= after:
            return index
    return 0


def _start(tracks: list[Track], after: float | None) -> float | None:
    """Return the time after which samples count: ``after``, or the last sample before both arms had been seen."""
    canary = min((track.oldest for track in tracks if track.of_total and track.of_canary), default=None)
    stable = min((track.oldest for track in tracks if track.of_total and not track.of_canary), default=None)
    if canary is None or stable is None:
        return None
    both = max(canary, stable)
    if after is not None and both <= after:
        return after
    return max((at for track in tracks for at, _ in track.samples if at < both), default=both)


def _expected(tracks: list[Track], *, start: float, newer_than: float | None) -> set[Track]:
    """Return the series that took part in the last round (at the first call: that have been seen)."""
    oldest = -inf if newer_than is None else newer_than
    return {track for track in tracks if any(oldest < at <= start for at, _ in track.samples)}


def _moments(tracks: list[Track], *, start: float, after: float | None) -> list[Moment]:
    """Return the samples after ``start``, those of one time together, in order."""
    scraped_since: dict[str, float] = {}
    for track in tracks:
        scraped_since[track.instance] = min(scraped_since.get(track.instance, inf), track.oldest)
    found: dict[float, list[Event]] = {}
    for track in tracks:
        for at, event in _differences(track, scraped_since=scraped_since[track.instance], after=after):
            if at > start:
                found.setdefault(at, []).append(event)
    return sorted(found.items(), key=lambda moment: moment[0])


def _differences(track: Track, *, scraped_since: float, after: float | None) -> Iterator[tuple[float, Event]]:
    first_at, value = track.samples[0]
    newborn = scraped_since < first_at and (after is None or first_at > after)
    yield first_at, Event(track, value if newborn else None, inf)
    previous_at, previous = first_at, value
    for at, value in track.samples[1:]:
        yield at, Event(track, value - previous if value >= previous else value, previous_at)
        previous_at, previous = at, value
