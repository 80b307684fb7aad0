"""Which routes a Rollout refers to, read from its document as it is, valid or not.

Called by ``rollout.bootstrap`` before the controller hears of a Rollout, so that its routes are in memory when it does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rollout.engine.observation import RouteKey
from rollout.kube.resources import GRPC_ROUTES, HTTP_ROUTES, Document

KINDS = frozenset({HTTP_ROUTES.kind, GRPC_ROUTES.kind})
MOST = 128
"""So many are looked at: twice what a spec may name."""


def routes_named(document: Document) -> frozenset[RouteKey]:
    """Return the routes that the spec names, and those whose rules the status says are owned."""
    namespace = str((document.get("metadata") or {}).get("namespace") or "")
    spec, status = document.get("spec") or {}, document.get("status") or {}
    engine = status.get("engine") if isinstance(status, Mapping) else None
    named = list(_entries(spec, "routes"))[:MOST]
    owned = [rule["route"] for rule in _entries(engine, "owned") if isinstance(rule.get("route"), Mapping)][:MOST]
    return frozenset(
        RouteKey(str(route["kind"]), str(route.get("namespace") or namespace), str(route["name"]))
        for route in (*named, *owned)
        if route.get("kind") in KINDS and isinstance(route.get("name"), str)
    )


def _entries(holder: object, field: str) -> Iterator[Mapping[str, object]]:
    entries = holder.get(field) if isinstance(holder, Mapping) else None
    if isinstance(entries, list):
        yield from (entry for entry in entries if isinstance(entry, Mapping))
