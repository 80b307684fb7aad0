"""Between the words of the file and the words of the port: views, versions, rules to edit. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from rollout.engine.observation import Acceptance, BackendKey, Ref, RouteKey, RouteView, Rule, RuleWeights
from rollout.envoy.routefile import FileRoute, FileRule, RouteFile, edit
from rollout.errors import ConfigurationError, NotOursError, UpdateRefused

KIND = "EnvoyRoute"
"""The kind of the routes of plain Envoy, as ``spec.routes[].kind`` names it."""


def route_version(route: FileRoute) -> str:
    """Return what changes when a rule, a cluster or a weight of the route changes, and with nothing else.

    So an edit of another route or of a comment in the same file is no conflict.
    """
    told = [(rule.name, [(ref.cluster, ref.weight) for ref in rule.refs]) for rule in route.rules]
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]


def view_of(key: RouteKey, route: FileRoute, *, acceptance: Acceptance, message: str) -> RouteView:
    """Return the route as the port shows it; its clusters count as backends of the asker's namespace."""
    rules = tuple(
        Rule(
            index=rule.index,
            name=rule.name,
            refs=tuple(Ref(BackendKey(key.namespace, ref.cluster), ref.weight) for ref in rule.refs if ref.cluster),
        )
        for rule in route.rules
    )
    return RouteView(key, rules, route_version(route), acceptance, message)


def editable_route(file: RouteFile, name: str) -> FileRoute:
    """Return the route of this name.

    Raises:
        NotOursError: the file has none.
        ConfigurationError: it cannot be edited.
    """
    route = file.routes.get(name)
    if route is None:
        raise NotOursError(f"no route named {name} with weighted_clusters in {file.source} any more")
    if route.problems:
        raise ConfigurationError(route.problems)
    return route


def edited(file: RouteFile, route: FileRoute, rules: Sequence[RuleWeights], *, version: str) -> RouteFile:
    """Return the file with these weights.

    Raises:
        NotOursError: a rule or a cluster is gone.
        UpdateRefused: Envoy can never take such weights.
    """
    weights: dict[int, Mapping[str, int]] = {
        _found(route, rule).index: {backend.name: weight for backend, weight in rule.weights.items()} for rule in rules
    }
    try:
        return edit(file, route, weights, version=version)
    except ValueError as error:
        raise UpdateRefused(f"{file.source}: {error}; nothing was written") from error


def tried(rules: Sequence[RuleWeights]) -> str:
    """Return the weights of a write as a message names them.

    >>> tried([RuleWeights(0, "web", {BackendKey("shop", "v1"): 95, BackendKey("shop", "v2"): 5})])
    'web: v1=95, v2=5'
    """
    return "; ".join(
        f"{rule.name or f'rule {rule.index}'}: "
        + ", ".join(f"{backend.name}={weight}" for backend, weight in rule.weights.items())
        for rule in rules
    )


def _found(route: FileRoute, wanted: RuleWeights) -> FileRule:
    """Return the rule again: by its name, where that is one rule's only; else by its index."""
    named = [rule for rule in route.rules if rule.name == wanted.name]
    at_index = [rule for rule in named or route.rules if rule.index == wanted.index]
    if at_index and (named or not wanted.name):
        return at_index[0]
    if len(named) == 1:
        return named[0]
    raise NotOursError(f"the rule {wanted.name or wanted.index} of EnvoyRoute {route.name} is gone")
