"""Builders of routes of the Gateway API as the API server gives them."""

from collections.abc import Mapping, Sequence
from typing import Any

from rollout.engine.observation import RouteKey

KEY = RouteKey("HTTPRoute", "shop", "web")
FRONT = {"name": "front"}
BACK = {"name": "back", "sectionName": "https"}
OURS, OTHERS = "example.com/ours", "example.com/others"


def ref(name: str, weight: int | None = 1, **fields: object) -> dict[str, Any]:
    """Return a ``backendRef`` to a Service on port 8080; weight None: it says none."""
    told: dict[str, Any] = {"name": name, "port": 8080, **fields}
    return told if weight is None else told | {"weight": weight}


def rule(*refs: Mapping[str, Any], **fields: object) -> dict[str, Any]:
    """Return a rule with these refs."""
    return {"backendRefs": list(refs), **fields}


def condition(kind: str, status: str = "True", *, seen: int = 4, reason: str = "", message: str = "") -> dict[str, Any]:
    """Return a condition of the route at generation ``seen``."""
    return {"type": kind, "status": status, "observedGeneration": seen, "reason": reason, "message": message}


def said(*conditions: Mapping[str, Any], by: str = OURS, parent: Mapping[str, Any] = FRONT) -> dict[str, Any]:
    """Return what a controller says for a parent."""
    return {"parentRef": dict(parent), "controllerName": by, "conditions": list(conditions)}


def fine(*, seen: int = 4, by: str = OURS, parent: Mapping[str, Any] = FRONT) -> dict[str, Any]:
    """Return that a controller serves the route as of generation ``seen``."""
    return said(condition("Accepted", seen=seen), condition("ResolvedRefs", seen=seen), by=by, parent=parent)


def owner(manager: str, time: str, *, fields: str = "f:rules", **more: object) -> dict[str, Any]:
    """Return an entry of ``managedFields`` for a field of the spec."""
    return {"manager": manager, "time": time, "fieldsV1": {"f:spec": {fields: {}}}, **more}


def route(
    *rules: Mapping[str, Any],
    parents: Sequence[Mapping[str, Any]] = (FRONT,),
    told: Sequence[Mapping[str, Any]] = (),
    owners: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Return the route KEY at generation 4 and resourceVersion 17."""
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": KEY.kind,
        "metadata": {
            "namespace": KEY.namespace,
            "name": KEY.name,
            "uid": "5f0c",
            "resourceVersion": "17",
            "generation": 4,
            "labels": {"team": "shop"},
            "managedFields": list(owners),
        },
        "spec": {"hostnames": ["shop.example"], "parentRefs": list(parents), "rules": list(rules)},
        "status": {"parents": list(told)},
    }
