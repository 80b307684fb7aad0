"""Endpoints and gates of a rehearsal: what the file says, at once.

Implements ``BackendHealth`` and ``Gates``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping

from rollout.engine.observation import UNKNOWN_ENDPOINTS, BackendKey, Endpoints, GateAnswer
from rollout.failover.readings import EndpointsSeen
from rollout.ports import Clock
from rollout.rehearsal.scenario import GateMode
from rollout.signals import Target
from rollout.spec.traffic import Gate


class SimulatedHealth:
    """``BackendHealth`` in memory."""

    def __init__(self, backends: Iterable[BackendKey], ready: Callable[[str], tuple[int, int]], clock: Clock) -> None:
        self._backends = tuple(backends)
        self._clock = clock
        self._ready = ready
        self._listeners: list[Callable[[BackendKey], None]] = []

    def endpoints(self, backend: BackendKey) -> Endpoints:
        """Return the ready endpoints; those of a backend that the rehearsal does not have are unknown."""
        if backend not in self._backends:
            return UNKNOWN_ENDPOINTS
        ready, total = self._ready(backend.name)
        return Endpoints(ready, total)

    def seen(self, backend: BackendKey) -> EndpointsSeen:
        """Return the endpoints, heard this moment."""
        found = self.endpoints(backend)
        return EndpointsSeen(found.ready, found.total, self._clock.now() if found.known else None)

    def targets(self, backend: BackendKey) -> tuple[Target, ...]:
        """Return an address for each endpoint; nobody listens there."""
        total = self.endpoints(backend).total
        return tuple(Target(f"{backend.name}-{number}", backend.port) for number in range(total))

    def missing(self, backend: BackendKey) -> str:  # noqa: ARG002 - as the Protocol
        """Return nothing: a rehearsal has the backends that its file names."""
        return ""

    def subscribe(self, listener: Callable[[BackendKey], None]) -> None:
        """Call ``listener`` after each change."""
        self._listeners.append(listener)

    def changed(self, name: str) -> None:
        """Tell that a backend's endpoints may be others now."""
        for backend in self._backends:
            if backend.name == name:
                for listener in self._listeners:
                    asyncio.get_running_loop().call_soon(listener, backend)


class SimulatedGates:
    """``Gates`` that agree, unless the file says otherwise."""

    def __init__(self) -> None:
        self.modes: dict[str, GateMode] = {}

    async def ask(self, gate: Gate, *, body: Mapping[str, object]) -> GateAnswer:  # noqa: ARG002 - as the Protocol
        """Answer for ``gate`` without calling anybody."""
        agrees = self.modes.get(gate.name, GateMode.AGREE) is GateMode.AGREE
        return GateAnswer(agrees, f"answered {'200' if agrees else '403'}")
