"""A watch of every route of the namespace: which weights there were, and when each was seen."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager

from rollout.kube.resources import HTTP_ROUTES, Document, version_of
from tests.kubernetes.stage import Stage

Weights = tuple[int, ...]


class Watching:
    """Changes of the weights of each route's first rule by its name, as (when by ``perf_counter``, weights)."""

    def __init__(self, stage: Stage) -> None:
        """See nothing yet."""
        self._stage = stage
        self._news = asyncio.Event()
        self._since = ""
        self.seen: dict[str, list[tuple[float, Weights]]] = defaultdict(list)

    async def begin(self) -> None:
        """Note what there is."""
        listed = await self._stage.api.list_page(HTTP_ROUTES, namespace=self._stage.namespace, limit=0)
        self._since = version_of(listed)
        for document in listed["items"]:
            self._note(document)

    async def run(self) -> None:
        """Watch until cancelled."""
        events = self._stage.api.watch(HTTP_ROUTES, namespace=self._stage.namespace, since=self._since, seconds=1500)
        async with aclosing(events):
            async for told, document in events:
                if told in {"ADDED", "MODIFIED"}:
                    self._note(document)

    async def until(self, condition: Callable[[Watching], object], *, seconds: float = 15.0) -> None:
        """Return as soon as ``condition`` holds of what was seen."""
        try:
            async with asyncio.timeout(seconds):
                while not condition(self):
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"did not come about within {seconds:g} s; seen: {dict(self.seen)}") from None

    async def all_at(self, weights: Weights, *, since: float, seconds: float = 15.0) -> float:
        """Return how long after ``since`` the last of all routes was seen with these weights."""
        await self.until(lambda watching: watching.last(weights, since) > 0, seconds=seconds)
        return self.last(weights, since) - since

    def last(self, weights: Weights, since: float) -> float:
        """Return when the last of all routes got these weights, 0 while one of them has not since then."""
        changes = [changes[-1] for changes in self.seen.values()]
        there = all(at >= since and found == weights for at, found in changes)
        return max(at for at, _ in changes) if there else 0.0

    def weights(self, name: str = "checkout") -> list[Weights]:
        """Return the weights that a route had, in order."""
        return [weights for _, weights in self.seen[name]]

    def _note(self, document: Document) -> None:
        weights = tuple(ref.get("weight", 1) for ref in document["spec"]["rules"][0]["backendRefs"])
        changes = self.seen[document["metadata"]["name"]]
        if not changes or changes[-1][1] != weights:
            changes.append((time.perf_counter(), weights))
            self._news.set()


@asynccontextmanager
async def watched(stage: Stage) -> AsyncIterator[Watching]:
    """Watch every route of the stage meanwhile."""
    watching = Watching(stage)
    await watching.begin()
    task = asyncio.create_task(watching.run())
    try:
        yield watching
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
