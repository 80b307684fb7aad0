"""The calendar: the few things that happen by the clock and not by a Rollout (APScheduler, in memory).

Per-Rollout times are the agenda's; here are housekeeping of the history and the resync, which
looks at every Rollout once in a while in case an event was lost.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from apscheduler.schedulers.asyncio import AsyncIOScheduler

RESYNC_SECONDS = 300
TRIM_HOUR = 3


class Calendar:
    """Calls ``resync`` every five minutes and ``trim``, where there is something to trim, once a day, on the loop."""

    def __init__(self, *, resync: Callable[[], None], trim: Callable[[], Awaitable[None]] | None = None) -> None:
        """Plan both; nothing is called before ``start``."""
        self._scheduler = AsyncIOScheduler(timezone="UTC")
        self._scheduler.add_job(resync, "interval", seconds=RESYNC_SECONDS, jitter=30, id="resync", max_instances=1)
        if trim is not None:
            self._scheduler.add_job(trim, "cron", hour=TRIM_HOUR, minute=17, id="trim", max_instances=1, coalesce=True)

    def start(self) -> None:
        """Begin; needs a running loop."""
        self._scheduler.start()

    def stop(self) -> None:
        """Call nothing any more."""
        self._scheduler.shutdown(wait=False)

    def jobs(self) -> tuple[str, ...]:
        """Return the ids of what is planned."""
        return tuple(job.id for job in self._scheduler.get_jobs())
