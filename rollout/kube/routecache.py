"""The routes of one kind that Rollouts refer to, in memory; a cluster may hold many more that nobody asked for.

A watch goes over all of them, and what is not referred to is let go by. So a route that is referred to later is read by
itself, once, and the watch keeps it from then on. Those referred to before ``start`` come with the first list, which
is far cheaper. Used by ``rollout.kube.routes``; it knows nothing of weights.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress

from rollout.ending import end
from rollout.errors import NotOursError, PermanentError, RolloutError, Unavailable
from rollout.kube.api import KubeApi
from rollout.kube.reflector import Reflector, ReflectorOptions
from rollout.kube.resources import Document, Resource, age_of, version_of
from rollout.kube.routeview import kept
from rollout.ports import Clock, Key

Name = tuple[str, str]
"""Namespace and name of a route."""

Changed = Callable[[Name, Document | None, Document | None], None]
"""Takes which route changed, what it was and what it is; None and None: it is known by now that there is none."""

MOST_AT_ONCE = 16
"""So many routes are read at the same time."""

WATCHING = ReflectorOptions(renew_seconds=17.0)
"""How routes are watched: a step waits for what their gateway says, so a dead connection is not to last."""


class RouteCache:
    """What is kept of the routes of ``resource``; ``start`` before use, ``aclose`` at the end."""

    def __init__(  # noqa: PLR0913 - what is watched, with what, and who hears of it
        self,
        api: KubeApi,
        resource: Resource,
        clock: Clock,
        changed: Changed,
        *,
        chance: Callable[[], float],
        namespace: str = "",
        options: ReflectorOptions = WATCHING,
    ) -> None:
        """Watch ``resource`` in ``namespace`` (empty: in all); ``chance`` gives jitter from 0 to 1."""
        self.resource = resource
        self.reflector = Reflector(
            api, resource, self._keep, clock, chance=chance, namespace=namespace, options=options
        )
        self.reflector.subscribe(self._noticed)
        self._api = api
        self._changed = changed
        self._chance = chance
        self._namespace = namespace
        self._options = options
        self._owners: dict[Key, frozenset[Name]] = {}
        self._referred: dict[Name, int] = {}
        self._known: set[Name] = set()
        self._missed: dict[Name, RolloutError] = {}
        self._reading: dict[Name, asyncio.Task[None]] = {}
        self._few = asyncio.Semaphore(MOST_AT_ONCE)
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to watch; return when the first list is in, or as soon as it is known that there is none for now."""
        self._known.update(self._referred)
        await self.reflector.start()
        if not self.reflector.synced:
            self._known.clear()
            self._wanted.set()
        self._task = asyncio.create_task(self._catch_up(), name=f"reading of {self.resource.plural}")

    async def aclose(self) -> None:
        """End the watch and all reading; what is in memory stays."""
        await end(*self._reading.values(), self._task)
        await self.reflector.aclose()

    # ------------------------------------------------------------ who needs what

    def refer(self, owner: Key, names: frozenset[Name]) -> None:
        """Keep ``names`` in memory for ``owner``, and let go of what it needed before and nobody needs now."""
        before = self._owners.pop(owner, frozenset())
        if names:
            self._owners[owner] = names
        for name in names - before:
            self._referred[name] = self._referred.get(name, 0) + 1
        for name in before - names:
            self._referred[name] -= 1
            if not self._referred[name]:
                self._let_go(name)
        if any(map(self._lacks, names)):
            self._wanted.set()

    def is_referred(self, name: Name) -> bool:
        """Return whether a Rollout needs the route."""
        return name in self._referred

    def _let_go(self, name: Name) -> None:
        del self._referred[name]
        self._known.discard(name)
        self._missed.pop(name, None)
        reading = self._reading.pop(name, None)
        if reading is not None:
            reading.cancel()
        self.reflector.drop(*name)

    def _keep(self, document: Document) -> Document | None:
        metadata = document["metadata"]
        name = (str(metadata.get("namespace") or ""), str(metadata["name"]))
        return kept(document) if name in self._referred else None

    def _noticed(self, name: Name, before: Document | None, now: Document | None) -> None:
        if name in self._referred:
            self._known.add(name)
        self._changed(name, before, now)

    # ------------------------------------------------------------ what is known

    def get(self, name: Name) -> Document | None:
        """Return what is kept of the route, or None."""
        return self.reflector.get(*name)

    def why(self, name: Name) -> str:
        """Return why ``get`` has nothing, or something that may be old; empty when all is as it should be.

        Raises:
            Unavailable: it is not known yet whether there is such a route.
        """
        if self.reflector.absent:
            return f"the cluster has no {self.resource.kind} ({self.resource.api_version})"
        if not self._is_watched(name):
            return f"only routes of namespace {self._namespace} are watched here"
        if self.get(name) is not None or self._is_certain(name):
            return self.reflector.problem
        missed = self._missed.get(name)
        why = str(missed) if missed is not None else self.reflector.problem
        told = f"it has not been read yet{f': {why}' if why else ''}"
        if isinstance(missed, PermanentError) or self.reflector.refused:
            return told
        raise Unavailable(told)

    def _is_watched(self, name: Name) -> bool:
        return not self._namespace or self._namespace == name[0]

    def _is_certain(self, name: Name) -> bool:
        """Return whether what is here, or that nothing is here, is what the API server said."""
        return not self.is_referred(name) or (self.reflector.synced and name in self._known)

    def _lacks(self, name: Name) -> bool:
        wanted = name in self._referred and name not in self._known and self._is_watched(name)
        return wanted and self.get(name) is None

    # ------------------------------------------------------------ single reads

    async def fetch(self, names: Collection[Name]) -> None:
        """Read those of ``names`` that are referred to and not known; return when each was answered, or failed.

        Nothing is read before ``start`` is done: the first list brings them.
        """
        if self._task is None:
            return
        tasks = [self._reading_of(name) for name in names if self._lacks(name)]
        if tasks:
            await asyncio.wait(tasks)

    async def refresh(self, name: Name) -> Document:
        """Read the route and take it in; return what is kept of it then.

        Raises:
            NotOursError: there is none.
            Unavailable, Forbidden: it cannot be read now.
        """
        before = self.get(name)
        try:
            found = await self._api.get(self.resource, *name)
        except NotOursError:
            if before is not None:
                self.gone(name, before)
            raise
        self.reflector.admit(found)
        return self.get(name) or kept(found)

    def gone(self, name: Name, before: Document) -> None:
        """Take out the route that was ``before`` and is gone by now."""
        self.reflector.forget(*name, age=age_of(version_of(before)))

    def _reading_of(self, name: Name) -> asyncio.Task[None]:
        task = self._reading.get(name)
        if task is None:
            task = self._reading[name] = asyncio.create_task(self._read(name))
            task.add_done_callback(lambda done: self._reading.pop(name) if self._reading.get(name) is done else None)
        return task

    async def _read(self, name: Name) -> None:
        async with self._few:
            if not self._lacks(name):
                return
            try:
                with suppress(NotOursError):
                    await self.refresh(name)
            except RolloutError as error:
                self._missed[name] = error
                self._wanted.set()
                return
        self._missed.pop(name, None)
        self._known.add(name)
        if self.get(name) is None:
            self._changed(name, None, None)

    async def _catch_up(self) -> None:
        """Read again and again what could not be read, with gaps that grow as long as nothing can be."""
        failures = 0
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            await self.fetch(tuple(self._referred))
            failures = failures + 1 if any(map(self._lacks, self._referred)) else 0
            if failures:
                grown = self._options.first_gap_seconds * 2.0 ** min(failures, 10)
                await asyncio.sleep(min(grown, self._options.longest_gap_seconds) * (0.5 + self._chance() / 2))
