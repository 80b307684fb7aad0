"""Weights: which rules are owned, and what each of their backends gets.

Shares become whole numbers by largest remainder. Where the gateway keeps one cluster for each
backend, a backend that may soon get traffic again stands at the *floor*, 1 of 1,000,000: such a
gateway drops a cluster at weight 0, and a cluster that comes back waits for its endpoints.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import starmap
from math import inf

from rollout.engine.observation import BackendKey, RouteKey, RouteView, Rule
from rollout.engine.state import OwnedRule, State, Weights
from rollout.failover.shares import by_backend
from rollout.spec.failover import Strategy
from rollout.spec.plan import steps_of
from rollout.spec.resource import BackendRef, RolloutSpec, RouteRef

FLOOR_TOTAL = 1_000_000
"""The largest weight of the Gateway API; 1 of it is the floor."""

FLOOR = 1
_BOTH = 2

COARSEST = 0.25
"""A weight may be off by this part of what a step asks for, before another total is chosen."""


@lru_cache(maxsize=4096)
def allocate(shares: tuple[float, ...], total: int) -> tuple[int, ...]:
    """Split ``total`` by ``shares`` (any non-negative numbers with a positive sum), by largest remainder.

    A share above zero gets at least 1, one of zero gets 0: ``allocate((95, 5), 100)`` is
    ``(95, 5)``, ``allocate((99.9, 0.1), 100)`` is ``(99, 1)``, ``allocate((1, 1, 1), 100)`` is
    ``(34, 33, 33)``.
    """
    whole = sum(shares)
    exact = [share * total / whole for share in shares]
    given = [max(int(value + 1e-9), 1) if share > 0 else 0 for share, value in zip(shares, exact, strict=True)]
    by_remainder = sorted(range(len(shares)), key=lambda i: (given[i] - exact[i], i))
    rest = total - sum(given)
    for i in [i for i in by_remainder if shares[i] > 0][: max(rest, 0)]:
        given[i] += 1
    for _ in range(-rest):
        given[max(range(len(given)), key=lambda i: (given[i] - exact[i] if given[i] > 1 else -inf, given[i]))] -= 1
    return tuple(given)


def route_key(ref: RouteRef, namespace: str) -> RouteKey:
    """Return which route ``ref`` names, in the Rollout's own namespace unless it says another."""
    return RouteKey(ref.kind.value, ref.namespace or namespace, ref.name)


def backend_key(ref: BackendRef, namespace: str) -> BackendKey:
    """Return which backend ``ref`` names."""
    return BackendKey(ref.namespace or namespace, ref.name, ref.port or 0)


def is_same(one: BackendKey, other: BackendKey) -> bool:
    """Return whether both name one backend; a port that one of them leaves out is the other's."""
    if one.name != other.name or one.namespace != other.namespace:
        return False
    return one.port == other.port or not one.port or not other.port


def weights_in(rule: Rule, backends: Iterable[BackendKey]) -> Weights:
    """Return the weights that ``rule`` gives to those of ``backends`` that it names."""
    found: list[tuple[str, int]] = []
    for backend in backends:
        weight = None
        for ref in rule.refs:
            if is_same(ref.backend, backend):
                weight = (weight or 0) + ref.weight
        if weight is not None:
            found.append((backend.name, weight))
    return tuple(found)


def _wanted_rules(ref: RouteRef, view: RouteView, sought: tuple[BackendKey, ...]) -> list[Rule]:
    if ref.rule is None:
        return [rule for rule in view.rules if len(weights_in(rule, sought)) == len(sought)]
    if isinstance(ref.rule, int):
        return [rule for rule in view.rules if rule.index == ref.rule]
    return [rule for rule in view.rules if rule.name == ref.rule]


def find_rules(
    spec: RolloutSpec, namespace: str, routes: Mapping[RouteKey, RouteView | None]
) -> tuple[tuple[OwnedRule, ...], tuple[str, ...]]:
    """Return the owned rules as they stand, and one sentence for each thing that is missing."""
    pair = tuple(backend_key(ref, namespace) for ref in spec.backends.pair)
    backups = tuple(backend_key(ref, namespace) for ref in spec.backends.backups)
    needed = pair + (backups if spec.failover is not None else ())
    sought = pair if spec.backends.canary is not None else needed
    owned: list[OwnedRule] = []
    missing: list[str] = []
    for number, ref in enumerate(spec.routes):
        key = route_key(ref, namespace)
        view = routes.get(key)
        rules = _wanted_rules(ref, view, sought) if view is not None else []
        if view is None:
            missing.append(f"spec.routes[{number}]: {key} does not exist")
        elif not rules:
            missing.append(f"spec.routes[{number}]: {key} has no rule {_rule_text(ref, sought)}")
        for rule in rules:
            absent = [b.name for b in needed if not weights_in(rule, (b,))]
            missing += [
                f"spec.routes[{number}]: rule {rule.name or rule.index} of {key} does not name backend {n}"
                for n in absent
            ]
            owned.append(_own(key, rule, pair + backups, spec))
    return tuple(owned), tuple(missing)


def _rule_text(ref: RouteRef, sought: tuple[BackendKey, ...]) -> str:
    names = " and ".join(backend.name for backend in sought)
    return f"{ref.rule!r}" if ref.rule is not None else f"that names {'both ' * (len(sought) == _BOTH)}{names}"


def _own(key: RouteKey, rule: Rule, backends: tuple[BackendKey, ...], spec: RolloutSpec) -> OwnedRule:
    present = tuple(backend for backend in backends if weights_in(rule, (backend,)))
    total = sum(weight for _, weight in weights_in(rule, present))
    alone = sum(ref.weight for ref in rule.refs) == total
    coarse = total < len(backends) or (alone and is_coarse(total, _percents(spec)))
    return OwnedRule(key, rule.index, rule.name, spec.precision if coarse else total, present, alone)


def _percents(spec: RolloutSpec) -> tuple[float, ...]:
    """Return the percentages that the steps and the failover of the spec name; Spill gives any."""
    steps, failover = tuple(step.weight for step in steps_of(spec)), spec.failover
    if failover is None:
        return steps
    drill = (failover.drill.percent,) if failover.drill is not None else ()
    any_ = (1.0,) if failover.strategy is Strategy.SPILL else ()
    return (*steps, failover.standby_weight, *failover.failback.steps, *failover.ramp_up, *drill, *any_)


@lru_cache(maxsize=1024)
def is_coarse(total: int, percents: tuple[float, ...]) -> bool:
    """Return whether a total cannot say one of these percentages to within a quarter of it.

    A total of 10 says 20 % (2 of 10) and not 5 % (1 of 10 would be twice as much).
    """
    exact = [total * percent / 100 for percent in percents if percent > 0]
    return any(abs(max(1, round(value)) - value) > COARSEST * value for value in exact)


def keep_totals(found: tuple[OwnedRule, ...], known: tuple[OwnedRule, ...]) -> tuple[OwnedRule, ...]:
    """Return ``found`` with the totals and acknowledged weights of the same rules in ``known``."""
    before = {(rule.route, rule.name or rule.index): rule for rule in known}

    def kept(rule: OwnedRule) -> OwnedRule:
        old = before.get((rule.route, rule.name or rule.index))
        if old is None:
            return rule
        return OwnedRule(rule.route, rule.index, rule.name, old.total, rule.backends, rule.alone, old.acknowledged)

    return tuple(map(kept, found))


def desired(rule: OwnedRule, state: State) -> Weights:
    """Return what ``rule`` should say: the shares of the backups, and of the rest the canary's and the stable's."""
    floored = _floored(state) if state.gateway.separate_clusters and rule.alone else frozenset()
    total = FLOOR_TOTAL if floored or _is_fine(rule, state) else rule.total
    names = [backend.name for backend in rule.backends]
    by_name = by_backend(state.failover.shares, stable=state.stable, canary=state.canary, split=state.share)
    shares = tuple(by_name.get(name, 0.0) for name in names)
    if not any(shares):
        return rule.acknowledged  # a rule that names nobody who should have weight is left as it was
    given = list(allocate(shares, total))
    for place, name in enumerate(names):
        if given[place] == 0 and name in floored and _may_stand_by(name, rule, state):
            given[place] = 1
            given[given.index(max(given))] -= 1
    return tuple(zip(names, given, strict=True))


def _is_fine(rule: OwnedRule, state: State) -> bool:
    """Return whether weights count in millionths, so that a floor is next to nothing: from the first attempt on."""
    return state.gateway.separate_clusters and rule.alone and state.attempt > 0


def _floored(state: State) -> frozenset[str]:
    """Return the backends that may get traffic again soon: the pair on its way, backups always."""
    pair = {state.stable, state.canary} if state.parked else {state.stable} if state.failover.shares else set()
    return frozenset(pair | set(state.tiers.backups if state.tiers is not None else ()))


def _may_stand_by(name: str, rule: OwnedRule, state: State) -> bool:
    """Return whether the backend may stand at the floor: it is healthy, or was when it got there and is not ill.

    So may, for a moment, one that carries traffic until this write, whatever its health: a cluster that goes together
    with its weight is gone from such a gateway before the routes that still lead to it.
    """
    health = dict(state.ready).get(name)
    is_kept = health == "Unknown" and dict(rule.acknowledged).get(name, 0) > 0
    return health == "Healthy" or is_kept or name in carriers(rule.acknowledged)


def observed(rule: OwnedRule, routes: Mapping[RouteKey, RouteView | None]) -> Weights | None:
    """Return what the route says for ``rule`` now, or None when the route, the rule or a backend is gone."""
    view = routes.get(rule.route)
    if view is None:
        return None
    found = [r for r in view.rules if (r.name == rule.name if rule.name else r.index == rule.index)]
    weights = weights_in(found[0], rule.backends) if found else ()
    return weights if len(weights) == len(rule.backends) else None


def agrees(rule: OwnedRule, now: Weights | None, want: Weights) -> bool:
    """Return whether the requests go as wanted: by the same weights, or, with no foreign ones, all to the same one."""
    if now == want:
        return True
    carriers = [name for name, weight in now or () if weight]
    return rule.alone and len(carriers) == 1 and carriers == [name for name, weight in want if weight]


def carriers(found: Weights) -> tuple[str, ...]:
    """Return the backends that have weight; the floor is none."""
    least = FLOOR if sum(weight for _, weight in found) >= FLOOR_TOTAL else 0
    return tuple(name for name, weight in found if weight > least)


def as_sentence(weights: Weights) -> str:
    """Return weights for people: ``checkout-v1 95, checkout-v2 5``."""
    return ", ".join(starmap("{} {}".format, weights))
