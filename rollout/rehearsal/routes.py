"""The routes of a rehearsal: in memory, accepted and valid, naming all backends, all weight on stable at first.

Implements ``RouteTable``. Somebody else may change them too (``edit``). Tells the world before any change, so
that requests are counted by the weights that were in force.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from rollout.engine.observation import Acceptance, BackendKey, Ref, RouteKey, RouteView, Rule, RuleWeights
from rollout.errors import ConflictError, NotOursError, Unavailable, UpdateRefused
from rollout.rehearsal.api import Api
from rollout.rehearsal.layout import Layout, RoutePlan

WRITE_SECONDS = 0.01
"""How long a write takes until it is in force."""

OURS = "rollout-controller"
SOMEBODY = "kubectl-edit"


@dataclass(frozen=True, slots=True)
class Write:
    """An accepted write of the controller: seconds from the start, the route, the weights of all owned backends."""

    at: float
    route: str
    weights: Mapping[str, int]


class SimulatedRoutes:
    """``RouteTable`` in memory."""

    def __init__(self, layout: Layout, api: Api, before_change: Callable[[], float]) -> None:
        self.writes: list[Write] = []
        self._layout = layout
        self._api = api
        self._before_change = before_change
        self._views = {plan.key: plan.fresh() for plan in layout.routes}
        self._gone: set[RouteKey] = set()
        self._last: dict[RouteKey, RouteView | None] | None = None
        self._listeners: list[Callable[[RouteKey], None]] = []

    def freeze(self, *, knowing: bool) -> None:
        """Show what is seen now from now on, whatever others do; without ``knowing``, what nobody has seen yet."""
        if self._last is None:
            self._last = {plan.key: self._now(plan.key) for plan in self._layout.routes} if knowing else {}

    def thaw(self) -> None:
        """Show what there is again, and tell that it may be something else."""
        if self._last is not None:
            self._last = None
            for plan in self._layout.routes:
                self._tell(plan.key)

    def read(self, key: RouteKey) -> RouteView | None:
        """Return the route as it is seen, or None when it does not exist or has not been seen yet."""
        return self._now(key) if self._last is None else self._last.get(key)

    def _now(self, key: RouteKey) -> RouteView | None:
        return None if key in self._gone else self._views.get(key)

    def explain(self, key: RouteKey) -> str:
        """Return nothing: what a rehearsal's route is, can be read.

        Raises:
            Unavailable: the route has not been seen yet.
        """
        if self._last is not None and key not in self._last:
            raise Unavailable("it has not been seen yet")
        return ""

    def subscribe(self, listener: Callable[[RouteKey], None]) -> None:
        """Call ``listener`` after each change."""
        self._listeners.append(listener)

    def in_force(self) -> list[list[tuple[str, int]]]:
        """Return, for each route, the weights by which its requests go (none where there is no route)."""
        return [self._serving(plan) for plan in self._layout.routes]

    def _serving(self, plan: RoutePlan) -> list[tuple[str, int]]:
        view = self._now(plan.key)
        return [] if view is None else [(ref.backend.name, ref.weight) for ref in view.rules[plan.owned[0]].refs]

    async def write(self, key: RouteKey, rules: Sequence[RuleWeights], *, expected: str) -> RouteView:
        """Write these weights.

        Raises:
            ConflictError: the route changed since, or the API is in conflict.
            NotOursError: the route, the rule or a ref is gone.
            UpdateRefused: no weight would be left, or one is out of range.
            Unavailable: the API is down.
        """
        await asyncio.sleep(WRITE_SECONDS)
        view = self._admitted(key, expected)
        rules_now = list(view.rules)
        for written in rules:
            found = _find(view, written)
            rules_now[found] = _with_weights(rules_now[found], written.weights)
        changed = self._put(replace(view, rules=tuple(rules_now), changed_by=OURS))
        self._learn(changed)
        self._remember(key, rules)
        return changed

    def _admitted(self, key: RouteKey, expected: str) -> RouteView:
        view = self._now(key)
        if view is None:
            raise NotOursError(f"{key} does not exist")
        try:
            self._api.check(str(key))
        except ConflictError:
            self._learn(self._put(view))
            raise
        if view.version != expected:
            self._learn(view)
            raise ConflictError(f"{key} has changed since")
        return view

    def _learn(self, view: RouteView) -> None:
        """Let what a write was answered be seen, also by who is blind otherwise."""
        if self._last is not None:
            self._last[view.key] = view

    def _remember(self, key: RouteKey, rules: Sequence[RuleWeights]) -> None:
        view = self._views[key]
        for written in rules[:1]:
            refs = view.rules[_find(view, written)].refs
            owned = {ref.backend.name: ref.weight for ref in refs if ref.backend in self._layout.owned}
            self.writes.append(Write(self._before_change(), key.name, owned))

    def edit(self, key: RouteKey, weights: Mapping[str, int]) -> None:
        """Change weights as somebody else does, in every rule that the Rollout owns."""
        plan = self._layout.route(key)
        view = self._views[key]
        rules = [
            replace(
                rule, refs=tuple(replace(ref, weight=weights.get(ref.backend.name, ref.weight)) for ref in rule.refs)
            )
            if rule.index in plan.owned
            else rule
            for rule in view.rules
        ]
        self._put(replace(view, rules=tuple(rules), changed_by=SOMEBODY))

    def accept(self, key: RouteKey, acceptance: Acceptance) -> None:
        """Let the gateway say otherwise of the route as it stands."""
        self._put(replace(self._views[key], acceptance=acceptance, message=f"the gateway says {acceptance}"))

    def exist(self, key: RouteKey, *, there: bool) -> None:
        """Take the route away, or make it again as it was in the beginning."""
        if there and key in self._gone:
            self._put(replace(self._layout.route(key).fresh(), version=self._views[key].version))
            self._gone.discard(key)
        elif not there:
            self._put(self._views[key])
            self._gone.add(key)

    def _put(self, view: RouteView) -> RouteView:
        self._before_change()
        changed = replace(view, version=str(int(view.version) + 1))
        self._views[view.key] = changed
        if self._last is None:
            self._tell(view.key)
        return changed

    def _tell(self, key: RouteKey) -> None:
        for listener in self._listeners:
            asyncio.get_running_loop().call_soon(listener, key)


def _find(view: RouteView, written: RuleWeights) -> int:
    """Return the index of the rule that is meant: by its name, else by its index."""
    for rule in view.rules:
        if written.name and rule.name == written.name:
            return rule.index
    if written.name or written.index >= len(view.rules):
        raise NotOursError(f"{view.key} has no rule {written.name or written.index}")
    return written.index


def _with_weights(rule: Rule, weights: Mapping[BackendKey, int]) -> Rule:
    """Return ``rule`` with new weights, refused where a gateway would refuse them."""
    unknown = set(weights) - {ref.backend for ref in rule.refs}
    if unknown:
        raise NotOursError(f"the rule does not name {', '.join(sorted(backend.name for backend in unknown))}")
    refs = tuple(Ref(ref.backend, weights.get(ref.backend, ref.weight)) for ref in rule.refs)
    if sum(ref.weight for ref in refs) <= 0 or any(ref.weight not in range(1_000_001) for ref in refs):
        raise UpdateRefused("weights must be from 0 to 1000000 and not all 0")
    return replace(rule, refs=refs)
