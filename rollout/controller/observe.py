"""Observe: everything that a pass looks at, from caches and from what was measured beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import structlog

from rollout.controller.alone import NoNotices
from rollout.controller.catalog import Resolved
from rollout.controller.entry import Entry
from rollout.engine.observation import BackendKey, FailoverSeen, Observation, RouteKey, RouteView, Telling, WorkloadView
from rollout.engine.state import State
from rollout.engine.weights import backend_key, route_key
from rollout.engine.workloads import workload_keys
from rollout.errors import Problem, Unavailable
from rollout.ports import Key, RouteTable, StoredRollout, Workloads
from rollout.signals import BackendHealth, Notices
from rollout.spec.resource import Rollout, RolloutSpec, RouteRef

log = structlog.get_logger(__name__)


def routes_of(spec: RolloutSpec | None, state: State, namespace: str) -> tuple[RouteKey, ...]:
    """Return the routes that matter: those of the spec, or of the status when the spec is invalid."""
    if spec is not None:
        return tuple(dict.fromkeys(route_key(ref, namespace) for ref in spec.routes))
    return tuple(dict.fromkeys(rule.route for rule in state.owned))


def backends_of(spec: RolloutSpec | None, state: State, namespace: str) -> tuple[BackendKey, ...]:
    """Return the backends that matter: those of the spec, or of the status when the spec is invalid."""
    if spec is not None:
        refs = (*spec.backends.pair, *spec.backends.backups)
        return tuple(backend_key(ref, namespace) for ref in refs)
    known: Iterable[BackendKey] = state.owned[0].backends if state.owned else ()
    return tuple(known)


EVERYBODY = "*"


def is_open(view: RouteView, namespace: str) -> bool:
    """Return whether a Rollout of the namespace may own the route's weights."""
    return view.open_to is None or namespace in view.open_to or EVERYBODY in view.open_to


FailoverOf = Callable[[Key, StoredRollout, float], FailoverSeen | None]
"""From a Rollout and a time (Unix seconds) to what is seen for its failover, None where nobody looks."""


def _no_failover(_key: Key, _stored: StoredRollout, _now: float) -> None:
    """See nothing: nobody looks."""


class Observer:
    """Makes observations from the caches of the adapters."""

    def __init__(
        self,
        routes: RouteTable,
        health: BackendHealth,
        workloads: Workloads,
        *,
        cadence_seconds: float,
        failover_of: FailoverOf = _no_failover,
        notices: Notices | None = None,
    ) -> None:
        """Look at these; ``cadence_seconds`` is how often counters are asked for, ``notices`` knows who is told."""
        self._routes = routes
        self._health = health
        self._workloads = workloads
        self._cadence_seconds = cadence_seconds
        self._failover_of = failover_of
        self._notices = notices or NoNotices()

    def confined(self, resolved: Resolved, namespace: str) -> Resolved:
        """Return ``resolved``, without a Rollout if that names a route whose owner does not let its namespace in."""
        rollout = resolved.rollout
        if rollout is None:
            return resolved
        refs = enumerate(rollout.spec.routes)
        closed = [(n, ref) for n, ref in refs if self._is_closed(route_key(ref, namespace), namespace)]
        problems = tuple(str(_closed(n, ref, namespace)) for n, ref in closed)
        return replace(resolved, rollout=None, problems=problems) if problems else resolved

    def _is_closed(self, key: RouteKey, namespace: str) -> bool:
        view = self._routes.read(key)
        return view is not None and not is_open(view, namespace)

    def _view(self, key: RouteKey, namespace: str) -> RouteView | None:
        return None if self._is_closed(key, namespace) else self._routes.read(key)

    def wait_for_routes(self, entry: Entry, resolved: Resolved) -> None:
        """Return when it is known of each route whether and how it exists.

        Raises:
            Unavailable: it is not yet of one; to decide on that would call the Rollout invalid.
        """
        spec = resolved.rollout.spec if resolved.rollout is not None else None
        for key in routes_of(spec, entry.state or State(), entry.key.namespace):
            if self._routes.read(key) is None:
                try:
                    self._routes.explain(key)
                except Unavailable as error:
                    raise Unavailable(f"{key}: {error}") from error

    def _why(self, key: RouteKey) -> str:
        try:
            return self._routes.explain(key)
        except Unavailable as error:
            return str(error)

    def observe(
        self, entry: Entry, stored: StoredRollout, resolved: Resolved, *, now: float, session: float
    ) -> Observation:
        """Return what is seen of the Rollout; what was measured is taken out of ``entry``, so that it counts once."""
        spec = resolved.rollout.spec if resolved.rollout is not None else None
        state = entry.state or State()
        namespace = stored.key.namespace
        routes = {key: self._view(key, namespace) for key in routes_of(spec, state, namespace)}
        unread = tuple(f"{key}: {why}" for key, view in routes.items() if view is None and (why := self._why(key)))
        backends = backends_of(spec, state, namespace)
        missing = tuple(why for backend in backends if (why := self._health.missing(backend)))
        hidden = tuple(dict.fromkeys(self._hidden(spec, namespace)))
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
            problems=resolved.problems + unread + missing + hidden,
            deleting=stored.deleting,
            generation=stored.generation,
            workloads=self._workloads_of(spec, namespace),
            write_problem=entry.write_problem,
            order_problem=entry.order_problem,
            failover=self._failover_of(stored.key, stored, now),
        )
        entry.batch = None
        return seen

    def with_telling(
        self, seen: Observation, stored: StoredRollout, rollout: Rollout | None, state: State
    ) -> Observation:
        """Return what is seen, and who is to be told of it; asked once in each pass, and by nobody who only looks.

        A fault in who knows that never fails a pass: who was told until now stays as far as it was.
        """
        try:
            telling = self._notices.telling(stored, rollout, state)
        except Exception:
            log.exception("sinks unknown", rollout=str(stored.key))
            telling = Telling(tuple(cursor.sink for cursor in state.notified))
        return replace(seen, telling=telling) if telling is not None else seen

    def _hidden(self, spec: RolloutSpec | None, namespace: str) -> Iterator[str]:
        """Yield why workloads cannot be seen, for those that cannot."""
        for key in workload_keys(spec, namespace).values() if spec is not None else ():
            if why := self._workloads.explain(key):
                yield why

    def _workloads_of(self, spec: RolloutSpec | None, namespace: str) -> dict[str, WorkloadView | None]:
        if spec is None:
            return {}
        return {backend: self._workloads.read(key) for backend, key in workload_keys(spec, namespace).items()}


def _closed(number: int, ref: RouteRef, namespace: str) -> Problem:
    why = f"{ref.kind.value} {ref.name} is of another namespace, which has not let Rollouts of this one in"
    allowed = f"{namespace}, or others whose route has the annotation rollout.dev/allow-rollouts-from: {namespace}"
    return Problem(f"spec.routes[{number}].namespace", why, given=ref.namespace or "", allowed=allowed)
