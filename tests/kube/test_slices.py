"""What EndpointSlices and Services say, row by row."""

from collections.abc import Mapping
from itertools import permutations
from typing import Any

import pytest

from rollout.engine.observation import UNKNOWN_ENDPOINTS, Endpoints
from rollout.kube.resources import Document
from rollout.kube.slices import counts, keep_service, keep_slice, targets
from rollout.signals import Target

Fields = Mapping[str, Any]
TWO_PORTS = ({"name": "web", "port": 80}, {"name": "admin", "port": 81})
"""Ports of a Service: what clients use, not where pods listen."""


def service(*ports: Fields, **spec: object) -> Document:
    """Return what is kept of a Service with these ports."""
    found = ports or ({"name": "web", "port": 80},)
    return keep_service({"metadata": {"name": "v1", "namespace": "shop"}, "spec": {"ports": list(found), **spec}})


def endpoint(pod: str, *, address: str = "", **conditions: bool | None) -> dict[str, Any]:
    """Return an endpoint with a pod behind it."""
    target = {"kind": "Pod", "namespace": "shop", "name": pod, "uid": f"uid-{pod}"}
    return {"addresses": [address or f"10.0.0.{pod}"], "conditions": conditions, "targetRef": target}


def bare(address: str) -> dict[str, Any]:
    """Return an endpoint that somebody wrote by hand: no conditions, no pod."""
    return {"addresses": [address]}


def piece(
    *endpoints: Fields,
    version: int = 1,
    ports: tuple[Fields, ...] = ({"name": "web", "port": 8080},),
    family: str = "IPv4",
) -> Document:
    """Return what is kept of a slice."""
    labels = {"kubernetes.io/service-name": "v1"}
    metadata = {"name": f"v1-{version}", "namespace": "shop", "resourceVersion": str(version), "labels": labels}
    kept = keep_slice({"metadata": metadata, "addressType": family, "ports": list(ports), "endpoints": list(endpoints)})
    assert kept is not None
    return kept


CONDITIONS: list[tuple[Fields | None, Endpoints]] = [
    ({"ready": True, "serving": True, "terminating": False}, Endpoints(1, 1)),
    ({"ready": False, "serving": False, "terminating": False}, Endpoints(0, 1)),
    ({"ready": False, "serving": True, "terminating": True}, Endpoints(0, 0)),
    ({"ready": False, "serving": False, "terminating": True}, Endpoints(0, 0)),
    ({"ready": True, "terminating": True}, Endpoints(0, 0)),
    ({"ready": None}, Endpoints(1, 1)),
    ({}, Endpoints(1, 1)),
    (None, Endpoints(1, 1)),
]


@pytest.mark.parametrize(("conditions", "expected"), CONDITIONS, ids=str)
def test_conditions_say_what_an_endpoint_counts(conditions: Fields | None, expected: Endpoints) -> None:
    """Unknown is ready; what terminates counts no more, also where it still serves."""
    one = {**endpoint("1"), "conditions": conditions}

    assert counts(service(), [piece(one)])[0] == expected


def test_both_families_of_an_address_are_one_endpoint() -> None:
    """A dual-stack Service has a slice for each family, and the same pods in both."""
    four = piece(endpoint("1"), endpoint("2"))
    six = piece(endpoint("1", address="fd00::1"), endpoint("2", address="fd00::2"), version=2)

    assert counts(service(), [four, six])[80] == Endpoints(2, 2)


def test_the_families_of_an_endpoint_without_a_pod_are_two() -> None:
    """Nothing says that they are one."""
    assert counts(service(), [piece(bare("10.0.0.1")), piece(bare("fd00::1"), version=2)])[80] == Endpoints(2, 2)


def test_an_endpoint_in_overlapping_slices_counts_once_as_the_newest_says() -> None:
    """While the cluster moves an endpoint from one slice to another it is in both, and their order is chance."""
    old = piece(endpoint("1", ready=True), endpoint("2", ready=True), version=9)
    new = piece(endpoint("2", ready=False), endpoint("3", ready=True), version=10)

    assert {counts(service(), order)[80] for order in permutations((old, new))} == {Endpoints(2, 3)}


def test_a_pod_that_is_named_anew_is_another() -> None:
    """Pods of a StatefulSet keep their name: the uid tells the old one from the new one."""
    old, new = endpoint("1", terminating=True), endpoint("1", ready=True)
    new["targetRef"] = {**new["targetRef"], "uid": "another"}

    assert counts(service(), [piece(old, version=5), piece(new, version=4)])[80] == Endpoints(1, 1)


def test_a_port_counts_the_slices_that_have_it() -> None:
    """Pods that differ in their named ports are in slices of their own."""
    both = piece(endpoint("1"), ports=({"name": "web", "port": 8080}, {"name": "admin", "port": 9}))
    web = piece(endpoint("2"), endpoint("3"), version=2)

    assert counts(service(*TWO_PORTS), [both, web]) == {0: Endpoints(3, 3), 80: Endpoints(3, 3), 81: Endpoints(1, 1)}


@pytest.mark.parametrize(
    "ports", [(), ({"name": "web", "port": None},), ({"name": "web", "port": 80, "protocol": "UDP"},)]
)
def test_a_slice_without_the_port_has_nothing_behind_it(ports: tuple[Fields, ...]) -> None:
    """A slice has no ports while no pod is ready for them, and one that is not TCP is no port of a route."""
    assert counts(service(), [piece(endpoint("1"), ports=ports)])[80] == Endpoints(0, 0)


def test_a_port_that_is_not_tcp_is_none() -> None:
    """DNS over UDP beside TCP on one number: routes go to TCP."""
    dns = service({"name": "udp", "port": 53, "protocol": "UDP"}, {"name": "tcp", "port": 53})

    assert dns["ports"] == {53: "tcp"}


def test_many_endpoints_in_several_slices() -> None:
    """A slice holds 100 by default: 250 ready ones, 30 that are not, and ten that terminate."""
    ready = [endpoint(str(number), ready=True) for number in range(250)]
    waiting = [endpoint(str(number), ready=False) for number in range(250, 280)]
    endpoints = [*ready, *waiting, *(endpoint(str(number), terminating=True) for number in range(280, 290))]
    pieces = [piece(*endpoints[at : at + 100], version=at + 1) for at in range(0, len(endpoints), 100)]

    assert counts(service(), pieces)[80] == Endpoints(250, 280)


def test_without_a_service_there_is_nothing_to_count() -> None:
    """Slices may outlive it for a moment."""
    assert counts(None, [piece(endpoint("1"))]) == {}


def test_nobody_can_count_behind_a_dns_name() -> None:
    """Of an ExternalName nothing is known, on any port."""
    assert counts(service(type="ExternalName"), []) == {0: UNKNOWN_ENDPOINTS, 80: UNKNOWN_ENDPOINTS}


def test_a_slice_of_no_service_is_not_kept() -> None:
    """Somebody else's, for somebody else."""
    assert keep_slice({"metadata": {"name": "x", "namespace": "shop"}, "endpoints": [endpoint("1")]}) is None


def test_targets_are_where_pods_listen_ready_or_not() -> None:
    """The slice says the port; what terminates is none."""
    slices = [piece(endpoint("1"), endpoint("2", ready=False), endpoint("3", terminating=True))]

    assert targets(service(), slices, 80) == (Target("10.0.0.1", 8080), Target("10.0.0.2", 8080))
    assert targets(service(), slices, 0) == targets(service(), slices, 80)


@pytest.mark.parametrize("order", list(permutations(range(2))))
def test_a_pod_with_both_families_is_asked_at_its_ipv4_address(order: tuple[int, ...]) -> None:
    """Whichever slice was written last."""
    pieces = [endpoint("1"), endpoint("1", address="fd00::1")]
    slices = [
        piece(pieces[number], version=place + 1, family=("IPv4", "IPv6")[number]) for place, number in enumerate(order)
    ]

    assert targets(service(), slices, 80) == (Target("10.0.0.1", 8080),)


def test_an_ipv6_address_is_a_target_as_it_is_written() -> None:
    """Where there is no other."""
    assert targets(service(), [piece(bare("fd00::1"), family="IPv6")], 80) == (Target("fd00::1", 8080),)


def test_names_and_what_is_no_address_are_targets_as_they_stand() -> None:
    """Slices of names are looked up by whoever asks there; one of the wrong family says nothing less."""
    names = piece(bare("db-1.example"), bare("db-2.example"), family="FQDN")
    odd = piece(bare("10.0.0.9"), family="IPv6", version=2)
    found = [str(target) for target in targets(service(), [names, odd], 80)]

    assert found == ["10.0.0.9:8080", "db-1.example:8080", "db-2.example:8080"]


def test_the_newest_slice_says_where_an_endpoint_is() -> None:
    """A pod that came back under its name has another address; one that leaves is gone from both slices."""
    moved = piece({**endpoint("1"), "addresses": ["10.0.0.7"]}, version=2)
    left = piece(endpoint("1", terminating=True), version=3)

    assert targets(service(), [moved, piece(endpoint("1"))], 80) == (Target("10.0.0.7", 8080),)
    assert targets(service(), [left, moved, piece(endpoint("1"))], 80) == ()


def test_each_port_of_a_service_has_targets_of_its_own() -> None:
    """A port that a slice does not have leads nowhere; where any port would do, none of two is known."""
    both = piece(endpoint("1"), ports=({"name": "web", "port": 8080}, {"name": "admin", "port": 9090}))
    two = service(*TWO_PORTS)

    assert targets(two, [both], 81) == (Target("10.0.0.1", 9090),)
    assert targets(two, [piece(endpoint("1"))], 81) == ()
    assert targets(two, [both], 0) == (Target("10.0.0.1", 0),)
    assert targets(two, [both], 82) == ()


def test_nothing_is_asked_behind_a_dns_name_or_without_a_service() -> None:
    """Its endpoints cannot be seen."""
    assert targets(None, [piece(endpoint("1"))], 80) == ()
    assert targets(service(type="ExternalName"), [piece(endpoint("1"))], 80) == ()


def test_an_endpoint_without_an_address_is_no_target() -> None:
    """It counts, but there is nothing to ask."""
    assert targets(service(), [piece({"conditions": {}})], 80) == ()
