"""What EndpointSlices and Services say, as few numbers: which endpoints there are behind a port, and which are ready.

Pure: documents in, counts and targets out; ``rollout.kube.endpoints`` keeps them. An endpoint counts once, however many
slices and address families it is in: by the pod behind it, else by its address. Where slices contradict each other (the
cluster moves endpoints from one to another), the one written last is right.

*Ready* is what the slice says, and ready when it says nothing (that is Kubernetes' rule). An endpoint that is
*terminating* counts neither as ready nor at all, also where it still serves: Envoy Gateway drains it, kube-proxy uses
it only when nothing else is left, and either way it is gone within its grace period. To give it weight would be to
give weight to nothing, and a canary whose last pods terminate is better left before they are gone than after.
"""

from __future__ import annotations

import socket
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum, auto
from typing import Any

from rollout.engine.observation import UNKNOWN_ENDPOINTS, Endpoints
from rollout.kube.resources import Document, age_of, version_of
from rollout.signals import Target

SERVICE_LABEL = "kubernetes.io/service-name"
"""Names the Service of a slice, in the slice's own namespace."""

PROTOCOL = "TCP"
"""Routes of the Gateway API go to TCP ports; a port that names no protocol is one."""


_FAMILIES = {"IPv4": socket.AF_INET, "IPv6": socket.AF_INET6}


class _Is(Enum):
    READY = auto()
    WAITING = auto()
    LEAVING = auto()


def keep_slice(document: Document) -> Document | None:
    """Return of a slice its Service, its ports, and of each endpoint where and whether it is; None without a Service.

    Endpoints are kept as 12 bytes each (24 where the address is an IPv6 one): a cluster has hundreds of thousands.
    """
    service = (document["metadata"].get("labels") or {}).get(SERVICE_LABEL)
    if not service:
        return None
    found: dict[_Is, list[tuple[int, str]]] = {each: [] for each in _Is}
    for endpoint in document.get("endpoints") or ():
        addresses = endpoint.get("addresses") or ("",)
        found[_is(endpoint.get("conditions") or {})].append((_identity(endpoint), str(addresses[0])))
    kind = str(document.get("addressType") or "")
    ports = (port for port in document.get("ports") or () if port.get("port") and _is_tcp(port))
    return {
        "metadata": _name(document),
        "service": service,
        "ports": {str(port.get("name") or ""): int(port["port"]) for port in ports},
        "endpoints": tuple(
            (each, array("q", (identity for identity, _ in many)), _packed(kind, [address for _, address in many]))
            for each, many in found.items()
            if many
        ),
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


def targets(service: Document | None, slices: Iterable[Document], port: int) -> tuple[Target, ...]:
    """Return where the endpoints behind a port of a kept Service are (port 0: behind any), ready or not, in order.

    A pod with an address in both families is one target, at its IPv4 address. Behind port 0 the port of a target is
    known only where its slice has one alone.
    """
    if service is None or service["external"] or port not in {0, *service["ports"]}:
        return ()
    name = service["ports"].get(port)
    states: dict[int, _Is] = {}
    places: dict[int, Target] = {}
    for kept in sorted(slices, key=lambda kept: age_of(version_of(kept))):
        number = _number(kept["ports"], name)
        for identity, state, address in _endpoints(kept) if number is not None else ():
            states[identity] = state
            if ":" not in address or identity not in places or ":" in places[identity].address:
                places[identity] = Target(address, number or 0)
    there = (place for identity, place in places.items() if states[identity] is not _Is.LEAVING and place.address)
    return tuple(sorted(set(there)))


def _endpoints(kept: Document) -> Iterator[tuple[int, _Is, str]]:
    """Yield who each endpoint of a kept slice is, how it is, and its address."""
    for state, identities, packed in kept["endpoints"]:
        for identity, address in zip(identities, _unpacked(packed, len(identities)), strict=True):
            yield identity, state, address


def _number(ports: Mapping[str, int], name: str | None) -> int | None:
    """Return the number of the port of this name; of any port, if there is just one, else 0."""
    if name is not None:
        return ports.get(name)
    return next(iter(ports.values())) if len(ports) == 1 else 0


def _packed(kind: str, addresses: Sequence[str]) -> bytes | str:
    """Return the addresses as few bytes, or as one text where they are names."""
    family = _FAMILIES.get(kind)
    try:
        if family is not None:
            return b"".join(socket.inet_pton(family, address) for address in addresses)
    except (OSError, ValueError):
        # No address of this family: kept as it stands.
        return " ".join(addresses)
    return " ".join(addresses)


def _unpacked(packed: bytes | str, size: int) -> Iterator[str]:
    if isinstance(packed, str):
        yield from packed.split(" ")
        return
    width = len(packed) // size
    family = socket.AF_INET if width == 4 else socket.AF_INET6  # noqa: PLR2004 - IPv4
    for start in range(0, len(packed), width):
        yield socket.inet_ntop(family, packed[start : start + width])


def _count(slices: Iterable[Document]) -> Endpoints:
    states: dict[int, _Is] = {}
    for kept in slices:
        for state, identities, _ in kept["endpoints"]:
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
