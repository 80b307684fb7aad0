"""A route with all that the Gateway API allows beside weights, at its largest: 16 rules, every filter, foreign refs."""

from __future__ import annotations

from typing import Any

FOREIGN = {"group": "multicluster.x-k8s.io", "kind": "ServiceImport", "name": "v1", "port": 8080, "weight": 7}
RULES = 16


def rules(kind: str) -> list[dict[str, Any]]:
    """Return 16 rules with a stable, a canary and foreign backends; the last one names nobody of ours."""
    return [*(_rule(kind, number) for number in range(RULES - 1)), _foreign_rule(kind)]


def _rule(kind: str, number: int) -> dict[str, Any]:
    return {
        "name": f"rule-{number}",
        "matches": [_match(kind, number)],
        "filters": _filters(kind, number),
        "backendRefs": [
            {"name": "v1", "port": 8080, "weight": 90, "filters": _filters(kind, number + 100)},
            FOREIGN,
            {"name": "v2", "port": 8080, "weight": 10, "filters": _headers(number)},
            {"name": "other", "port": 8080},
        ],
    }


def _foreign_rule(kind: str) -> dict[str, Any]:
    redirect = {"type": "RequestRedirect", "requestRedirect": {"hostname": "else.example", "statusCode": 302}}
    if kind == "HTTPRoute":
        return {"name": "away", "matches": [_match(kind, 99)], "filters": [redirect]}
    return {"name": "away", "matches": [_match(kind, 99)], "backendRefs": [{"name": "other", "port": 8080}]}


def _match(kind: str, number: int) -> dict[str, Any]:
    headers = [{"type": "Exact", "name": "x-rule", "value": str(number)}]
    if kind == "HTTPRoute":
        return {"path": {"type": "PathPrefix", "value": f"/{number}"}, "headers": headers}
    return {"method": {"type": "Exact", "service": f"shop.S{number}", "method": "Get"}, "headers": headers}


def _filters(kind: str, number: int) -> list[dict[str, Any]]:
    mirror = {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "shadow", "port": 8080}}}
    rewrite = {
        "type": "URLRewrite",
        "urlRewrite": {"hostname": "x.example", "path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/é"}},
    }
    return [*_headers(number), mirror, *([rewrite] if kind == "HTTPRoute" else [])]


def _headers(number: int) -> list[dict[str, Any]]:
    changes = {
        "set": [{"name": "x-a", "value": f"{number}"}],
        "add": [{"name": "x-b", "value": "ü"}],
        "remove": ["x-c"],
    }
    return [
        {"type": "RequestHeaderModifier", "requestHeaderModifier": changes},
        {"type": "ResponseHeaderModifier", "responseHeaderModifier": changes},
    ]
