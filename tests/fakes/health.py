"""Endpoints in memory that pass the contract of `BackendHealth`."""

from collections.abc import Callable

from rollout.engine.observation import UNKNOWN_ENDPOINTS, BackendKey, Endpoints


class FakeBackendHealth:
    """`BackendHealth` that says what it was told last."""

    def __init__(self) -> None:
        self._endpoints: dict[BackendKey, Endpoints] = {}
        self._listeners: list[Callable[[BackendKey], None]] = []

    def put(self, backend: BackendKey, endpoints: Endpoints) -> None:
        """Let the backend have these endpoints from now on."""
        before = self.endpoints(backend)
        self._endpoints[backend] = endpoints
        if endpoints != before:
            for listener in self._listeners:
                listener(backend)

    def endpoints(self, backend: BackendKey) -> Endpoints:
        """Return the endpoints, unknown when nothing was said."""
        return self._endpoints.get(backend, UNKNOWN_ENDPOINTS)

    def subscribe(self, listener: Callable[[BackendKey], None]) -> None:
        """Call `listener` on every change."""
        self._listeners.append(listener)
