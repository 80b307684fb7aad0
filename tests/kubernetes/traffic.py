"""Counters of a traffic that a test orders: requests a second and the part of them that is bad, for each backend."""

from __future__ import annotations

import time

from rollout.analysis.samples import ERRORS, Batch
from rollout.ports import Ask
from tests.fakes.measurements import TOTAL, FakeMeasurements

SAMPLE_SECONDS = 0.2


class Traffic(FakeMeasurements):
    """``Measurements`` that grow with the time of the wall, as if Prometheus scraped every 200 ms.

    ``rates`` has (requests a second, bad part) by backend; a backend that is not there has no series.
    """

    def __init__(self, **rates: tuple[float, float]) -> None:
        super().__init__()
        self.rates: dict[str, tuple[float, float]] = dict(rates)
        self._totals: dict[str, tuple[float, float]] = {}
        self._until = time.time() - 5.0

    def set(self, backend: str, *, rps: float, bad: float = 0.0) -> None:
        """Let the backend answer so many requests a second from now on, this part of them badly."""
        self._catch_up()
        self.rates[backend] = (rps, bad)

    async def measure(self, ask: Ask) -> Batch:
        """Return the samples up to now."""
        self._catch_up()
        return await super().measure(ask)

    def _catch_up(self) -> None:
        now = time.time()
        while self._until + SAMPLE_SECONDS <= now:
            self._until += SAMPLE_SECONDS
            for backend, (rps, bad) in self.rates.items():
                total, failed = self._totals.get(backend, (0.0, 0.0))
                total, failed = total + rps * SAMPLE_SECONDS, failed + rps * bad * SAMPLE_SECONDS
                self._totals[backend] = (total, failed)
                self.count(backend, TOTAL, self._until, float(round(total)))
                self.count(backend, ERRORS, self._until, float(round(failed)))
