"""Observe: everything that a pass looks at, from caches and from what was measured beside it."""

from __future__ import annotations

from collections.abc import Iterable

from rollout.controller.catalog import Resolved
from rollout.controller.entry import Entry
from rollout.engine.observation import BackendKey, Observation, RouteKey
from rollout.engine.state import State
from rollout.engine.weights import backend_key, route_key
from rollout.ports import BackendHealth, RouteTable, StoredRollout
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

    def __init__(self, routes: RouteTable, health: BackendHealth, *, cadence_seconds: float) -> None:
        """Look at ``routes`` and ``health``; ``cadence_seconds`` is how often counters are asked for."""
        self._routes = routes
        self._health = health
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
        seen = Observation(
            now=now,
            session_started_at=session,
            cadence_seconds=self._cadence_seconds,
            routes=routes,
            endpoints={b.name: self._health.endpoints(b) for b in backends_of(spec, state, namespace)},
            batch=entry.batch,
            source_problem=entry.source_problem,
            gates=entry.gates,
            command=stored.command,
            problems=resolved.problems + unread,
            deleting=stored.deleting,
            generation=stored.generation,
            write_problem=entry.write_problem,
        )
        entry.batch = None
        return seen
