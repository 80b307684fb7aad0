"""One probe on its way: it lands with an answer, or its time is up.

Time in which this process stood still is not the target's: a probe gets its time back once, and one over which the
process slept longer than the probe's whole time says nothing, whatever came in the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from rollout.failover.probing import Answer
from rollout.probes.pulse import Pulse
from rollout.probes.said import STOOD_STILL, TIMED_OUT, Asker, Said, told

GRACE_SECONDS = 0.002
"""What has arrived when the time is up may still need a turn or two of the loop to be read."""


LEAVE_SECONDS = 0.1
"""Whoever asks has so long to stop; what he then says he had not even sent is no timeout."""

_LATE = Said(Answer.BAD, TIMED_OUT)


class Flight:
    """One probe; lands exactly once, unless it is cancelled before."""

    def __init__(self, asker: Asker, pulse: Pulse, *, timeout_seconds: float, land: Callable[[Said], None]) -> None:
        """Begin to ask; ``land`` is told what came of it."""
        self._asker = asker
        self._pulse = pulse
        self._timeout = timeout_seconds
        self._land: Callable[[Said], None] | None = land
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._timer = self._loop.call_at(self._began + timeout_seconds, self._overdue)
        self.task = self._loop.create_task(self._ask())

    def cancel(self) -> None:
        """Give it up: it lands no more."""
        self._land = None
        self._timer.cancel()
        self.task.cancel()

    async def _ask(self) -> None:
        try:
            said = await self._asker.ask()
        except asyncio.CancelledError:
            self._landed(_LATE)
            raise
        except Exception as error:  # noqa: BLE001 - whatever came of it, it lands
            said = told(error)
        self._landed(said)

    def _overdue(self) -> None:
        stalled = self._pulse.stalled_since(self._began)
        more = stalled if stalled < self._timeout else 0.0
        self._timer = self._loop.call_later(more + GRACE_SECONDS, self._give_up)

    def _give_up(self) -> None:
        self._timer = self._loop.call_later(LEAVE_SECONDS, self._landed, _LATE)
        self.task.cancel()

    def _landed(self, said: Said) -> None:
        land, self._land = self._land, None
        self._timer.cancel()
        if land is None:
            return
        if self._pulse.stalled_since(self._began) >= self._timeout:
            said = Said(Answer.UNSENT, STOOD_STILL)
        land(said)
