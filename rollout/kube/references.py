"""Which routes a Rollout refers to, read from its document as it is, valid or not.

Called by ``rollout.bootstrap`` before the controller hears of a Rollout, so that its routes are in memory when it does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from rollout.engine.observation import RouteKey
from rollout.kube.resources import GRPC_ROUTES, HTTP_ROUTES, Document

KINDS = (HTTP_ROUTES.kind, GRPC_ROUTES.kind)
MOST = 128
"""So many are looked at: twice what a spec may name."""


def routes_named(document: Document) -> frozenset[RouteKey]:
    """Return the routes that the spec names, and those whose rules the status says are owned."""
    namespace = str((document.get("metadata") or {}).get("namespace") or "")
    status = document.get("status")
    engine = status.get("engine") if isinstance(status, Mapping) else None
    named = islice(_objects(document.get("spec"), "routes"), MOST)
    owned = islice((rule.get("route") for rule in _objects(engine, "owned")), MOST)
    return frozenset(key for route in (*named, *owned) if (key := _key(route, namespace)) is not None)


def _key(route: object, namespace: str) -> RouteKey | None:
    """Return which route is meant, None where it is none of a kind that is watched."""
    if not isinstance(route, Mapping) or route.get("kind") not in KINDS or not isinstance(route.get("name"), str):
        return None
    return RouteKey(route["kind"], str(route.get("namespace") or namespace), route["name"])


def _objects(holder: object, field: str) -> Iterator[Mapping[str, Any]]:
    entries = holder.get(field) if isinstance(holder, Mapping) else None
    if isinstance(entries, list):
        yield from (entry for entry in entries if isinstance(entry, Mapping))
