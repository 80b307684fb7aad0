"""The weights of a write as a JSON Patch (RFC 6902), one way for both kinds of routes. Pure.

A patch touches nothing but weights: filters, order, other refs and every field that we have never heard of stay as the
API server has them. Its paths are indexes, so it holds only for the version that it was made of, which it tests.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rollout.engine.observation import BackendKey, RouteKey, RuleWeights
from rollout.engine.weights import allocate, as_sentence, is_same
from rollout.errors import NotOursError, UpdateRefused
from rollout.kube.resources import Document, version_of
from rollout.kube.routeview import backend_of, refs_of, rule_name, rules_of, weight_of

MOST_WEIGHT = 1_000_000
"""The largest weight that the Gateway API allows."""


def operations(key: RouteKey, document: Document, wanted: Sequence[RuleWeights]) -> tuple[dict[str, Any], ...]:
    """Return what makes ``document`` say these weights; nothing where it says them.

    Raises:
        NotOursError: a rule or a ref is gone.
        UpdateRefused: a weight is not from 0 to 1,000,000, or a rule would have none above 0.
    """
    changes = tuple(operation for one in wanted for operation in _of_rule(key, document, one))
    if not changes:
        return ()
    return ({"op": "test", "path": "/metadata/resourceVersion", "value": version_of(document)}, *changes)


def _of_rule(key: RouteKey, document: Document, wanted: RuleWeights) -> Iterator[dict[str, Any]]:
    index, rule = _found(key, document, wanted)
    refs = refs_of(rule)
    given = _new_weights(key, refs, wanted)
    total = sum(given.get(place, weight_of(ref)) for place, ref in enumerate(refs))
    if not total:
        raise UpdateRefused(f"{_name(key, wanted)} would have no weight above 0, which no gateway serves")
    for place, weight in sorted(given.items()):
        ref, path = refs[place], f"/spec/rules/{index}/backendRefs/{place}"
        if weight_of(ref) == weight:
            continue
        yield {"op": "test", "path": f"{path}/name", "value": ref["name"]}
        yield {"op": "add" if ref.get("weight") is None else "replace", "path": f"{path}/weight", "value": weight}


def _found(key: RouteKey, document: Document, wanted: RuleWeights) -> tuple[int, Mapping[str, Any]]:
    """Return the rule again, with its index: by its name, else by its index."""
    rules = list(enumerate(rules_of(document)))
    if wanted.name:
        named = [(index, rule) for index, rule in rules if rule_name(rule) == wanted.name]
        here = [(index, rule) for index, rule in named if index == wanted.index] or named
    else:
        here = [(index, rule) for index, rule in rules if index == wanted.index]
    if not here:
        raise NotOursError(f"{_name(key, wanted)} is gone")
    return here[0]


def _new_weights(key: RouteKey, refs: Sequence[Mapping[str, Any]], wanted: RuleWeights) -> dict[int, int]:
    """Return the weight of each ref of ours by its place; several refs to one backend share as they did."""
    given: dict[int, int] = {}
    for backend, weight in wanted.weights.items():
        if not 0 <= weight <= MOST_WEIGHT:
            told = as_sentence(((backend.name, weight),))
            raise UpdateRefused(f"{_name(key, wanted)} cannot say {told}: a weight is from 0 to {MOST_WEIGHT}")
        places = [place for place, ref in enumerate(refs) if is_same(backend_of(key, ref), backend)]
        if not places:
            raise NotOursError(f"{_name(key, wanted)} does not name the backend {_backend(backend)} any more")
        given |= zip(places, _shares([weight_of(refs[place]) for place in places], weight), strict=True)
    return given


def _shares(now: Sequence[int], weight: int) -> tuple[int, ...]:
    return allocate(tuple(map(float, now)) if any(now) else (1.0, *(0.0 for _ in now[1:])), weight)


def _name(key: RouteKey, wanted: RuleWeights) -> str:
    return f"the rule {wanted.name or wanted.index} of {key}"


def _backend(backend: BackendKey) -> str:
    return f"{backend.namespace}/{backend.name}{f':{backend.port}' if backend.port else ''}"
