"""The rounds in which requests of backends are counted for failover, beside the passes, which wait for none of them.

All that is asked for goes out together, at the controller's cadence, or sooner where a window is short. What comes of
it is kept as readings; whose health became another is told. A source that fails or hangs makes its readings Unknown.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import structlog

from rollout.controller.measure import UNEXPECTED
from rollout.controller.requests import Failed, RequestsAsk, count_requests
from rollout.engine.observation import BackendKey
from rollout.failover.health import Health, Reading, Signal, aged
from rollout.failover.readings import RequestsSeen, fresh_seconds, metrics_reading
from rollout.ports import Clock, Measurements
from rollout.spec.failover import MetricsSignal

log = structlog.get_logger(__name__)

WINDOW_PART = 0.2
"""A window is looked at at least so often: each time this part of it is new."""

SHORTEST_PAUSE_SECONDS = 1.0

LONGEST_ROUND_SECONDS = 15.0
"""Adapters have time limits of their own; a source that hangs all the same is given up after this time."""

GAPS = 3
"""So many of the last gaps between two samples are remembered; the shortest says how often samples come."""

LATE_PART, SOONEST_PART, LATEST_PART = 0.02, 0.3, 1.3
"""A round comes a little after a sample should have come, if there is one to come in this part of the usual pause."""


@dataclass(frozen=True, slots=True)
class MetricsAsk:
    """What is counted and how it is read; ``stale_after`` is in seconds. Equal asks are one."""

    requests: RequestsAsk
    signal: MetricsSignal
    stale_after: float


@dataclass(slots=True)
class _Kept:
    """What is known by one ask: the reading, when samples came, why there was no answer (empty: there was one).

    ``silence`` says that there is nothing to count, empty when there is.
    """

    reading: Reading
    gaps: deque[float] = field(default_factory=lambda: deque(maxlen=GAPS))
    seen_at: float = 0.0
    problem: str = ""
    silence: str = ""

    @property
    def gap(self) -> float:
        """Return how far apart samples come (seconds), 0 when nobody knows yet."""
        return min(self.gaps, default=0.0)

    def sampled(self, seen_at: float) -> None:
        """Take note of the newest sample (Unix seconds)."""
        if self.seen_at and seen_at > self.seen_at:
            self.gaps.append(seen_at - self.seen_at)
        self.seen_at = max(self.seen_at, seen_at)

    def wait(self, now: float, usual: float) -> float | None:
        """Return in how many seconds a new sample is there, about a ``usual`` pause from now; None: not about then."""
        if not self.gap:
            return None
        first = self.seen_at + LATE_PART * usual - now
        wait = first + self.gap * ((LATEST_PART * usual - first) // self.gap)
        return wait if wait >= SOONEST_PART * usual else None


class Counting:
    """Metrics readings of whatever is wanted, kept fresh on the running loop; ``stop`` at the end."""

    def __init__(
        self,
        source: Measurements,
        clock: Clock,
        *,
        cadence_seconds: float,
        tell: Callable[[Iterable[BackendKey]], None],
    ) -> None:
        """Ask ``source``; ``tell`` hears of the backends whose health became another."""
        self._source = source
        self._clock = clock
        self._cadence_seconds = cadence_seconds
        self._tell = tell
        self._kept: dict[MetricsAsk, _Kept] = {}
        self._new = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def want(self, ask: MetricsAsk) -> None:
        """Count this from now on; the first answer comes soon."""
        if ask not in self._kept:
            now = self._clock.now()
            unseen = Reading(Signal.METRICS, Health.UNKNOWN, now, now, ask.stale_after, "not counted yet")
            self._kept[ask] = _Kept(unseen)
            self._new.set()
            if self._task is None:
                self._task = asyncio.create_task(self._run(), name="counting requests for failover")

    def leave(self, ask: MetricsAsk) -> None:
        """Count this no more."""
        self._kept.pop(ask, None)
        if not self._kept:
            self.stop()

    def stop(self) -> None:
        """Count nothing any more, whatever is under way."""
        self._kept.clear()
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def read(self, ask: MetricsAsk) -> Reading | None:
        """Return what was counted last, None of what is not wanted."""
        kept = self._kept.get(ask)
        return kept.reading if kept is not None else None

    def problem(self, ask: MetricsAsk) -> str:
        """Return why the source did not answer the last time, empty when it did."""
        kept = self._kept.get(ask)
        return kept.problem if kept is not None else ""

    def silence(self, ask: MetricsAsk) -> str:
        """Return why there was nothing to count the last time though the source answered, empty when there was."""
        kept = self._kept.get(ask)
        return kept.silence if kept is not None else ""

    async def _run(self) -> None:
        while True:
            self._new.clear()
            await self._round()
            pause = self._aligned(self._pause())
            await asyncio.sleep(min(SHORTEST_PAUSE_SECONDS, pause))
            await self._wait(pause - SHORTEST_PAUSE_SECONDS)

    def _pause(self) -> float:
        windows = (ask.signal.window * WINDOW_PART for ask in self._kept)
        return max(SHORTEST_PAUSE_SECONDS, min(self._cadence_seconds, min(windows, default=self._cadence_seconds)))

    def _aligned(self, usual: float) -> float:
        """Return the pause after which most that is counted has new samples, else the ``usual`` one."""
        now = self._clock.now()
        waits = sorted(wait for kept in self._kept.values() if (wait := kept.wait(now, usual)) is not None)
        return max(SHORTEST_PAUSE_SECONDS, waits[len(waits) // 2]) if waits else usual

    async def _wait(self, seconds: float) -> None:
        """Wait so long, or until something new is wanted."""
        try:
            async with asyncio.timeout(seconds):
                await self._new.wait()
        except TimeoutError:
            return

    async def _round(self) -> None:
        asks = tuple(self._kept)
        found = await self._count(tuple(dict.fromkeys(ask.requests for ask in asks)))
        now = self._clock.now()
        changed = [ask.requests.backend for ask in asks if self._take(ask, found[ask.requests], now)]
        if changed:
            self._tell(dict.fromkeys(changed))

    async def _count(self, asks: tuple[RequestsAsk, ...]) -> Mapping[RequestsAsk, RequestsSeen | str | Failed]:
        try:
            async with asyncio.timeout(LONGEST_ROUND_SECONDS):
                answers = await count_requests(self._source, asks, now=self._clock.now())
        except TimeoutError:
            why = f"no answer within {LONGEST_ROUND_SECONDS:g} s"
        except Exception:
            log.exception("requests could not be counted")
            why = UNEXPECTED
        else:
            return dict(zip(asks, answers, strict=True))
        return dict.fromkeys(asks, Failed(why))

    def _take(self, ask: MetricsAsk, found: RequestsSeen | str | Failed, now: float) -> bool:
        """Keep what was found; return whether the health is another now."""
        kept = self._kept.get(ask)
        if kept is None:
            return False  # wanted no more by now
        kept.problem = found.why if isinstance(found, Failed) else ""
        kept.silence = found if isinstance(found, str) else ""
        if isinstance(found, RequestsSeen):
            kept.sampled(found.at)
        fresh = fresh_seconds(stale_after=ask.stale_after, interval=max(kept.gap, self._pause()))
        seen = found.why if isinstance(found, Failed) else found
        before = kept.reading
        kept.reading = metrics_reading(ask.signal, seen, before, fresh=fresh, now=now)
        return aged(kept.reading, now).health is not aged(before, now).health
