"""A route of another namespace: its owner lends its weights by an annotation, or nobody there has them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from rollout.kube.resources import HTTP_ROUTES
from rollout.kube.routeview import ALLOW
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.stage import Stage, open_stage


@pytest.fixture
async def stage(cluster: Cluster, namespace: str) -> AsyncIterator[Stage]:
    """Open a stage in the test's namespace, where the Rollout is."""
    async with open_stage(cluster, namespace) as opened:
        yield opened


@pytest.fixture
def prod(stage: Stage) -> Stage:
    """Return a stage in another namespace, where everything else is."""
    other = Stage(stage.cluster, stage.api, f"{stage.namespace}-prod")
    stage.cluster.make_namespace(other.namespace)
    return other


async def test_the_owner_of_a_route_lends_it_and_takes_it_back(stage: Stage, prod: Stage) -> None:
    """Before and after that no Rollout of another namespace shifts a weight, and its condition says what is missing."""
    await prod.pair()
    await prod.route()
    backends = {
        role: {"name": f"checkout-{version}", "namespace": prod.namespace, "port": 8080}
        for role, version in (("stable", "v1"), ("canary", "v2"))
    }
    routes = [{"kind": "HTTPRoute", "name": "checkout", "namespace": prod.namespace}]
    await stage.rollout(routes=routes, backends=backends, gateway={"verifyRouteStatus": False})
    async with stage.controller(watch_namespace=None):
        refused = await stage.phase("Invalid")
        prod.change(HTTP_ROUTES, "checkout", {"metadata": {"annotations": {ALLOW: f"books,{stage.namespace}"}}})
        await stage.phase("Idle")
        prod.change(HTTP_ROUTES, "checkout", {"metadata": {"annotations": {ALLOW: None}}})
        await stage.phase("Invalid")
        await stage.edit(revision="2")
        again = await stage.until(lambda status: status["observedGeneration"] == 2)

    assert "spec.routes[0].namespace: HTTPRoute checkout is of another namespace" in refused["message"]
    assert f"(given: {prod.namespace})" in refused["message"]
    assert again["phase"] == "Invalid"
    assert await prod.weights() == (100, 0)
