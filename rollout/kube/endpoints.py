"""The endpoints behind Services, as the cluster's EndpointSlices tell of them: the port ``BackendHealth``.

Two reflectors feed counts that are made when something changes, so that a read is a look into a table, and a listener
hears of a lost endpoint in the same breath in which the event came. What the counts mean is ``rollout.kube.slices``'s.

Slices are what an abort hangs on, so their watch is renewed every 15 s: a connection that died without a word is found
within 20 s, and after 30 s of silence nothing is known any more. A read finds that out from the clock. Nobody is woken
for it: all passes at once would only meet the same silence, and an attempt passes every few seconds anyway. Services
hardly change, and only say which ports there are: their watch is renewed every 4 minutes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from rollout.engine.observation import UNKNOWN_ENDPOINTS, BackendKey, Endpoints
from rollout.failover.readings import EndpointsSeen
from rollout.kube.api import KubeApi
from rollout.kube.cache import Name
from rollout.kube.reflector import Reflector, ReflectorOptions
from rollout.kube.resources import ENDPOINT_SLICES, SERVICES, Document
from rollout.kube.slices import counts, keep_service, keep_slice, targets
from rollout.ports import Clock
from rollout.signals import Target

SLICES_RENEW_SECONDS = 15.0
SERVICES_RENEW_SECONDS = 240.0
NONE = Endpoints(ready=0, total=0)


class KubeEndpoints:
    """``BackendHealth`` of one cluster; ``start`` before use, ``aclose`` at the end."""

    def __init__(
        self, api: KubeApi, clock: Clock, *, chance: Callable[[], float], namespace: str = "", page: int = 500
    ) -> None:
        """Watch Services and EndpointSlices in ``namespace`` (empty: in all), read ``page`` at a time."""
        self._namespace = namespace
        self._clock = clock
        self._services, self._slices = (
            Reflector(api, resource, keep, clock, chance=chance, namespace=namespace, options=options)
            for resource, keep, options in (
                (SERVICES, keep_service, ReflectorOptions(SERVICES_RENEW_SECONDS, page)),
                (ENDPOINT_SLICES, keep_slice, ReflectorOptions(SLICES_RENEW_SECONDS, page)),
            )
        )
        self._services.subscribe(self._service_changed)
        self._slices.subscribe(self._slice_changed)
        self._slices_of: dict[Name, set[Name]] = {}
        self._counts: dict[Name, Mapping[int, Endpoints]] = {}
        self._targets: dict[BackendKey, tuple[Target, ...]] = {}
        self._listeners: list[Callable[[BackendKey], None]] = []

    async def start(self) -> None:
        """Begin to watch, and return when both caches are synced (or patience is over)."""
        await asyncio.gather(self._services.start(), self._slices.start())

    async def aclose(self) -> None:
        """End the watches."""
        await asyncio.gather(self._services.aclose(), self._slices.aclose())

    def watches(self) -> tuple[Reflector, ...]:
        """Return the reflectors that this stands on."""
        return self._services, self._slices

    def endpoints(self, backend: BackendKey) -> Endpoints:
        """Return the ready endpoints behind a port of a Service (port 0: behind any); none where there is no such.

        Not known: before both caches are synced, when the API server has been silent for too long, and of a Service
        that is an ExternalName or outside of the namespace that is watched.
        """
        if not (self._slices.live and self._services.fresh and self._is_watched(backend)):
            return UNKNOWN_ENDPOINTS
        return self._counts.get((backend.namespace, backend.name), {}).get(backend.port, NONE)

    def seen(self, backend: BackendKey) -> EndpointsSeen:
        """Return the ready endpoints, and when the watch of slices was last heard (Unix seconds).

        Never, where ``endpoints`` would not know even if it had just been heard.
        """
        found = self._counts.get((backend.namespace, backend.name), {}).get(backend.port, NONE)
        synced = self._slices.synced and self._services.synced
        if not (synced and self._is_watched(backend) and found.known):
            return EndpointsSeen(0, 0, None)
        # Services say nothing for minutes when all is well; only when they should have, their silence counts.
        heard = (each.heard_at for each in self.watches() if each is self._slices or not each.fresh)
        return EndpointsSeen(found.ready, found.total, self._clock.now() - self._clock.monotonic() + min(heard))

    def targets(self, backend: BackendKey) -> tuple[Target, ...]:
        """Return where the endpoints behind a port of a Service are (port 0: behind any), as last heard.

        Whoever asks once hears from then on when they are others, also where just as many are ready.
        """
        known = self._targets.get(backend)
        if known is None:
            known = self._targets[backend] = self._find_targets(backend)
        return known

    def missing(self, backend: BackendKey) -> str:
        """Return why nothing can be sent to the backend, empty when nothing speaks against it or nothing is known."""
        if not (self._services.synced and self._slices.synced):
            return ""
        what = f"Service {backend.namespace}/{backend.name}"
        if not self._is_watched(backend):
            return f"{what} is outside of namespace {self._namespace}, the only one that is watched"
        service = self._services.get(backend.namespace, backend.name)
        if service is None:
            return f"{what} does not exist"
        if service["external"]:
            return f"{what} is an ExternalName, whose endpoints cannot be seen"
        return f"{what} has no port {backend.port}" if backend.port and backend.port not in service["ports"] else ""

    def subscribe(self, listener: Callable[[BackendKey], None]) -> None:
        """Call ``listener`` with every port of a Service behind which something changed, and then with port 0."""
        self._listeners.append(listener)

    def _is_watched(self, backend: BackendKey) -> bool:
        return self._namespace in {"", backend.namespace}

    def _service_changed(self, name: Name, _before: Document | None, _now: Document | None) -> None:
        self._count(name)

    def _slice_changed(self, name: Name, before: Document | None, now: Document | None) -> None:
        namespace = name[0]
        was, is_now = (kept["service"] if kept is not None else "" for kept in (before, now))
        if was and was != is_now:
            self._slices_of[namespace, was].discard(name)
            if not self._slices_of[namespace, was]:
                del self._slices_of[namespace, was]
            self._count((namespace, was))
        if is_now:
            self._slices_of.setdefault((namespace, is_now), set()).add(name)
            self._count((namespace, is_now))

    def _count(self, service: Name) -> None:
        """Count what is behind the Service anew, and tell of the ports where it is something else."""
        now = counts(self._services.get(*service), self._slices_behind(service))
        before = self._counts.pop(service, {})
        if now:
            self._counts[service] = now
        for port in sorted(before.keys() | now.keys(), reverse=True):
            backend = BackendKey(*service, port)
            if self._moved(backend) or before.get(port) != now.get(port):
                self._tell(backend)

    def _moved(self, backend: BackendKey) -> bool:
        """Return whether the targets that somebody asked for are others now."""
        known = self._targets.pop(backend, None)
        if known is None:
            return False
        self._targets[backend] = self._find_targets(backend)
        return self._targets[backend] != known

    def _find_targets(self, backend: BackendKey) -> tuple[Target, ...]:
        name = backend.namespace, backend.name
        return targets(self._services.get(*name), self._slices_behind(name), backend.port)

    def _slices_behind(self, service: Name) -> list[Document]:
        slices = (self._slices.get(*name) for name in self._slices_of.get(service, ()))
        return [kept for kept in slices if kept is not None]

    def _tell(self, backend: BackendKey) -> None:
        for listener in self._listeners:
            listener(backend)
