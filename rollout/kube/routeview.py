"""An ``HTTPRoute`` or ``GRPCRoute`` as the port shows it, and what of it stays in memory. Pure.

Both kinds look the same from here: rules with ``backendRefs``. A ref to anything but a Service (of a multi-cluster
import, of an extension) is nobody's backend, yet its weight takes part in the rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rollout.engine.dates import unix_seconds
from rollout.engine.observation import BackendKey, Ref, RouteKey, RouteView, Rule
from rollout.kube.resources import MANAGER, Document, version_of
from rollout.kube.routeacceptance import CONDITIONS, LONGEST_MESSAGE, acceptance, cut, is_service

LONGEST_NAME = 253
"""The Gateway API allows no longer name of a rule."""

ALLOW = "rollout.dev/allow-rollouts-from"
"""The annotation by which the owner of a route lets Rollouts of other namespaces have its weights: ``ns-a,ns-b``."""

LONGEST_ALLOW = 4096
"""A longer list is none."""

_METADATA = ("namespace", "name", "resourceVersion", "generation")
_PARENT = ("group", "kind", "namespace", "name", "sectionName", "port")
_REF = ("group", "kind", "namespace", "name", "port", "weight")
_CONDITION = ("type", "status", "reason", "observedGeneration")


def view_of(key: RouteKey, document: Document) -> RouteView:
    """Return the route as a value."""
    found, message = acceptance(key, document)
    return RouteView(
        key=key,
        rules=tuple(Rule(index, rule_name(rule), _refs(key, rule)) for index, rule in enumerate(rules_of(document))),
        version=version_of(document),
        acceptance=found,
        message=message,
        changed_by=changed_by(document),
        written_at=written_at(document),
        open_to=(key.namespace, *_allowed(document)),
    )


def kept(document: Document) -> Document:
    """Return the part of a route that ``view_of`` and a write look at, which is small beside the whole."""
    spec, status = document.get("spec") or {}, document.get("status") or {}
    metadata = _some(document.get("metadata") or {}, _METADATA)
    if allowed := _allowed(document):
        metadata["annotations"] = {ALLOW: ",".join(allowed)}
    return {
        "metadata": metadata | {"managedFields": _owners(document)},
        "spec": {
            "parentRefs": [_some(parent, _PARENT) for parent in spec.get("parentRefs") or ()],
            "rules": [_kept_rule(rule) for rule in spec.get("rules") or ()],
        },
        "status": {"parents": [_kept_parent(entry) for entry in status.get("parents") or ()]},
    }


def _allowed(document: Document) -> tuple[str, ...]:
    """Return the namespaces that the owner of the route lets in, each once."""
    text = str(((document.get("metadata") or {}).get("annotations") or {}).get(ALLOW) or "")
    names = text.split(",") if len(text) <= LONGEST_ALLOW else ()
    return tuple(dict.fromkeys(filter(None, map(str.strip, names))))


def rules_of(document: Document) -> list[Mapping[str, Any]]:
    """Return the rules in order."""
    return list((document.get("spec") or {}).get("rules") or ())


def refs_of(rule: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the ``backendRefs`` of a rule in order."""
    return list(rule.get("backendRefs") or ())


def rule_name(rule: Mapping[str, Any]) -> str:
    """Return the name of a rule, empty when it has none."""
    return str(rule.get("name") or "")[:LONGEST_NAME]


def backend_of(key: RouteKey, ref: Mapping[str, Any]) -> BackendKey:
    """Return which backend a ref names; what is no Service gets a name that no Service can have.

    >>> backend_of(RouteKey("HTTPRoute", "shop", "web"), {"kind": "ServiceImport", "group": "x.io", "name": "v1"})
    BackendKey(namespace='shop', name='ServiceImport.x.io/v1', port=0)
    """
    name, port = str(ref.get("name") or ""), int(ref.get("port") or 0)
    if not is_service(ref):
        name = f"{ref.get('kind') or 'Service'}.{ref.get('group') or 'core'}/{name}"
    return BackendKey(str(ref.get("namespace") or key.namespace), name, port)


def weight_of(ref: Mapping[str, Any]) -> int:
    """Return the weight of a ref; one that says none has 1 (Gateway API, ``BackendRef.weight``)."""
    weight = ref.get("weight")
    return 1 if weight is None else int(weight)


def changed_by(document: Document) -> str:
    """Return who wrote the rules last, empty when that was us or nobody tells.

    The rules are one field to the API server: who writes a weight owns all of it, and the owner before loses it, but
    for one that applied the same.
    """
    owners = [(str(owner.get("time") or ""), str(owner.get("manager") or "")) for owner in _owners(document)]
    ours = max((time for time, who in owners if who == MANAGER), default="")
    others = [(time, who) for time, who in owners if who != MANAGER and time >= ours]
    return cut(max(others)[1], LONGEST_NAME) if others else ""


def written_at(document: Document) -> float:
    """Return when we wrote the rules (Unix seconds, 0: never), if nobody has written them since."""
    ours = max(
        (str(owner.get("time") or "") for owner in _owners(document) if owner.get("manager") == MANAGER), default=""
    )
    try:
        return unix_seconds(ours) if ours and not changed_by(document) else 0.0
    except ValueError:
        return 0.0


def _refs(key: RouteKey, rule: Mapping[str, Any]) -> tuple[Ref, ...]:
    return tuple(Ref(backend_of(key, ref), weight_of(ref)) for ref in refs_of(rule))


def _owners(document: Document) -> list[dict[str, Any]]:
    """Return the entries of ``managedFields`` that own the rules, without the fields that they own beside."""
    entries = (document.get("metadata") or {}).get("managedFields") or ()
    return [
        {"manager": entry.get("manager"), "time": entry.get("time"), "fieldsV1": {"f:spec": {"f:rules": {}}}}
        for entry in entries
        if "f:rules" in ((entry.get("fieldsV1") or {}).get("f:spec") or {})
    ]


def _some(document: Mapping[str, Any], fields: tuple[str, ...]) -> dict[str, Any]:
    return {field: document[field] for field in fields if document.get(field) is not None}


def _kept_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    refs = [_some(ref, _REF) for ref in refs_of(rule)]
    return {"name": name, "backendRefs": refs} if (name := rule_name(rule)) else {"backendRefs": refs}


def _kept_parent(entry: Mapping[str, Any]) -> dict[str, Any]:
    conditions = [
        _some(condition, _CONDITION) | {"message": cut(str(condition.get("message") or ""), LONGEST_MESSAGE)}
        for condition in entry.get("conditions") or ()
        if condition.get("type") in CONDITIONS
    ]
    parent = _some(entry.get("parentRef") or {}, _PARENT)
    return {"parentRef": parent, "controllerName": entry.get("controllerName"), "conditions": conditions}
