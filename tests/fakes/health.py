"""Endpoints in memory that pass the contract of `BackendHealth`."""

from collections.abc import Callable

from rollout.engine.observation import UNKNOWN_ENDPOINTS, BackendKey, Endpoints
from rollout.failover.readings import EndpointsSeen
from rollout.ports import Clock
from rollout.signals import Target
from tests.fakes.clock import FakeClock


class FakeBackendHealth:
    """`BackendHealth` that says what it was told last, and heard it just now unless `heard_at` says when."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.heard_at: float | None = None
        self._clock = clock or FakeClock()
        self._targets: dict[BackendKey, tuple[Target, ...]] = {}
        self._endpoints: dict[BackendKey, Endpoints] = {}
        self._gone: set[BackendKey] = set()
        self._listeners: list[Callable[[BackendKey], None]] = []

    def put(self, backend: BackendKey, endpoints: Endpoints, *targets: Target) -> None:
        """Let the backend have these endpoints from now on; targets are made up unless they are given."""
        before, was_gone = (self.endpoints(backend), self.targets(backend)), backend in self._gone
        made_up = (Target(f"10.0.{number // 256}.{number % 256}", 80) for number in range(endpoints.total))
        self._endpoints[backend], self._targets[backend] = endpoints, targets or tuple(made_up)
        self._gone.discard(backend)
        if was_gone or (endpoints, self._targets[backend]) != before:
            self._tell(backend)

    def take_away(self, backend: BackendKey) -> None:
        """Let there be no such backend from now on."""
        self._endpoints[backend], self._targets[backend] = Endpoints(0, 0), ()
        self._gone.add(backend)
        self._tell(backend)

    def endpoints(self, backend: BackendKey) -> Endpoints:
        """Return the endpoints, unknown when nothing was said."""
        return self._endpoints.get(backend, UNKNOWN_ENDPOINTS)

    def seen(self, backend: BackendKey) -> EndpointsSeen:
        """Return the endpoints, and when they were heard."""
        found = self.endpoints(backend)
        heard_at = self._clock.now() if self.heard_at is None else self.heard_at
        return EndpointsSeen(found.ready, found.total, heard_at if found.known else None)

    def targets(self, backend: BackendKey) -> tuple[Target, ...]:
        """Return the targets."""
        return self._targets.get(backend, ())

    def missing(self, backend: BackendKey) -> str:
        """Return a sentence for a backend that was taken away."""
        return f"Service {backend.namespace}/{backend.name} does not exist" if backend in self._gone else ""

    def subscribe(self, listener: Callable[[BackendKey], None]) -> None:
        """Call `listener` on every change."""
        self._listeners.append(listener)

    def _tell(self, backend: BackendKey) -> None:
        for listener in self._listeners:
            listener(backend)
