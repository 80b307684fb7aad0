"""Kubernetes events of Rollouts, for ``kubectl describe`` and whoever collects events.

Told by the controller's listeners, sent in the background, one after the other: the controller neither waits for an
event nor hears of its failure. They are a courtesy: the status and its transitions are the record. So what the API
server does not take in four rounds, and what does not fit in the queue, is lost; it is counted, and logged once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

import structlog
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt

from rollout.errors import ConflictError, RolloutError, Unavailable
from rollout.kube.api import KubeApi
from rollout.kube.notices import Notice, event_of
from rollout.kube.resources import EVENTS
from rollout.ports import Clock

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class EventOptions:
    """How many events wait at most, how often each is sent in all, with which first gap, and how long a close lasts."""

    most_waiting: int = 1000
    rounds: int = 4
    first_gap_seconds: float = 1.0
    flush_seconds: float = 2.0


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
    ) -> None:
        """Tell as ``instance`` (the pod's name); ``chance`` gives jitter from 0 to 1."""
        self._api = api
        self._clock = clock
        self._instance = instance
        self._chance = chance
        self._options = options
        self._waiting: asyncio.Queue[Notice] = asyncio.Queue(options.most_waiting)
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
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None
        while not self._waiting.empty():
            self._waiting.get_nowait()
            self._lose("the controller ended")

    def tell(self, notice: Notice) -> None:
        """Let an event be sent soon; one whose time is 0 happened now. Never waits and never raises."""
        try:
            self._waiting.put_nowait(notice if notice.at else replace(notice, at=self._clock.now()))
        except asyncio.QueueFull:
            self._lose(f"{self._options.most_waiting} events wait already")

    async def _run(self) -> None:
        while True:
            notice = await self._waiting.get()
            try:
                await self._send(notice)
            except asyncio.CancelledError:
                self._lose("the controller ended")
                raise
            except RolloutError as error:
                self._lose(str(error))
            except Exception as error:
                log.exception("event not sent", key=str(notice.key))
                self._lose(type(error).__name__)
            else:
                self._losing = False
            finally:
                self._waiting.task_done()

    async def _send(self, notice: Notice) -> None:
        """Make the event; one that is there already was told before a crash, or before an answer got lost."""
        document = event_of(notice, instance=self._instance)
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(Unavailable),
            stop=stop_after_attempt(self._options.rounds),
            wait=self._gap,
            reraise=True,
        )
        async for attempt in retrying:
            with attempt, suppress(ConflictError):
                await self._api.create(EVENTS, document, namespace=notice.key.namespace)

    def _gap(self, state: RetryCallState) -> float:
        return float(self._options.first_gap_seconds * 2.0 ** (state.attempt_number - 1) * (0.5 + self._chance()))

    def _lose(self, why: str) -> None:
        self.lost += 1
        if not self._losing:
            self._losing = True
            log.warning("events are lost", why=why, lost=self.lost)
