"""What EndpointSlices and Services say, as few numbers: which endpoints there are behind a port, and which are ready.

Pure: documents in, counts out; ``rollout.kube.endpoints`` keeps them. An endpoint counts once, however many slices and
address families it is in: by the pod behind it, else by its address. Where slices contradict each other (the cluster
moves endpoints from one to another), the one written last is right.

*Ready* is what the slice says, and ready when it says nothing (that is Kubernetes' rule). An endpoint that is
*terminating* counts neither as ready nor at all, also where it still serves: Envoy Gateway drains it, kube-proxy uses
it only when nothing else is left, and either way it is gone within its grace period. To give it weight would be to
give weight to nothing, and a canary whose last pods terminate is better left before they are gone than after.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from enum import Enum, auto
from typing import Any

from rollout.engine.observation import UNKNOWN_ENDPOINTS, Endpoints
from rollout.kube.resources import Document, age_of, version_of

SERVICE_LABEL = "kubernetes.io/service-name"
"""Names the Service of a slice, in the slice's own namespace."""

PROTOCOL = "TCP"
"""Routes of the Gateway API go to TCP ports; a port that names no protocol is one."""


class _Is(Enum):
    READY = auto()
    WAITING = auto()
    LEAVING = auto()


def keep_slice(document: Document) -> Document | None:
    """Return of a slice its Service, the names of its ports and whether each endpoint is ready; None without a Service.

    Endpoints are kept as 8 bytes each: a cluster has hundreds of thousands.
    """
    service = (document["metadata"].get("labels") or {}).get(SERVICE_LABEL)
    if not service:
        return None
    found: dict[_Is, list[int]] = {each: [] for each in _Is}
    for endpoint in document.get("endpoints") or ():
        found[_is(endpoint.get("conditions") or {})].append(_identity(endpoint))
    return {
        "metadata": _name(document),
        "service": service,
        "ports": frozenset(
            str(port.get("name") or "") for port in document.get("ports") or () if port.get("port") and _is_tcp(port)
        ),
        "endpoints": tuple((each, array("q", identities)) for each, identities in found.items() if identities),
    }


def keep_service(document: Document) -> Document:
    """Return of a Service its ports (the name of each by its number), and whether it only stands for a DNS name."""
    spec = document.get("spec") or {}
    return {
        "metadata": _name(document),
        "ports": {port["port"]: str(port.get("name") or "") for port in spec.get("ports") or () if _is_tcp(port)},
        "external": spec.get("type") == "ExternalName",
    }


def counts(service: Document | None, slices: Iterable[Document]) -> Mapping[int, Endpoints]:
    """Return the endpoints behind each port of a kept Service, given its kept slices, and behind 0: any port.

    Empty without a Service. Nobody can count what is behind a DNS name.
    """
    if service is None:
        return {}
    ports: Mapping[int, str] = service["ports"]
    if service["external"]:
        return dict.fromkeys((0, *ports), UNKNOWN_ENDPOINTS)
    ordered = sorted(slices, key=lambda kept: age_of(version_of(kept)))
    found = {number: _count(kept for kept in ordered if name in kept["ports"]) for number, name in ports.items()}
    return {0: _count(ordered), **found}


def _count(slices: Iterable[Document]) -> Endpoints:
    states: dict[int, _Is] = {}
    for kept in slices:
        for state, identities in kept["endpoints"]:
            states.update(dict.fromkeys(identities, state))
    ready = sum(state is _Is.READY for state in states.values())
    return Endpoints(ready, ready + sum(state is _Is.WAITING for state in states.values()))


def _is(conditions: Mapping[str, Any]) -> _Is:
    if conditions.get("terminating"):
        return _Is.LEAVING
    return _Is.WAITING if conditions.get("ready") is False else _Is.READY


def _identity(endpoint: Mapping[str, Any]) -> int:
    target = endpoint.get("targetRef") or {}
    named = tuple(target.get(part) or "" for part in ("kind", "namespace", "name"))
    return hash(target.get("uid") or (named if any(named) else tuple(endpoint.get("addresses") or ())))


def _is_tcp(port: Mapping[str, Any]) -> bool:
    return (port.get("protocol") or PROTOCOL) == PROTOCOL


def _name(document: Document) -> Document:
    metadata = document["metadata"]
    return {part: metadata.get(part) for part in ("name", "namespace", "resourceVersion")}
