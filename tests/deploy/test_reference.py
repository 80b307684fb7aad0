"""Facts about the reference stack: the API server takes it with the definitions of Envoy Gateway, and its parts fit."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from rollout.kube.podtemplates import copied, template_of
from tests.deploy.rendering import DEPLOY, Object, kustomized, read
from tests.deploy.test_server import taken
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.fixtures import KUBERNETES

REFERENCE = DEPLOY / "reference"
CLUSTER_SETTINGS = {
    *("loadBalancer", "proxyProtocol", "healthCheck", "circuitBreaker", "timeout", "tcpKeepalive", "connection"),
    *("http2", "dns", "admissionControl", "useClientProtocol"),
}
"""What takes a route out of mergeBackends when a policy of the route has it (Envoy Gateway 1.9)."""


def objects(kind: str = "") -> list[Object]:
    """Return the objects of the stack, of one kind or all."""
    return [one for one in _everything() if one["kind"] != "Kustomization" and kind in {"", one["kind"]}]


@cache
def _everything() -> list[Object]:
    return [one for path in sorted(REFERENCE.glob("*.yaml")) for one in read(path)]


@pytest.mark.real
@KUBERNETES[1]
@pytest.mark.timeout(180)
@pytest.mark.parametrize("folder", [".", "monitoring", "tracing"])
async def test_the_api_server_takes_it(edged: Cluster, tmp_path: Path, folder: str) -> None:
    """Every object, with the rules that its definition has."""
    whole = kustomized(REFERENCE / folder)
    told = await taken(edged, tmp_path, whole)

    assert len(told) == len(whole)


def test_every_file_is_applied() -> None:
    """None is forgotten in the list."""
    (listed,) = read(REFERENCE / "kustomization.yaml")

    assert sorted(listed["resources"]) == sorted(
        path.name for path in REFERENCE.glob("*.yaml") if path.name != "kustomization.yaml"
    )


@pytest.mark.parametrize("rollout", objects("Rollout"), ids=lambda one: one["metadata"]["name"])
def test_who_has_a_canary_keeps_its_primary(rollout: Object) -> None:
    """Names, replicas and the rule for testers stay right after a promotion: it copies a template, and names both."""
    deployments = {one["metadata"]["name"] for one in objects("Deployment")}
    named = rollout["spec"].get("workloads", {})

    assert {role: one["name"] for role, one in named.items()} == {
        role: backend["name"] for role, backend in rollout["spec"]["backends"].items() if role != "backups" and named
    }
    assert {one["name"] for one in named.values()} <= deployments
    assert bool(named) is ("canary" in rollout["spec"]["backends"])
    assert not named or rollout["spec"]["promotion"]["mode"] == "CopyTemplate"


@pytest.mark.parametrize("service", ["checkout", "pricing"])
def test_a_promotion_leaves_a_template_that_fits(service: str) -> None:
    """The primary runs what the canary runs, known by the same revision, and what it says of pods names no version."""
    primary, canary = (
        one
        for role in ("primary", "canary")
        for one in objects("Deployment")
        if one["metadata"]["name"] == f"{service}-{role}"
    )
    promoted = copied(canary, primary)

    assert promoted == primary["spec"]["template"]
    assert template_of(promoted) == template_of(canary["spec"]["template"])


def test_nobody_else_sends_requests_to_who_is_judged() -> None:
    """The counters of a backend are those of its Service: one route only may name it."""
    backends = {
        backend["name"]
        for rollout in objects("Rollout")
        for one in rollout["spec"]["backends"].values()
        for backend in (one if isinstance(one, list) else [one])
    }
    naming = [
        name
        for route in objects()
        if route["kind"].endswith("Route")
        for name in {ref["name"] for rule in route["spec"]["rules"] for ref in rule.get("backendRefs", ())}
    ]

    assert sorted(name for name in naming if name in backends) == sorted(backends)


def routes(rollout: Object) -> list[Object]:
    """Return the routes that a Rollout names."""
    named = {(one["kind"], one["name"]) for one in rollout["spec"]["routes"]}
    return [one for one in objects() if (one["kind"], one["metadata"]["name"]) in named]


@pytest.mark.parametrize("rollout", objects("Rollout"), ids=lambda one: one["metadata"]["name"])
def test_a_rollout_names_what_there_is(rollout: Object) -> None:
    """Its rule has all its backends and nobody else, the canary and the backup at 0, each a Service with that port."""
    wanted = rollout["spec"]["backends"]
    names = [one["name"] for one in (wanted["stable"], wanted.get("canary"), *wanted["backups"]) if one]
    services = {one["metadata"]["name"]: one["spec"]["ports"][0]["port"] for one in objects("Service")}
    (route,) = routes(rollout)
    (rule,) = [one for one in route["spec"]["rules"] if one.get("name") == rollout["spec"]["routes"][0]["rule"]]

    assert [one["name"] for one in rule["backendRefs"]] == names
    assert [one["weight"] for one in rule["backendRefs"]] == [100, *(0 for _ in names[1:])]
    assert {services[one["name"]] for one in rule["backendRefs"]} == {8080}


@pytest.mark.parametrize("rollout", objects("Rollout"), ids=lambda one: one["metadata"]["name"])
def test_who_is_judged_has_counters_of_each_backend(rollout: Object) -> None:
    """A policy of its route keeps what the Gateway's says, and sets nothing that puts its backends into one cluster."""
    named = {one["metadata"]["name"] for one in routes(rollout)}
    policies = [
        one["spec"]
        for one in objects("BackendTrafficPolicy")
        if any(target["kind"] != "Gateway" and target["name"] in named for target in one["spec"]["targetRefs"])
    ]
    blind = [one for one in policies if one.keys() & CLUSTER_SETTINGS or "mergeType" not in one]

    assert bool(blind) is ("canary" not in rollout["spec"]["backends"])


def test_policies_are_those_that_are_shipped() -> None:
    """A Rollout names a file of policies/, whose gateway and whose counters are those of mergeBackends."""
    named = {one["spec"]["policy"]["name"] for one in objects("Rollout") if "policy" in one["spec"]}
    (proxy,) = objects("EnvoyProxy")

    assert (
        {path.stem for path in (DEPLOY.parent / "policies").glob("*.yaml")}
        > named
        == {
            "envoy-gateway-http",
            "envoy-gateway-grpc",
        }
    )
    assert "mergeBackends" in proxy["spec"]


def test_policies_have_a_target_that_there_is() -> None:
    """A misspelt one would be of no effect and say so nowhere but in its own status."""
    known = {(one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]) for one in objects()}
    aimed = {
        (target["kind"], one["metadata"]["namespace"], target["name"])
        for one in objects()
        for target in one.get("spec", {}).get("targetRefs", ())
    }

    assert aimed <= known
    assert {kind for kind, _, _ in aimed} == {"Gateway", "HTTPRoute", "GRPCRoute", "Service"}
