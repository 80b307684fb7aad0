"""Rounds: samples of many series, scraped at different moments, cut into ticks of both arms.

A round is over when every series that took part in the last one has a new sample and both arms have
one; or, so that a series that vanished stops nothing, just before a series would be counted twice.
Used by ``rollout.analysis.counters``, which makes the differences; nothing else should use it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import NamedTuple


class Count(NamedTuple):
    """Requests, and the bad ones among them."""

    total: int
    bad: int


class Tick(NamedTuple):
    """One new sample of both arms: what they counted after ``since`` and up to ``at`` (Unix seconds).

    ``covers_from`` is the time of the oldest baseline in it: scrapes are not simultaneous, so a tick
    reaches a little behind ``since``. ``stable_pods`` is empty where the pods cannot be told apart.
    """

    since: float
    at: float
    canary: Count
    stable: Count
    stable_pods: tuple[tuple[str, Count], ...] = ()
    covers_from: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """One series: which arm, total or part, and its clean samples (Unix seconds, count) in order of time.

    ``oldest`` is the time of its first sample in the window, also when that is not in ``samples``.
    """

    of_canary: bool
    of_total: bool
    instance: str
    pod: str
    oldest: float
    samples: tuple[tuple[float, int], ...]
    way: int = 0


class Event(NamedTuple):
    """A new sample: what its series counted since ``baseline_at`` (None: the sample is itself a baseline)."""

    track: Track
    counted: int | None
    baseline_at: float


Moment = tuple[float, Sequence[Event]]
"""All new samples of one time."""


@dataclass(slots=True)
class Round:
    """What has been counted since the last tick."""

    counted: set[Track] = field(default_factory=set)
    seen: set[Track] = field(default_factory=set)
    arms: set[bool] = field(default_factory=set)
    totals: dict[bool, int] = field(default_factory=dict)
    parts: dict[bool, dict[int, int]] = field(default_factory=dict)
    pod_totals: dict[str, int] = field(default_factory=dict)
    pod_parts: dict[str, dict[int, int]] = field(default_factory=dict)
    covers_from: float = inf

    @property
    def has_both_arms(self) -> bool:
        """Return whether canary and stable each have a new sample."""
        return len(self.arms) == 2  # noqa: PLR2004 - canary and stable

    def add(self, event: Event) -> None:
        """Count one sample."""
        track, counted, baseline_at = event
        self.seen.add(track)
        if counted is None:
            return
        if not track.of_total:
            _add_part(self.parts.setdefault(track.of_canary, {}), track.way, counted)
            if not track.of_canary:
                _add_part(self.pod_parts.setdefault(track.pod, {}), track.way, counted)
            return
        self.totals[track.of_canary] = self.totals.get(track.of_canary, 0) + counted
        if not track.of_canary:
            self.pod_totals[track.pod] = self.pod_totals.get(track.pod, 0) + counted
        self.counted.add(track)
        self.arms.add(track.of_canary)
        self.covers_from = min(self.covers_from, baseline_at)

    def would_repeat(self, events: Sequence[Event]) -> bool:
        """Return whether one of the totals would be counted a second time although both arms are there."""
        return self.has_both_arms and any(event.track in self.counted for event in events)

    def is_whole(self, expected: set[Track]) -> bool:
        """Return whether both arms are there and all expected series have been seen."""
        return self.has_both_arms and expected <= self.seen


def _add_part(parts: dict[int, int], way: int, counted: int) -> None:
    parts[way] = parts.get(way, 0) + counted


def cut(moments: Sequence[Moment], *, since: float, expected: set[Track], part_is_good: bool) -> Iterator[Tick]:
    """Yield the ticks in ``moments`` (in order of time, all after ``since``); an unfinished round is left for later."""
    current, before = Round(), since
    for at, events in moments:
        if current.would_repeat(events):
            yield _tick(current, since=since, at=before, part_is_good=part_is_good)
            current, since, expected = Round(), before, current.seen
        for event in events:
            current.add(event)
        if current.is_whole(expected):
            yield _tick(current, since=since, at=at, part_is_good=part_is_good)
            current, since, expected = Round(), at, current.seen
        before = at


def _tick(done: Round, *, since: float, at: float, part_is_good: bool) -> Tick:
    def count(total: int, parts: Mapping[int, int] | None) -> Count:
        part = max(parts.values()) if parts else 0
        return Count(total, total - part if part_is_good else part)

    names = sorted({*done.pod_totals, *done.pod_parts})
    pods = [(name, count(done.pod_totals.get(name, 0), done.pod_parts.get(name))) for name in names]
    return Tick(
        since=since,
        at=at,
        canary=count(done.totals[True], done.parts.get(True)),
        stable=count(done.totals[False], done.parts.get(False)),
        stable_pods=() if "" in names else tuple(pods),
        covers_from=min(done.covers_from, at),
    )
