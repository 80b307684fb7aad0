"""Deployments, StatefulSets and DaemonSets behind backends: the port ``Workloads``.

One reflector for each kind, which begins when somebody first asks for that kind: most clusters need Deployments only,
and what is not watched needs no right. What stays in memory of a workload is its view, with a hash of the pod template
in place of the template; a copy reads both templates when it is made.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial

from rollout.ending import end
from rollout.engine.observation import WorkloadKey, WorkloadView
from rollout.errors import ConflictError, NotOursError, PermanentError, UpdateRefused
from rollout.kube.api import KubeApi
from rollout.kube.cache import Name
from rollout.kube.podtemplates import copied, guarded, template_of, version, view_of
from rollout.kube.reflector import Reflector, ReflectorOptions
from rollout.kube.resources import (
    DAEMON_SETS,
    DEPLOYMENTS,
    STATEFUL_SETS,
    Document,
    Resource,
    age_of,
    name_of,
    version_of,
)
from rollout.ports import Clock

KINDS = {resource.kind: resource for resource in (DEPLOYMENTS, STATEFUL_SETS, DAEMON_SETS)}
RENEW_SECONDS = 60.0


class KubeWorkloads:
    """``Workloads`` of one cluster; ``start`` before use, ``aclose`` at the end."""

    def __init__(
        self,
        api: KubeApi,
        clock: Clock,
        *,
        chance: Callable[[], float],
        namespace: str = "",
        kinds: Iterable[str] = ("Deployment",),
    ) -> None:
        """Watch in ``namespace`` (empty: in all): ``kinds`` from the start, others once they are asked for."""
        self._api = api
        self._kinds = tuple(kinds)
        self._reflectors = {
            kind: Reflector(
                api,
                resource,
                partial(keep_workload, kind),
                clock,
                chance=chance,
                namespace=namespace,
                options=ReflectorOptions(RENEW_SECONDS),
            )
            for kind, resource in KINDS.items()
        }
        self._starts: dict[str, asyncio.Task[None]] = {}
        self._listeners: list[Callable[[WorkloadKey], None]] = []
        for kind, reflector in self._reflectors.items():
            reflector.subscribe(partial(self._changed, kind))

    async def start(self) -> None:
        """Begin to watch, and return when what is watched from the start is synced (or patience is over)."""
        for kind in self._kinds:
            self._want(kind)
        await asyncio.gather(*self._starts.values())

    async def aclose(self) -> None:
        """End the watches."""
        await end(*self._starts.values())
        await asyncio.gather(*(reflector.aclose() for reflector in self._reflectors.values()))

    def watches(self) -> tuple[Reflector, ...]:
        """Return the reflectors of the kinds that are watched from the start; what others lack, ``explain`` says."""
        return tuple(self._reflectors[kind] for kind in self._kinds)

    def read(self, key: WorkloadKey) -> WorkloadView | None:
        """Return the workload from the cache, or None; the first question about a kind begins to watch it."""
        if key.kind not in KINDS:
            return None
        self._want(key.kind)
        kept = self._reflectors[key.kind].get(key.namespace, key.name)
        return kept["view"] if kept is not None else None

    def explain(self, key: WorkloadKey) -> str:
        """Return why the workload cannot be seen, as the port says."""
        reflector = self._reflectors.get(key.kind)
        if reflector is None or reflector.synced or not (reflector.refused or reflector.absent):
            return ""
        return f"{key.kind}s cannot be seen: {reflector.problem}"

    async def copy_template(
        self, source: WorkloadKey, target: WorkloadKey, *, template: str, expected: str
    ) -> WorkloadView:
        """Give ``target`` the pod template of ``source``, as the port says."""
        giving, taking = await asyncio.gather(self._fetch(source), self._fetch(target))
        if template_of(giving["spec"]["template"]) != template:
            raise ConflictError(f"{source} has another pod template than the one that was to be copied")
        if version(taking) != expected:
            raise ConflictError(f"{target} was changed by somebody else")
        return await self._order(target, guarded(expected, "/spec/template", copied(giving, taking)))

    async def scale(self, key: WorkloadKey, replicas: int, *, expected: str) -> WorkloadView:
        """Let the workload have so many pods, as the port says."""
        if key.kind == DAEMON_SETS.kind:
            raise UpdateRefused(f"{key} has as many pods as there are nodes for it")
        return await self._order(key, guarded(expected, "/spec/replicas", replicas))

    def subscribe(self, listener: Callable[[WorkloadKey], None]) -> None:
        """Call ``listener`` whenever a workload or the state of its pods changed."""
        self._listeners.append(listener)

    def _want(self, kind: str) -> None:
        if kind not in self._starts:
            self._starts[kind] = asyncio.create_task(self._reflectors[kind].start(), name=f"first look at {kind}s")

    def _changed(self, kind: str, name: Name, before: Document | None, now: Document | None) -> None:
        if before is not None and now is not None and before["view"] == now["view"]:
            return
        for listener in self._listeners:
            listener(WorkloadKey(kind, *name))

    async def _order(self, key: WorkloadKey, operations: list[Document]) -> WorkloadView:
        async with self._translated(key):
            try:
                after = await self._api.patch(_resource(key), key.namespace, key.name, operations)
            except ConflictError:
                await self._fetch(key)
                raise
        self._reflectors[key.kind].put(after)
        return view_of(key, after)

    async def _fetch(self, key: WorkloadKey) -> Document:
        """Read the workload as it is now, and take it into the cache."""
        async with self._translated(key):
            found = await self._api.get(_resource(key), key.namespace, key.name)
        self._reflectors[key.kind].put(found)
        return found

    @asynccontextmanager
    async def _translated(self, key: WorkloadKey) -> AsyncIterator[None]:
        try:
            yield
        except NotOursError as error:
            kept = self._reflectors[key.kind].get(key.namespace, key.name) if key.kind in KINDS else None
            if kept is not None:
                self._reflectors[key.kind].forget(key.namespace, key.name, age=age_of(version_of(kept)))
            raise NotOursError(f"{key} is gone") from error
        except UpdateRefused:
            raise
        except PermanentError as error:
            raise UpdateRefused(str(error)) from error


def _resource(key: WorkloadKey) -> Resource:
    if key.kind not in KINDS:
        raise UpdateRefused(f"{key} is none of {', '.join(KINDS)}")
    return KINDS[key.kind]


def keep_workload(kind: str, document: Document) -> Document:
    """Return what stays in memory of a workload: its view."""
    metadata = {part: document["metadata"].get(part) for part in ("name", "namespace", "resourceVersion")}
    return {"metadata": metadata, "view": view_of(WorkloadKey(kind, *name_of(document)), document)}
