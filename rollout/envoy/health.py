"""The endpoints behind clusters, as Envoy itself judges them.

Polls the admin endpoint, for the backends that somebody asked about and no others. A host is ready
unless Envoy's active health check, its outlier detection or the discovery service says otherwise:
a cluster without any of these has ready hosts even when all are dead, which the how-to says too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from rollout.ending import end
from rollout.engine.observation import UNKNOWN_ENDPOINTS, BackendKey, Endpoints
from rollout.envoy.admin import AdminClient, ClusterStatus, Host
from rollout.errors import PermanentError, TemporaryError, Unavailable
from rollout.failover.readings import EndpointsSeen
from rollout.ports import Clock
from rollout.signals import Target

_log = structlog.get_logger(__name__)
_TRUSTED_MISSES = 2
_CHUNK = 100


@dataclass(frozen=True, slots=True)
class _Found:
    """What a look found of one cluster."""

    endpoints: Endpoints
    targets: tuple[Target, ...] = ()


_UNSEEN = _Found(UNKNOWN_ENDPOINTS)
_EMPTY = _Found(Endpoints(0, 0))


class EnvoyBackendHealth:
    """``BackendHealth`` of one Envoy; ``start`` before use, ``aclose`` at the end.

    A cluster that Envoy does not know has no endpoints, and that is known, but of an Envoy that starts. When Envoy
    cannot be asked twice in a row nothing is known.
    """

    def __init__(self, admin: AdminClient, clock: Clock, *, poll_seconds: float = 1.0) -> None:
        """Keep whom to ask and how often; ``failed_rounds`` counts rounds that broke."""
        self._admin = admin
        self._clock = clock
        self._heard_at = 0.0
        self._poll_seconds = poll_seconds
        self._seen: dict[BackendKey, _Found] = {}
        self._asked = asyncio.Event()
        self._listeners: list[Callable[[BackendKey], None]] = []
        self._task: asyncio.Task[None] | None = None
        self._misses = 0
        self.failed_rounds = 0

    async def start(self) -> None:
        """Begin to poll."""
        self._task = asyncio.create_task(self._watch(), name="envoy-endpoints")

    async def aclose(self) -> None:
        """Stop polling; the admin client is its owner's to close."""
        await end(self._task)
        self._task = None

    def endpoints(self, backend: BackendKey) -> Endpoints:
        """Return the ready endpoints from the cache; the first question about a backend starts looking at it."""
        return self._find(backend).endpoints

    def seen(self, backend: BackendKey) -> EndpointsSeen:
        """Return the ready endpoints, and when Envoy told of them (Unix seconds; never, when nothing is known)."""
        found = self._find(backend).endpoints
        return EndpointsSeen(found.ready, found.total, self._heard_at if found.known else None)

    def targets(self, backend: BackendKey) -> tuple[Target, ...]:
        """Return the addresses of the cluster's hosts as last seen; a pipe is none. Asking begins to look."""
        return self._find(backend).targets

    def missing(self, backend: BackendKey) -> str:  # noqa: ARG002 - as the Protocol
        """Return nothing: a cluster that Envoy does not have yet may come at any moment, and has no endpoint until."""
        return ""

    def subscribe(self, listener: Callable[[BackendKey], None]) -> None:
        """Call ``listener`` whenever a backend's endpoints changed."""
        self._listeners.append(listener)

    def _find(self, backend: BackendKey) -> _Found:
        if backend not in self._seen:
            self._seen[backend] = _UNSEEN
            self._asked.set()
        return self._seen[backend]

    async def _watch(self) -> None:
        """Look again and again, and at once when a new backend is asked about."""
        while True:
            await self._pause()
            try:
                await self._round()
            except Exception:  # noqa: BLE001 - top of a loop, logged and counted
                # Without this loop health would stand still for ever, and look fresh.
                self.failed_rounds += 1
                _log.exception("looking at endpoints failed", failed_rounds=self.failed_rounds)

    async def _pause(self) -> None:
        """Wait for the next round, or for a new backend."""
        try:
            async with asyncio.timeout(self._poll_seconds):
                await self._asked.wait()
        except TimeoutError:
            return
        self._asked.clear()

    async def _round(self) -> None:
        """Ask about every known backend once."""
        names = sorted({backend.name for backend in self._seen})
        found: dict[str, _Found] = {}
        try:
            for start in range(0, len(names), _CHUNK):
                clusters = await self._admin.clusters(names[start : start + _CHUNK])
                found.update((name, _found(status)) for name, status in clusters.items())
            now = {name: found.get(name, _EMPTY) for name in names}
            if any(not each.endpoints.ready for each in now.values()) and not await self._admin.ready():
                raise Unavailable("Envoy is starting")  # it has not found its clusters yet, nor asked their hosts
        except (TemporaryError, PermanentError):
            self._misses += 1
            if self._misses >= _TRUSTED_MISSES:
                self._take({})
            return
        self._misses = 0
        self._heard_at = self._clock.now()
        self._take(now)

    def _take(self, found: Mapping[str, _Found]) -> None:
        """Keep what was found and tell of changes; of what is not in it only the place is still known."""
        for backend, before in list(self._seen.items()):
            now = found.get(backend.name, _Found(UNKNOWN_ENDPOINTS, before.targets))
            if now != before:
                self._seen[backend] = now
                for listener in self._listeners:
                    listener(backend)


def _found(status: ClusterStatus) -> _Found:
    """Return what counts of one cluster; a host that stands in two localities is one target."""
    places = {target for target in map(_target, status.hosts) if target is not None}
    ready = sum(host.ready for host in status.hosts)
    return _Found(Endpoints(ready, len(status.hosts)), tuple(sorted(places)))


def _target(host: Host) -> Target | None:
    address, _, port = host.address.rpartition(":")
    if not (address and port.isdecimal() and int(port)):
        return None
    return Target(address, int(port))
