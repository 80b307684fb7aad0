"""Kubernetes events of Rollouts, for ``kubectl describe`` and whoever collects events.

Told by the controller's listeners, sent in the background, one after the other and never more than so many a second:
the controller neither waits for an event nor hears of its failure. What says the same again raises the count of an
event (``rollout.kube.series``). They are a courtesy: the status and its transitions are the record. So what the API
server does not take in four rounds, and what does not fit in the queue, is lost; it is counted, and logged once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

import structlog
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt

from rollout.ending import end
from rollout.errors import ConflictError, NotOursError, RolloutError, Unavailable
from rollout.kube.api import KubeApi
from rollout.kube.notices import Notice, event_name, event_of, series_of
from rollout.kube.resources import EVENTS, Document
from rollout.kube.series import Series, SeriesBook, renewed
from rollout.ports import Clock

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class EventOptions:
    """How many events wait at most, how often each is sent in all, with which first gap, and how long a close lasts.

    ``per_second``: so many are sent in the long run, and up to ``burst`` at once after a quiet time. ``after_seconds``:
    so long after it was told one is sent.
    """

    most_waiting: int = 1000
    rounds: int = 4
    first_gap_seconds: float = 1.0
    flush_seconds: float = 2.0
    per_second: float = 25.0
    burst: int = 100
    after_seconds: float = 0.2


class EventRecorder:
    """Sends events; begun with ``start``, ended with ``aclose``. ``lost`` counts those that were not told."""

    def __init__(
        self,
        api: KubeApi,
        clock: Clock,
        *,
        instance: str,
        chance: Callable[[], float],
        options: EventOptions = EventOptions(),
        count_lost: Callable[[], None] = lambda: None,
    ) -> None:
        """Tell as ``instance`` (the pod's name); ``chance`` gives jitter from 0 to 1, ``count_lost`` hears of losses.

        Nothing is sent before ``start``.
        """
        self._api = api
        self._clock = clock
        self._instance = instance
        self._chance = chance
        self._options = options
        self._count_lost = count_lost
        self._waiting: asyncio.Queue[Series] = asyncio.Queue(options.most_waiting)
        self._book = SeriesBook()
        self._allowed = float(options.burst)
        self._allowed_at = clock.monotonic()
        self._task: asyncio.Task[None] | None = None
        self._losing = False
        self.lost = 0

    async def start(self) -> None:
        """Begin to send."""
        self._task = asyncio.create_task(self._run(), name="kubernetes-events")

    async def aclose(self) -> None:
        """Send what waits, as far as it goes within 2 s, and end."""
        if self._task is None:
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._waiting.join(), self._options.flush_seconds)
        await end(self._task)
        self._task = None
        while not self._waiting.empty():
            self._waiting.get_nowait()
            self._lose("the controller ended")

    def tell(self, notice: Notice) -> None:
        """Let an event be sent soon; one whose time is 0 happened now. Never waits and never raises."""
        series = self._book.add(notice if notice.at else replace(notice, at=self._clock.now()))
        if series is None or series.waiting:
            return
        try:
            self._waiting.put_nowait(series)
        except asyncio.QueueFull:
            self._book.forget(series)
            self._lose(f"{self._options.most_waiting} events wait already")
        else:
            series.waiting, series.due = True, self._clock.monotonic() + self._options.after_seconds

    async def _run(self) -> None:
        while True:
            series = await self._waiting.get()
            try:
                await asyncio.sleep(max(0.0, series.due - self._clock.monotonic()))
                await self._pace()
                series.waiting = False
                await self._send(series)
            except asyncio.CancelledError:
                self._lose("the controller ended")
                raise
            except RolloutError as error:
                self._drop(series, str(error))
            except Exception as error:
                log.exception("event not sent", key=str(series.first.key))
                self._drop(series, type(error).__name__)
            else:
                self._losing = False
            finally:
                self._waiting.task_done()

    async def _pace(self) -> None:
        """Wait until another event may be sent."""
        now, rate = self._clock.monotonic(), self._options.per_second
        self._allowed = min(self._options.burst, self._allowed + (now - self._allowed_at) * rate) - 1.0
        self._allowed_at = now
        if self._allowed < 0.0:
            await asyncio.sleep(-self._allowed / rate)

    async def _send(self, series: Series) -> None:
        """Make the event, or raise its count; one that the API server has lost meanwhile is made again."""
        if series.made:
            change = {"op": "add", "path": "/series", "value": series_of(series.count, series.last_at)}
            name, namespace = event_name(series.first), series.first.key.namespace
            with suppress(NotOursError):
                await self._persist(partial(self._api.patch, EVENTS, namespace, name, [change]))
                return
            series.first, series.count, series.made = renewed(series), 1, False
        document = event_of(series.first, instance=self._instance)
        if series.count > 1:
            document = {**document, "series": series_of(series.count, series.last_at)}
        await self._persist(partial(self._api.create, EVENTS, document, namespace=series.first.key.namespace))
        series.made = True

    async def _persist(self, ask: Callable[[], Awaitable[Document]]) -> None:
        """Ask in several rounds; a conflict is an event that is there: from before a crash, or a lost answer."""
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(Unavailable),
            stop=stop_after_attempt(self._options.rounds),
            wait=self._gap,
            reraise=True,
        )
        async for attempt in retrying:
            with attempt, suppress(ConflictError):
                await ask()

    def _gap(self, state: RetryCallState) -> float:
        return float(self._options.first_gap_seconds * 2.0 ** (state.attempt_number - 1) * (0.5 + self._chance()))

    def _drop(self, series: Series, why: str) -> None:
        """Lose the event; what says the same next is tried as one of its own."""
        self._book.forget(series)
        self._lose(why)

    def _lose(self, why: str) -> None:
        self.lost += 1
        self._count_lost()
        if not self._losing:
            self._losing = True
            log.warning("events are lost", why=why, lost=self.lost)
