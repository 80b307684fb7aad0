"""Ports that count what goes through them, and the controller's tidings as counts: adapters know nothing of it.

``rollout.bootstrap`` puts these around the ports of a controller and subscribes ``count_told``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from rollout.analysis.samples import Batch
from rollout.controller.controller import Ports
from rollout.controller.passes import Told
from rollout.engine.hooks import Fault, GateAnswer
from rollout.engine.observation import RouteKey, RouteView, RuleWeights
from rollout.engine.table import Action
from rollout.failover.reasons import Reason as Failover
from rollout.meters import Meters, timed
from rollout.ports import Ask, GateCall, Gates, Key, Measurements, RolloutStore, RouteTable, StoredRollout
from rollout.spec.resource import PolicyRef

_ACTIONS = frozenset(Action)

MOVES = frozenset(
    {
        Failover.FAILED_OVER,
        Failover.MAINTENANCE,
        Failover.LATCHED,
        Failover.SHIFTED,
        Failover.RESCUED,
        Failover.ALL_UNHEALTHY,
        Failover.FAILING_BACK,
        Failover.FAILBACK_BROKE,
        Failover.FAILED_BACK,
        Failover.DRILLING,
    }
)
"""The reasons of transitions in which failover moves traffic."""


def metered(ports: Ports, meters: Meters) -> Ports:
    """Return the same ports, counted."""
    return replace(
        ports,
        store=MeteredStore(ports.store, meters),
        routes=MeteredRoutes(ports.routes, meters),
        measurements=MeteredMeasurements(ports.measurements, meters),
        gates=MeteredGates(ports.gates, meters),
    )


def count_told(meters: Meters) -> Callable[[Told], None]:
    """Return a listener that counts transitions and what became of commands."""

    def count(told: Told) -> None:
        if told.transition is not None:
            meters.moved(told.transition.phase.value, told.transition.reason)
            if told.transition.failover is not None and told.transition.reason in MOVES:
                meters.failed_over(told.transition.reason, told.cause)
        if told.handled is not None:
            action = told.handled.action if told.handled.action in _ACTIONS else "unknown"
            meters.commanded(action, told.handled.reason, done=told.handled.done)

    return count


class MeteredStore:
    """A store whose records are counted."""

    def __init__(self, store: RolloutStore, meters: Meters) -> None:
        """Count what goes to ``store``."""
        self._store = store
        self._meters = meters
        self.keys: Callable[[], Iterable[Key]] = store.keys
        self.read: Callable[[Key], StoredRollout | None] = store.read
        self.policy: Callable[[PolicyRef, str], Mapping[str, object] | None] = store.policy
        self.checkpoint = store.checkpoint
        self.remove = store.remove
        self.subscribe = store.subscribe

    async def record(self, key: Key, *, status: Mapping[str, object], expected: str) -> str:
        """Record, counted."""
        return await timed(self._store.record(key, status=status, expected=expected), self._meters.recorded)


class MeteredRoutes:
    """Routes whose writes are counted."""

    def __init__(self, routes: RouteTable, meters: Meters) -> None:
        """Count what is written into ``routes``."""
        self._routes = routes
        self._meters = meters
        self.read = routes.read
        self.explain = routes.explain
        self.subscribe = routes.subscribe

    async def write(self, key: RouteKey, rules: Sequence[RuleWeights], *, expected: str) -> RouteView:
        """Write, counted."""
        return await timed(self._routes.write(key, rules, expected=expected), self._meters.wrote)


class MeteredMeasurements:
    """A source whose measurements are counted."""

    def __init__(self, source: Measurements, meters: Meters) -> None:
        """Count what ``source`` is asked."""
        self._source = source
        self._meters = meters
        self.checkpoint = source.checkpoint

    @property
    def replays(self) -> bool:
        """Return whether past samples can be asked for again."""
        return self._source.replays

    async def measure(self, ask: Ask) -> Batch:
        """Measure, counted."""
        return await timed(self._source.measure(ask), self._meters.measured)


class MeteredGates:
    """Gates whose answers are counted."""

    def __init__(self, gates: Gates, meters: Meters) -> None:
        """Count what ``gates`` answer."""
        self._gates = gates
        self._meters = meters

    async def ask(self, call: GateCall) -> GateAnswer:
        """Call the gate, counted."""
        try:
            answer = await self._gates.ask(call)
        except Exception:
            self._meters.gate_called(Fault.OURS.value)
            raise
        self._meters.gate_called(answer.kind)
        return answer
