"""Observe: everything that a pass looks at, from caches and from what was measured beside it."""

from __future__ import annotations

from collections.abc import Iterable

from rollout.controller.catalog import Resolved
from rollout.controller.entry import Entry
from rollout.engine.observation import BackendKey, Observation, RouteKey, WorkloadView
from rollout.engine.state import State
from rollout.engine.weights import backend_key, route_key
from rollout.engine.workloads import workload_keys
from rollout.ports import RouteTable, StoredRollout, Workloads
from rollout.signals import BackendHealth
from rollout.spec.resource import RolloutSpec


def routes_of(spec: RolloutSpec | None, state: State, namespace: str) -> tuple[RouteKey, ...]:
    """Return the routes that matter: those of the spec, or of the status when the spec is invalid."""
    if spec is not None:
        return tuple(dict.fromkeys(route_key(ref, namespace) for ref in spec.routes))
    return tuple(dict.fromkeys(rule.route for rule in state.owned))


def backends_of(spec: RolloutSpec | None, state: State, namespace: str) -> tuple[BackendKey, ...]:
    """Return the backends that matter: those of the spec, or of the status when the spec is invalid."""
    if spec is not None:
        refs = (spec.backends.stable, spec.backends.canary, *spec.backends.backups)
        return tuple(backend_key(ref, namespace) for ref in refs)
    known: Iterable[BackendKey] = state.owned[0].backends if state.owned else ()
    return tuple(known)


class Observer:
    """Makes observations from the caches of the adapters."""

    def __init__(
        self, routes: RouteTable, health: BackendHealth, workloads: Workloads, *, cadence_seconds: float
    ) -> None:
        """Look at these; ``cadence_seconds`` is how often counters are asked for."""
        self._routes = routes
        self._health = health
        self._workloads = workloads
        self._cadence_seconds = cadence_seconds

    def observe(
        self, entry: Entry, stored: StoredRollout, resolved: Resolved, *, now: float, session: float
    ) -> Observation:
        """Return what is seen of the Rollout; what was measured is taken out of ``entry``, so that it counts once."""
        spec = resolved.rollout.spec if resolved.rollout is not None else None
        state = entry.state or State()
        namespace = stored.key.namespace
        routes = {key: self._routes.read(key) for key in routes_of(spec, state, namespace)}
        unread = tuple(
            f"{key}: {why}" for key, view in routes.items() if view is None and (why := self._routes.explain(key))
        )
        backends = backends_of(spec, state, namespace)
        missing = tuple(why for backend in backends if (why := self._health.missing(backend)))
        seen = Observation(
            now=now,
            session_started_at=session,
            cadence_seconds=self._cadence_seconds,
            routes=routes,
            endpoints={backend.name: self._health.endpoints(backend) for backend in backends},
            batch=entry.batch,
            source_problem=entry.source_problem,
            gates=entry.gates,
            command=stored.command,
            problems=resolved.problems + unread + missing,
            deleting=stored.deleting,
            generation=stored.generation,
            workloads=self._workloads_of(spec, namespace),
            write_problem=entry.write_problem,
            order_problem=entry.order_problem,
        )
        entry.batch = None
        return seen

    def _workloads_of(self, spec: RolloutSpec | None, namespace: str) -> dict[str, WorkloadView | None]:
        if spec is None:
            return {}
        return {backend: self._workloads.read(key) for backend, key in workload_keys(spec, namespace).items()}
