"""The endpoints behind clusters, as Envoy itself judges them.

Polls the admin endpoint, for the backends that somebody asked about and no others. A host is ready
unless Envoy's active health check, its outlier detection or the discovery service says otherwise:
a cluster without any of these has ready hosts even when all are dead, which the how-to says too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from rollout.engine.observation import UNKNOWN_ENDPOINTS, BackendKey, Endpoints
from rollout.envoy.admin import AdminClient
from rollout.errors import PermanentError, TemporaryError

_log = structlog.get_logger(__name__)
_TRUSTED_MISSES = 2
_CHUNK = 100


class EnvoyBackendHealth:
    """``BackendHealth`` of one Envoy; ``start`` before use, ``aclose`` at the end.

    A cluster that Envoy does not know has no endpoints, and that is known. When Envoy cannot be
    asked twice in a row nothing is known.
    """

    def __init__(self, admin: AdminClient, *, poll_seconds: float = 1.0) -> None:
        """Keep whom to ask and how often; ``failed_rounds`` counts rounds that broke."""
        self._admin = admin
        self._poll_seconds = poll_seconds
        self._seen: dict[BackendKey, Endpoints] = {}
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
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def endpoints(self, backend: BackendKey) -> Endpoints:
        """Return the ready endpoints from the cache; the first question about a backend starts looking at it."""
        if backend not in self._seen:
            self._seen[backend] = UNKNOWN_ENDPOINTS
            self._asked.set()
        return self._seen[backend]

    def missing(self, backend: BackendKey) -> str:  # noqa: ARG002 - as the Protocol
        """Return nothing: a cluster that Envoy does not have yet may come at any moment, and has no endpoint until."""
        return ""

    def subscribe(self, listener: Callable[[BackendKey], None]) -> None:
        """Call ``listener`` whenever a backend's endpoints changed."""
        self._listeners.append(listener)

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
        found: dict[str, Endpoints] = {}
        try:
            for start in range(0, len(names), _CHUNK):
                clusters = await self._admin.clusters(names[start : start + _CHUNK])
                for name, status in clusters.items():
                    found[name] = Endpoints(sum(host.ready for host in status.hosts), len(status.hosts))
        except (TemporaryError, PermanentError):
            self._misses += 1
            if self._misses >= _TRUSTED_MISSES:
                self._take({})
            return
        self._misses = 0
        self._take({name: found.get(name, Endpoints(0, 0)) for name in names})

    def _take(self, found: dict[str, Endpoints]) -> None:
        """Keep what was found (what is not in it is unknown now) and tell of changes."""
        for backend, before in list(self._seen.items()):
            now = found.get(backend.name, UNKNOWN_ENDPOINTS)
            if now != before:
                self._seen[backend] = now
                for listener in self._listeners:
                    listener(backend)
