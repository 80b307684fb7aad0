"""A reflector: one kind of objects of the cluster in memory, kept as the API server has it.

List in pages, then watch from there, and again: a watch is renewed after ``renew_seconds``, so that a connection that
died without a word is found soon after. What is too old is listed again; what fails is tried again with growing,
jittered gaps. The caches of this room (``store``, ``routes``, ``endpoints``, ``workloads``) stand on it. It knows
nothing of what the objects mean: ``keep`` says which of them, and which of their fields, stay in memory.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import structlog

from rollout.errors import NotOursError, RolloutError
from rollout.kube.api import KubeApi
from rollout.kube.faults import Expired
from rollout.kube.resources import Document, Resource, age_of, name_of, version_of
from rollout.ports import Clock

log = structlog.get_logger(__name__)

Name = tuple[str, str]
"""Namespace (empty where there is none) and name."""

Keep = Callable[[Document], Document | None]
"""Return what stays in memory of an object: a smaller copy with its metadata's name, namespace and version, or None."""

Listener = Callable[[Name, Document | None, Document | None], None]
"""Takes whose object changed, what it was and what it is (None: there was, or is, none)."""


@dataclass(frozen=True, slots=True)
class ReflectorOptions:
    """How a reflector watches: for so many seconds at a time, in pages of so many, with these gaps after a failure."""

    renew_seconds: float = 240.0
    page: int = 500
    first_gap_seconds: float = 0.2
    longest_gap_seconds: float = 10.0
    shortest_watch_seconds: float = 1.0
    fresh_seconds: float = 30.0


class Reflector:
    """The objects of one kind; begun with ``start``, ended with ``aclose``."""

    def __init__(  # noqa: PLR0913 - what is watched, and with what
        self,
        api: KubeApi,
        resource: Resource,
        keep: Keep,
        clock: Clock,
        *,
        chance: Callable[[], float],
        namespace: str = "",
        options: ReflectorOptions = ReflectorOptions(),
    ) -> None:
        """Watch ``resource`` in ``namespace`` (empty: in all); ``chance`` gives jitter from 0 to 1."""
        self._api = api
        self._resource = resource
        self._keep = keep
        self._clock = clock
        self._chance = chance
        self._namespace = namespace
        self._options = options
        self._objects: dict[Name, Document] = {}
        self._gone: dict[Name, int] = {}
        self._listeners: list[Listener] = []
        self._synced = asyncio.Event()
        self._answered = asyncio.Event()
        self._heard_at = -math.inf
        self._version = ""
        self._failures = 0
        self._task: asyncio.Task[None] | None = None
        self.problem = ""
        self.absent = False

    @property
    def resource(self) -> Resource:
        """Return what is watched."""
        return self._resource

    @property
    def synced(self) -> bool:
        """Return whether the first list is in."""
        return self._synced.is_set()

    @property
    def fresh(self) -> bool:
        """Return whether the API server was heard of so lately that what is here is what there is."""
        age = self._clock.monotonic() - self._heard_at
        return self.synced and age < self._options.fresh_seconds + self._options.renew_seconds

    @property
    def live(self) -> bool:
        """Return whether the watch was opened or heard from within ``fresh_seconds``."""
        return self.synced and self._clock.monotonic() - self._heard_at < self._options.fresh_seconds

    def get(self, namespace: str, name: str) -> Document | None:
        """Return what is kept of the object, or None."""
        return self._objects.get((namespace, name))

    def names(self) -> list[Name]:
        """Return the names of all objects that are kept."""
        return list(self._objects)

    def __iter__(self) -> Iterator[Document]:
        """Give what is kept of every object."""
        return iter(list(self._objects.values()))

    def subscribe(self, listener: Listener) -> None:
        """Call ``listener`` (on the loop) with every change of what is kept, those of the first list included."""
        self._listeners.append(listener)

    def put(self, document: Document) -> None:
        """Take in what a write or a single read answered, unless something newer is known."""
        name, age = name_of(document), age_of(version_of(document))
        before = self._objects.get(name)
        if age <= self._gone.get(name, -1) or (before is not None and age < age_of(version_of(before))):
            return
        kept = self._keep(document)
        self._gone.pop(name, None)
        if kept is None:
            self._objects.pop(name, None)
        else:
            self._objects[name] = kept
        if kept is not None or before is not None:
            self._tell(name, before, kept)

    def forget(self, namespace: str, name: str, *, age: int) -> None:
        """Take out an object that is gone; what is older than ``age`` does not bring it back."""
        before = self._objects.get((namespace, name))
        if before is not None and age_of(version_of(before)) > age:
            return
        self._gone[namespace, name] = age
        if self._objects.pop((namespace, name), None) is not None:
            self._tell((namespace, name), before, None)

    def _tell(self, name: Name, before: Document | None, now: Document | None) -> None:
        if before is not None and now is not None and version_of(before) == version_of(now):
            return
        for listener in self._listeners:
            listener(name, before, now)

    async def start(self, *, patience_seconds: float = 60.0) -> None:
        """Begin, and return when the first list is in, when the cluster has no such resource, or when patience is over.

        It goes on trying by itself; ``absent`` says whether the API server answered last that it has no such resource.
        """
        self._task = asyncio.create_task(self._run(), name=f"watch of {self._resource.plural}")
        try:
            await asyncio.wait_for(self._answered.wait(), patience_seconds)
        except TimeoutError:
            log.warning("not seen yet", what=self._resource.plural, why=self.problem)

    async def aclose(self) -> None:
        """End the watch; what is in memory stays."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            began = self._clock.monotonic()
            try:
                if not self._version:
                    await self._list()
                await self._watch()
            except Expired:
                self._version = ""
                self._failures += 1
                await self._rest(0.0 if self._failures == 1 else self._gap())
            except NotOursError as error:
                self._told(str(error))
                self._version, self.absent = "", True
                self._answered.set()
                await self._rest(self._gap())
            except RolloutError as error:
                self._told(str(error))
                await self._rest(self._gap())
            except Exception as error:
                log.exception("watch failed", what=self._resource.plural)
                self._told(f"{self._resource.plural}: {type(error).__name__}")
                self._version = ""
                await self._rest(self._gap())
            else:
                short = self._clock.monotonic() - began < self._options.shortest_watch_seconds
                self._failures = self._failures + 1 if short else 0
                await self._rest(self._gap() if short else 0.0)

    def _told(self, why: str) -> None:
        self._failures += 1
        if self.problem != why:
            log.warning("watch failed", what=self._resource.plural, why=why)
        self.problem = why

    def _gap(self) -> float:
        grown = self._options.first_gap_seconds * 2.0 ** min(self._failures, 10)
        return min(self._options.longest_gap_seconds, grown) * (0.5 + self._chance() / 2)

    async def _rest(self, seconds: float) -> None:
        if seconds > 0:
            await asyncio.sleep(seconds)

    async def _list(self) -> None:
        """Read everything, and tell what changed since; an object that is not listed any more is gone."""
        found: set[Name] = set()
        page = await self._api.list_page(self._resource, namespace=self._namespace, limit=self._options.page)
        version = version_of(page)
        while True:
            for item in page.get("items") or ():
                found.add(name_of(item))
                self.put(item)
            after = str((page.get("metadata") or {}).get("continue") or "")
            if not after:
                break
            page = await self._api.list_page(
                self._resource, namespace=self._namespace, limit=self._options.page, after=after
            )
        for namespace, name in self.names():
            if (namespace, name) not in found:
                self.forget(namespace, name, age=age_of(version))
        self._version = version
        self._gone.clear()
        self._heard()
        self._synced.set()
        self._answered.set()

    def _heard(self) -> None:
        self._heard_at = self._clock.monotonic()
        self.problem = ""
        self.absent = False

    async def _watch(self) -> None:
        events = self._api.watch(
            self._resource, namespace=self._namespace, since=self._version, seconds=self._options.renew_seconds
        )
        try:
            async for kind, document in events:
                self._take(kind, document)
                self._heard()
        finally:
            await events.aclose()

    def _take(self, kind: str, document: Document) -> None:
        if kind == "OPENED":
            return
        self._version = version_of(document) or self._version
        if kind in {"ADDED", "MODIFIED"}:
            self.put(document)
        elif kind == "DELETED":
            namespace, name = name_of(document)
            self.forget(namespace, name, age=age_of(self._version))
            if len(self._gone) > self._options.page:
                self._gone.clear()
