"""Who looks at what: which Rollouts a change of a route, backend or workload concerns. Asked on events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TypeVar

from rollout.controller.entry import Entry
from rollout.controller.observe import backends_of, routes_of
from rollout.engine.observation import BackendKey, RouteKey, WorkloadKey
from rollout.engine.state import State
from rollout.engine.workloads import workload_keys
from rollout.ports import Key

Name = TypeVar("Name", RouteKey, BackendKey, WorkloadKey)


class Links:
    """From routes, backends and workloads to the Rollouts that look at them."""

    def __init__(self) -> None:
        """Begin without any."""
        self._by_route: defaultdict[RouteKey, set[Key]] = defaultdict(set)
        self._by_backend: defaultdict[BackendKey, set[Key]] = defaultdict(set)
        self._by_workload: defaultdict[WorkloadKey, set[Key]] = defaultdict(set)

    def link(self, entry: Entry) -> None:
        """Remember what the Rollout looks at now, by its effective spec."""
        self.unlink(entry)
        rollout = entry.resolved.rollout if entry.resolved is not None else None
        spec, state = rollout.spec if rollout is not None else None, entry.state or State()
        entry.routes = routes_of(spec, state, entry.key.namespace)
        away = dict(state.failover.shares)  # what has traffic of a failover matters, whatever the spec names by now
        known = (backend for rule in state.owned for backend in rule.backends if backend.name in away)
        entry.backends = tuple(dict.fromkeys((*backends_of(spec, state, entry.key.namespace), *known)))
        entry.workloads = tuple(workload_keys(spec, entry.key.namespace).values()) if spec is not None else ()
        for route in entry.routes:
            self._by_route[route].add(entry.key)
        for backend in entry.backends:
            self._by_backend[backend].add(entry.key)
        for workload in entry.workloads:
            self._by_workload[workload].add(entry.key)

    def unlink(self, entry: Entry) -> None:
        """Forget what the Rollout looked at."""
        _discard(self._by_route, entry.routes, entry.key)
        _discard(self._by_backend, entry.backends, entry.key)
        _discard(self._by_workload, entry.workloads, entry.key)

    def of_route(self, route: RouteKey) -> Iterable[Key]:
        """Return the Rollouts that look at the route."""
        return tuple(self._by_route.get(route, ()))

    def of_backend(self, backend: BackendKey) -> Iterable[Key]:
        """Return the Rollouts that look at the backend."""
        return tuple(self._by_backend.get(backend, ()))

    def of_workload(self, workload: WorkloadKey) -> Iterable[Key]:
        """Return the Rollouts that look at the workload."""
        return tuple(self._by_workload.get(workload, ()))


def _discard(links: dict[Name, set[Key]], names: Iterable[Name], key: Key) -> None:
    """Take ``key`` from each of ``names``; a name that nobody looks at any more is not kept."""
    for name in names:
        who = links.get(name, set())
        who.discard(key)
        if not who:
            links.pop(name, None)
