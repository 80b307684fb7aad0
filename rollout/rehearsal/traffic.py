"""Requests: how many came, which backend and pod answered, how many failed and how many were slow.

Requests come at an even rate, go to backends by chance and by the weights in force, and are counted up to
every change of weights or backends, so that no request is counted by the wrong rule. At each scrape the
counters become raw samples, as a gateway's metrics would (``rollout.rehearsal.samples``). Times are seconds
from the start. It knows nothing of the controller.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rollout.rehearsal.backend import Backend, PodErrors
from rollout.rehearsal.chance import Chance, slower_share

BURST = 10
"""How many errors come together on one pod with ``podErrors: bursts``."""

_SURELY = 1e-9
"""Room for rounding when whole requests are cut from a sum of fractions."""

Weights = Sequence[tuple[str, int]]
"""(backend name, weight) in force at one route."""


@dataclass(slots=True)
class Counts:
    """What has been counted so far; ``slow`` by bound in seconds, in the order of the bounds.

    ``timed`` are the requests that reached a pod: as with Envoy, the others have no latency.
    """

    total: int = 0
    bad: int = 0
    slow: list[int] = field(default_factory=list)
    timed: int = 0

    def add(self, total: int, bad: int, slow: Iterable[int], *, timed: bool) -> None:
        """Count more requests."""
        self.total += total
        self.timed += total if timed else 0
        self.bad += bad
        self.slow = [before + more for before, more in zip(self.slow, slow, strict=True)]


class Service:
    """One backend: its behaviour, its pods and what they have answered."""

    def __init__(self, name: str, backend: Backend, *, bounds: Sequence[float], seed: int) -> None:
        self.name = name
        self.backend = backend
        self.pods: dict[str, Counts] = {}
        self._bounds = tuple(bounds)
        self._errors, self._latency = Chance(seed, f"errors of {name}"), Chance(seed, f"latency of {name}")
        self._turn = 0
        self.change(backend)

    def change(self, backend: Backend) -> None:
        """Behave otherwise from now on; pods that were never there begin to count at 0."""
        self.backend = backend
        ready, total = backend.ready
        self._answering = [f"{self.name}-{index}" for index in range(ready or total or 1)]
        for pod in self._answering:
            self.pods.setdefault(pod, Counts(slow=[0] * len(self._bounds)))
        self._owed_errors = [0] * len(self._answering)

    def totals(self) -> Counts:
        """Return what all pods have counted together."""
        pods = self.pods.values()
        slow = [sum(pod.slow[index] for pod in pods) for index in range(len(self._bounds))]
        return Counts(
            sum(pod.total for pod in pods), sum(pod.bad for pod in pods), slow, sum(pod.timed for pod in pods)
        )

    def answer(self, requests: int) -> None:
        """Answer ``requests``, evenly by the pods in turn; with no pod ready all of them fail at once."""
        shares = self._shares(requests)
        none_ready = self.backend.ready[0] == 0
        errors = shares if none_ready else self._failed(shares)
        for pod, count, failed in zip(self._answering, shares, errors, strict=True):
            slow = [0] * len(self._bounds) if none_ready else self._slow(count)
            self.pods[pod].add(count, failed, slow, timed=not none_ready)

    def _shares(self, requests: int) -> list[int]:
        pods = len(self._answering)
        each, more = divmod(requests, pods)
        shares = [each + ((index - self._turn) % pods < more) for index in range(pods)]
        self._turn = (self._turn + more) % pods
        return shares

    def _failed(self, shares: Sequence[int]) -> list[int]:
        chance = self.backend.errors
        if self.backend.pod_errors is PodErrors.EVEN:
            return [self._errors.hits(count, chance) for count in shares]
        for _ in range(self._errors.hits(sum(shares), chance / BURST)):
            self._owed_errors[self._errors.below(len(shares))] += BURST
        failed = [min(count, owed) for count, owed in zip(shares, self._owed_errors, strict=True)]
        self._owed_errors = [owed - paid for owed, paid in zip(self._owed_errors, failed, strict=True)]
        return failed

    def _slow(self, requests: int) -> list[int]:
        counts, left, share_before = [], requests, 1.0
        latency = self.backend.latency
        for bound in self._bounds:
            share = slower_share(bound, p50_seconds=latency.p50, p99_seconds=latency.p99)
            left = self._latency.hits(left, share / share_before if share_before > 0 else 0.0)
            counts.append(left)
            share_before = share
        return counts


class Traffic:
    """All requests of a rehearsal, counted up to a moment that only goes forward."""

    def __init__(
        self, services: Mapping[str, Service], weights: Callable[[], Sequence[Weights]], *, rps: float, seed: int
    ) -> None:
        self.services = services
        self.rps = rps
        self._weights = weights
        self._choice = Chance(seed, "which backend")
        self._owed: list[float] = []
        self._counted_to = 0.0
        self._scrapes: list[tuple[float, int, Callable[[float], None]]] = []

    def on_scrape(self, interval_seconds: float, take: Callable[[float], None]) -> None:
        """Call ``take`` with the time whenever a multiple of ``interval_seconds`` is passed, beginning with 0."""
        self._scrapes.append((interval_seconds, 0, take))

    def scrape_to(self, now: float) -> None:
        """Count up to every scrape that is due at ``now``, and take it."""
        for index, (interval, number, take) in enumerate(self._scrapes):
            due = number
            while due * interval <= now + _SURELY:
                self._count_to(due * interval)
                take(due * interval)
                due += 1
            self._scrapes[index] = (interval, due, take)

    def run_to(self, now: float) -> None:
        """Take the scrapes that are due and count every request up to ``now``: called before anything changes."""
        self.scrape_to(now)
        self._count_to(now)

    def _count_to(self, moment: float) -> None:
        seconds = moment - self._counted_to
        if seconds <= 0:
            return
        self._counted_to = moment
        routes = self._weights()
        self._owed = (self._owed + [0.0] * len(routes))[: len(routes)]
        for index, weights in enumerate(routes):
            self._owed[index] += self.rps / len(routes) * seconds
            requests = math.floor(self._owed[index] + _SURELY)
            self._owed[index] -= requests
            self._send(requests, weights)

    def _send(self, requests: int, weights: Weights) -> None:
        for (name, _), count in zip(weights, self._choice.split(requests, [w for _, w in weights]), strict=True):
            if count:
                self.services[name].answer(count)
