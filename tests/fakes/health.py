"""Endpoints in memory that pass the contract of `BackendHealth`."""

from collections.abc import Callable

from rollout.engine.observation import UNKNOWN_ENDPOINTS, BackendKey, Endpoints


class FakeBackendHealth:
    """`BackendHealth` that says what it was told last."""

    def __init__(self) -> None:
        self._endpoints: dict[BackendKey, Endpoints] = {}
        self._gone: set[BackendKey] = set()
        self._listeners: list[Callable[[BackendKey], None]] = []

    def put(self, backend: BackendKey, endpoints: Endpoints) -> None:
        """Let the backend have these endpoints from now on."""
        before, was_gone = self.endpoints(backend), backend in self._gone
        self._endpoints[backend] = endpoints
        self._gone.discard(backend)
        if was_gone or endpoints != before:
            self._tell(backend)

    def take_away(self, backend: BackendKey) -> None:
        """Let there be no such backend from now on."""
        self._endpoints[backend] = Endpoints(0, 0)
        self._gone.add(backend)
        self._tell(backend)

    def endpoints(self, backend: BackendKey) -> Endpoints:
        """Return the endpoints, unknown when nothing was said."""
        return self._endpoints.get(backend, UNKNOWN_ENDPOINTS)

    def missing(self, backend: BackendKey) -> str:
        """Return a sentence for a backend that was taken away."""
        return f"Service {backend.namespace}/{backend.name} does not exist" if backend in self._gone else ""

    def subscribe(self, listener: Callable[[BackendKey], None]) -> None:
        """Call `listener` on every change."""
        self._listeners.append(listener)

    def _tell(self, backend: BackendKey) -> None:
        for listener in self._listeners:
            listener(backend)
