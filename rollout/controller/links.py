"""Who looks at what: the Rollouts that a change of a route or a backend concerns. Asked by the controller on events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from rollout.controller.entry import Entry
from rollout.controller.observe import backends_of, routes_of
from rollout.engine.observation import BackendKey, RouteKey
from rollout.engine.state import State
from rollout.ports import Key


class Links:
    """From routes and backends to the Rollouts that look at them."""

    def __init__(self) -> None:
        """Begin without any."""
        self._by_route: defaultdict[RouteKey, set[Key]] = defaultdict(set)
        self._by_backend: defaultdict[BackendKey, set[Key]] = defaultdict(set)

    def link(self, entry: Entry) -> None:
        """Remember what the Rollout looks at now, by its effective spec."""
        self.unlink(entry)
        rollout = entry.resolved.rollout if entry.resolved is not None else None
        spec, state = rollout.spec if rollout is not None else None, entry.state or State()
        entry.routes = routes_of(spec, state, entry.key.namespace)
        entry.backends = backends_of(spec, state, entry.key.namespace)
        for route in entry.routes:
            self._by_route[route].add(entry.key)
        for backend in entry.backends:
            self._by_backend[backend].add(entry.key)

    def unlink(self, entry: Entry) -> None:
        """Forget what the Rollout looked at."""
        for route in entry.routes:
            self._by_route[route].discard(entry.key)
        for backend in entry.backends:
            self._by_backend[backend].discard(entry.key)

    def of_route(self, route: RouteKey) -> Iterable[Key]:
        """Return the Rollouts that look at the route."""
        return tuple(self._by_route.get(route, ()))

    def of_backend(self, backend: BackendKey) -> Iterable[Key]:
        """Return the Rollouts that look at the backend."""
        return tuple(self._by_backend.get(backend, ()))
