"""Which routes, rules and backends the world of a rehearsal has, taken from the Rollout's manifest.

A route is laid out for every entry of ``spec.routes``: rules as many as the entry needs, all naming the
same backends in the order stable, canary, backups, foreign ones. Read leniently, because a story may be
about a manifest that is not valid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rollout.engine.observation import BackendKey, Ref, RouteKey, RouteView, Rule
from rollout.ports import Key
from rollout.spec.resource import Rollout
from rollout.spec.traffic import BackendRef

TOTAL = 100
"""What the weights of a route sum to at the start."""


@dataclass(frozen=True, slots=True)
class RoutePlan:
    """One route as it is at the start; ``owned`` are the indexes of the rules that the Rollout owns."""

    key: RouteKey
    rules: tuple[Rule, ...]
    owned: tuple[int, ...]

    def fresh(self) -> RouteView:
        """Return the route as it is at the start."""
        return RouteView(self.key, self.rules, version="1")


@dataclass(frozen=True, slots=True)
class Layout:
    """The routes and backends of a rehearsal.

    ``owned`` are the backends that the Rollout owns; of these, ``canary`` is empty where there is none.
    """

    rollout: Key
    owned: tuple[BackendKey, ...]
    foreign: tuple[BackendKey, ...]
    routes: tuple[RoutePlan, ...]
    canary: str
    backups: tuple[str, ...]

    def route(self, key: RouteKey) -> RoutePlan:
        """Return the plan of one route (it must exist)."""
        return next(plan for plan in self.routes if plan.key == key)

    def find(self, name: str, *, kind: str | None, namespace: str | None) -> tuple[RouteKey, ...]:
        """Return the routes that somebody may mean."""
        keys = [plan.key for plan in self.routes if plan.key.name == name]
        return tuple(key for key in keys if kind in {None, key.kind} and namespace in {None, key.namespace})

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of all backends, owned ones first."""
        return tuple(dict.fromkeys(backend.name for backend in (*self.owned, *self.foreign)))


def layout_of(rollout: Rollout, foreign: Mapping[str, int]) -> Layout:
    """Return the layout for ``rollout``, with ``foreign`` backends by weight beside the owned ones."""
    namespace = rollout.metadata.namespace
    backends = rollout.spec.backends
    owned = tuple(_key(ref, namespace) for ref in (*backends.pair, *backends.backups))
    others = tuple(BackendKey(namespace, name) for name in foreign)
    refs = (
        *(Ref(backend, TOTAL if backend == owned[0] else 0) for backend in owned),
        *(Ref(backend, foreign[backend.name]) for backend in others),
    )
    key, backups = Key(namespace, rollout.metadata.name), tuple(ref.name for ref in backends.backups)
    return Layout(key, owned, others, _routes(rollout, refs), backends.names[1], backups)


def _key(ref: BackendRef, namespace: str) -> BackendKey:
    return BackendKey(ref.namespace or namespace, ref.name, ref.port or 0)


def _routes(rollout: Rollout, refs: tuple[Ref, ...]) -> tuple[RoutePlan, ...]:
    """Return one plan for each route, with the rules that all entries for it need."""
    wanted: dict[RouteKey, list[int | str | None]] = {}
    for ref in rollout.spec.routes:
        key = RouteKey(ref.kind.value, ref.namespace or rollout.metadata.namespace, ref.name)
        wanted.setdefault(key, []).append(ref.rule)
    return tuple(_plan(key, rules, refs) for key, rules in wanted.items())


def _plan(key: RouteKey, wanted: Sequence[int | str | None], refs: tuple[Ref, ...]) -> RoutePlan:
    """Lay out one route. A named rule stands behind another one, which nobody may touch."""
    names: list[str] = []
    for rule in wanted:
        if isinstance(rule, str):
            names += [rule] if names else ["untouched", rule]
        else:
            names += [""] * ((rule or 0) + 1 - len(names))
    rules = tuple(Rule(index, name, refs) for index, name in enumerate(names))
    owned = [names.index(rule) if isinstance(rule, str) else rule or 0 for rule in wanted]
    return RoutePlan(key, rules, tuple(owned))
