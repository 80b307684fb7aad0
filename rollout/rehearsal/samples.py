"""What a metrics source has seen: raw samples per pod, as Prometheus would keep them for an hour.

Fed by ``rollout.rehearsal.traffic`` at each scrape, read by ``rollout.rehearsal.source``. Sample times are
Unix seconds.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from math import inf

from rollout.analysis.samples import ERRORS, Family, Series, slower_than
from rollout.rehearsal.traffic import Counts, Service

KEPT_SECONDS = 3600.0
INSTANCE = "gateway"
"""The one scraped target: all pods' requests are counted by the gateway."""


TOTAL, TIMED = "total", "timed"
"""The counters of all requests, and of those that have a latency."""


class SampleLog:
    """One counter of one pod: its samples in order of time, an hour of them."""

    def __init__(self) -> None:
        self._times: list[float] = []
        self._values: list[float] = []

    def append(self, at: float, value: float) -> None:
        """Keep a sample, and let those go that nobody can ask for any more."""
        self._times.append(at)
        self._values.append(value)
        outdated = bisect_left(self._times, at - KEPT_SECONDS) - 1
        if outdated > len(self._times) // 2:
            del self._times[:outdated], self._values[:outdated]

    def between(self, since: float, until: float) -> tuple[tuple[float, float], ...]:
        """Return the samples from ``since`` on and one before, up to ``until``."""
        first, end = max(0, bisect_left(self._times, since) - 1), bisect_right(self._times, until)
        return tuple(zip(self._times[first:end], self._values[first:end], strict=True))


class Samples:
    """All counters of all pods."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = tuple(bounds)
        self._logs: dict[tuple[str, str], dict[str, SampleLog]] = {}

    def take(self, at: float, services: Mapping[str, Service]) -> None:
        """Keep a sample of every counter; as with a real gateway, a failure that never came has no counter."""
        for name, service in services.items():
            for pod, counts in service.pods.items():
                for kind, value in self._counters(counts):
                    self._logs.setdefault((name, kind), {}).setdefault(pod, SampleLog()).append(at, value)

    def _counters(self, counts: Counts) -> list[tuple[str, float]]:
        within = zip(self._bounds, counts.slow, strict=True)
        return [
            (TOTAL, float(counts.total)),
            (TIMED, float(counts.timed)),
            *([(ERRORS, float(counts.bad))] if counts.bad else []),
            *((slower_than(bound), float(counts.timed - slow)) for bound, slow in within),
        ]

    def family(self, backend: str, count_id: str, since: float, *, until: float = inf) -> Family:
        """Return the samples behind one count of one backend, and one before ``since``."""
        total = self._series(backend, TOTAL if count_id == ERRORS else TIMED, (since, until))
        part = self._series(backend, count_id, (since, until))
        return Family(total, part, part_is_good=count_id != ERRORS)

    def _series(self, backend: str, kind: str, between: tuple[float, float]) -> tuple[Series, ...]:
        logs = self._logs.get((backend, kind), {}).items()
        return tuple(Series(f"{backend} {kind} {pod}", INSTANCE, pod, log.between(*between)) for pod, log in logs)
