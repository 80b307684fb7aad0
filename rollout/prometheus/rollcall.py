"""The roll call: which backends have any series at all is asked beside the counters, seldom, and remembered.

The question names no metric, so none costs Prometheus more, and nobody's counters wait for it: what is known is told at
once, and what is not known yet with a later batch. Called by ``rollout.prometheus.measurements``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass

import structlog

from rollout.ending import end
from rollout.errors import RolloutError
from rollout.ports import Clock
from rollout.prometheus.answers import labels_in
from rollout.prometheus.client import PrometheusClient
from rollout.prometheus.presence import expressions
from rollout.prometheus.selectors import Identity, owner

log = structlog.get_logger(__name__)

KNOWN_SECONDS = 30.0
"""So long an answer is good, or that there was none."""

FIRST_SECONDS = 0.5
"""So long the first answer is good that a backend is absent, and each further one twice as long: most come soon."""

LIMIT_SECONDS = 1.0
"""So long the question may take, at the server, too."""

Labels = tuple[str, ...]


@dataclass(slots=True)
class _Known:
    """What is known of a backend that was asked for last at ``asked_at`` (monotonic), and for how long it is good."""

    asked_at: float
    absent: bool = False
    seconds: float = FIRST_SECONDS / 2

    def note(self, *, absent: bool) -> None:
        """Take the answer."""
        self.absent = absent
        self.seconds = min(KNOWN_SECONDS, 2 * self.seconds) if absent else KNOWN_SECONDS


class RollCall:
    """Remembers which backends have no series; asks one question at a time."""

    def __init__(self, client: PrometheusClient, clock: Clock) -> None:
        """Ask ``client`` for what is there at ``clock``'s now."""
        self._client = client
        self._clock = clock
        self._known: dict[tuple[Labels, Identity], _Known] = {}
        self._task: asyncio.Task[None] | None = None

    async def aclose(self) -> None:
        """Ask no more."""
        await end(self._task)

    def absent(self, labels: Labels, identities: Collection[Identity]) -> set[Identity]:
        """Return those of which it is known that no series has their ``labels``; let the others be asked for soon."""
        if self._task is None or self._task.done():
            self._begin(labels, identities)
        known = {who: self._known.get((labels, who)) for who in identities}
        return {who for who, what in known.items() if what is not None and what.absent}

    def _begin(self, labels: Labels, identities: Collection[Identity]) -> None:
        """Ask for those of whom nothing was asked of late, and forget those whom nobody has named since long."""
        now = self._clock.monotonic()
        self._known = {who: what for who, what in self._known.items() if now - what.asked_at < 2 * KNOWN_SECONDS}
        known = {who: self._known.get((labels, who)) for who in identities}
        due = [who for who, what in known.items() if what is None or now - what.asked_at >= what.seconds]
        if due:
            for who in due:
                self._known.setdefault((labels, who), _Known(now)).asked_at = now
            self._task = asyncio.create_task(self._ask(labels, due), name="which backends have series")

    async def _ask(self, labels: Labels, identities: Collection[Identity]) -> None:
        """Note who is absent; where that cannot be known, nobody is."""
        present: set[Identity] = set()
        try:
            for query in expressions(labels, identities):
                found = await self._client.query(
                    query, at=self._clock.now(), read=labels_in, limit_seconds=LIMIT_SECONDS
                )
                present.update(owner(labels, one) for one in found)
        except RolloutError as error:
            log.debug("which backends have series is not known", why=str(error))
            present.update(identities)
        for who in identities:
            self._known[labels, who].note(absent=who not in present)
