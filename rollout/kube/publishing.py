"""Before anybody hears of a Rollout: its routes are to be in memory first, so that no pass misses them.

``prepare`` is told of a Rollout that is new, or that names other routes than before, and may take a little while; what
the Rollout was stays in sight meanwhile. Whatever comes of it, the Rollout is then published as it is by that time: a
route that cannot be fetched is a matter of that route, not of the Rollout. Called by ``memory``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from rollout.ending import end
from rollout.engine.observation import RouteKey
from rollout.kube.references import routes_named
from rollout.kube.resources import Document
from rollout.ports import Key

log = structlog.get_logger(__name__)

Prepare = Callable[[Key, Document], Awaitable[None]]
"""Takes a Rollout as it is kept: metadata, spec and status."""

LIMIT_SECONDS = 5.0
MOST_AT_ONCE = 64
"""So many Rollouts are prepared together at most, as at a start with thousands of them."""


class Publisher:
    """What waits to be published, the newest of each Rollout. Belongs to the event loop."""

    def __init__(
        self, publish: Callable[[Key, Document], None], prepare: Prepare | None, limit_seconds: float = LIMIT_SECONDS
    ) -> None:
        """Call ``publish`` with what is prepared."""
        self._publish = publish
        self._prepare = prepare
        self._limit_seconds = limit_seconds
        self._turns = asyncio.Semaphore(MOST_AT_ONCE)
        self._prepared: dict[Key, frozenset[RouteKey]] = {}
        self._waiting: dict[Key, Document] = {}
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._beside: set[asyncio.Task[None]] = set()

    def offer(self, key: Key, kept: Document) -> None:
        """Publish what is kept of the Rollout: at once where it names no new route, else after ``prepare``."""
        if key in self._waiting:
            self._waiting[key] = kept
            return
        named, before = routes_named(kept), self._prepared.get(key)
        if self._prepare is None or named == before:
            self._publish(key, kept)
        elif before is not None and named < before:
            self._prepared[key] = named
            self._publish(key, kept)
            self._begin_beside(key, kept)
        else:
            self._waiting[key] = kept
            self._tasks[key] = asyncio.create_task(self._work(key), name=f"preparing {key}")

    def withdraw(self, key: Key) -> None:
        """Forget a Rollout that is gone."""
        self._prepared.pop(key, None)
        self._waiting.pop(key, None)
        task = self._tasks.pop(key, None)
        if task is not None:
            task.cancel()

    async def settled(self, key: Key) -> None:
        """Return when nothing of this Rollout waits."""
        task = self._tasks.get(key)
        if task is not None:
            await asyncio.wait([task])

    async def all_settled(self) -> None:
        """Return when everything is published that waits now."""
        if self._tasks:
            await asyncio.wait(list(self._tasks.values()))

    async def aclose(self) -> None:
        """End what is on its way; nothing is published any more."""
        await end(*self._tasks.values(), *self._beside)

    def _begin_beside(self, key: Key, kept: Document) -> None:
        """Tell of fewer routes than before: nothing has to wait for that."""
        task = asyncio.create_task(self._prepare_one(key, kept))
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)

    async def _work(self, key: Key) -> None:
        async with self._turns:
            while (named := routes_named(self._waiting[key])) != self._prepared.get(key):
                await self._prepare_one(key, self._waiting[key])
                self._prepared[key] = named
        self._tasks.pop(key)
        try:
            self._publish(key, self._waiting.pop(key))
        except Exception:
            log.exception("Rollout not published", rollout=str(key))

    async def _prepare_one(self, key: Key, kept: Document) -> None:
        if self._prepare is None or not (key in self._prepared or key in self._waiting):
            return  # it is gone by now
        try:
            async with asyncio.timeout(self._limit_seconds):
                await self._prepare(key, kept)
        except Exception as error:  # noqa: BLE001 - it concerns routes, and must not hide the Rollout
            why = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            log.warning("routes not prepared", rollout=str(key), why=why)
