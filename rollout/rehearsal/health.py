"""Endpoints and gates of a rehearsal: what the file says, at once, or what it said when the controller went blind.

Implements ``BackendHealth`` and ``Gates``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import assert_never

from rollout.engine.hooks import GateAnswer
from rollout.engine.observation import UNKNOWN_ENDPOINTS, BackendKey, Endpoints
from rollout.failover.readings import HEARD_SECONDS, EndpointsSeen
from rollout.ports import Clock, GateCall
from rollout.rehearsal.scenario import GateMode
from rollout.signals import Target


@dataclass(frozen=True, slots=True)
class _Glimpse:
    """What was seen last, and when (Unix seconds): (ready, all) by the name of the backend."""

    at: float
    ready: Mapping[str, tuple[int, int]]


class SimulatedHealth:
    """``BackendHealth`` in memory."""

    def __init__(self, backends: Iterable[BackendKey], ready: Callable[[str], tuple[int, int]], clock: Clock) -> None:
        self.backends = tuple(backends)
        self._clock = clock
        self._ready = ready
        self._last: _Glimpse | None = None
        self._listeners: list[Callable[[BackendKey], None]] = []

    def freeze(self, *, knowing: bool) -> None:
        """Show what is seen now from now on, whatever happens; without ``knowing``, what nobody has seen yet."""
        if self._last is None:
            ready = {backend.name: self._ready(backend.name) for backend in self.backends} if knowing else {}
            self._last = _Glimpse(self._clock.now(), ready)

    def thaw(self) -> None:
        """Show what there is again, and tell that it may be something else."""
        if self._last is not None:
            self._last = None
            for backend in self.backends:
                self.changed(backend.name)

    def endpoints(self, backend: BackendKey) -> Endpoints:
        """Return the ready endpoints; not known: of a backend that is not there, or not heard of for too long."""
        seen = self.seen(backend)
        if seen.heard_at is None or self._clock.now() >= seen.heard_at + HEARD_SECONDS:
            return UNKNOWN_ENDPOINTS
        return Endpoints(seen.ready, seen.total)

    def seen(self, backend: BackendKey) -> EndpointsSeen:
        """Return the endpoints, heard this moment, or when the controller went blind."""
        if backend not in self.backends:
            return EndpointsSeen(0, 0, None)
        if self._last is None:
            return EndpointsSeen(*self._ready(backend.name), self._clock.now())
        if backend.name not in self._last.ready:
            return EndpointsSeen(0, 0, None)
        return EndpointsSeen(*self._last.ready[backend.name], self._last.at)

    def targets(self, backend: BackendKey) -> tuple[Target, ...]:
        """Return an address for each endpoint, ready or not; nobody listens there."""
        return tuple(Target(f"{backend.name}-{number}", backend.port) for number in range(self.seen(backend).total))

    def missing(self, backend: BackendKey) -> str:  # noqa: ARG002 - as the Protocol
        """Return nothing: a rehearsal has the backends that its file names."""
        return ""

    def subscribe(self, listener: Callable[[BackendKey], None]) -> None:
        """Call ``listener`` after each change."""
        self._listeners.append(listener)

    def changed(self, name: str) -> None:
        """Tell that a backend's endpoints may be others now, if that can be seen."""
        for backend in self.backends if self._last is None else ():
            if backend.name == name:
                for listener in self._listeners:
                    asyncio.get_running_loop().call_soon(listener, backend)


class SimulatedGates:
    """``Gates`` that agree, unless the file says otherwise."""

    def __init__(self) -> None:
        self.modes: dict[str, GateMode] = {}

    async def ask(self, call: GateCall) -> GateAnswer:
        """Answer for the gate without calling anybody."""
        match self.modes.get(call.gate.name, GateMode.AGREE):
            case GateMode.AGREE:
                return GateAnswer(agrees=True, message="answered 200")
            case GateMode.REFUSE:
                return GateAnswer(agrees=False, message="answered 403")
            case GateMode.FAIL:
                return GateAnswer(agrees=False, message="answered 500", tries=1 + call.gate.retries)
            case never:
                assert_never(never)


class SimulatedSwitch:
    """``Switch`` that the file turns."""

    def __init__(self) -> None:
        self._stopped = False
        self._listeners: list[Callable[[], None]] = []

    @property
    def stopped(self) -> str:
        """Return who stopped automatic failover, empty when nobody did."""
        return "All automatic failover is stopped by the rehearsal." if self._stopped else ""

    def turn(self, *, stopped: bool) -> None:
        """Stop automatic failover, or let it go on."""
        self._stopped = stopped
        for listener in self._listeners:
            asyncio.get_running_loop().call_soon(listener)

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` after each turn."""
        self._listeners.append(listener)
