"""A cluster that does not have every kind of route."""

import random
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest

from rollout.engine.observation import RouteKey
from rollout.kube.api import KubeApi
from tests.kubernetes.cluster import OLD_GATEWAY_API, Cluster, gateway_crds
from tests.kubernetes.routes.world import make, open_table, refs, weights_of
from tests.waiting import until

WEB, RPC = RouteKey("HTTPRoute", "default", "web"), RouteKey("GRPCRoute", "default", "rpc")
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@pytest.fixture
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Run a cluster that has HTTPRoutes only."""
    running = Cluster.begin(tmp_path_factory.mktemp("bare"))
    try:
        install(running, "HTTPRoute")
        yield running
    finally:
        running.end()


def install(cluster: Cluster, kind: str) -> None:
    """Install the CRD of one kind."""
    for crd in gateway_crds(OLD_GATEWAY_API):
        if crd["spec"]["names"]["kind"] == kind:
            cluster.install(crd)


async def test_a_kind_that_is_missing_stops_nothing_and_is_found_when_it_comes(
    bare: Cluster, stack: AsyncExitStack
) -> None:
    """It starts at once, says what is missing, serves the other kind, and notices an installation and a removal."""
    make(bare, WEB, [{"backendRefs": refs({"v1": 1})}])
    api = KubeApi(bare.configuration(), random.random)
    stack.push_async_callback(api.aclose)

    table = await open_table(stack, api, WEB, RPC)

    assert weights_of(table.read(WEB)) == {"v1": 1}
    assert table.explain(WEB) == ""
    assert table.read(RPC) is None
    assert table.explain(RPC) == "the cluster has no GRPCRoute (gateway.networking.k8s.io/v1)"
    assert [watch.resource.kind for watch in table.watches()] == ["HTTPRoute"]

    install(bare, "GRPCRoute")
    make(bare, RPC, [{"backendRefs": refs({"v1": 2})}])

    await until(lambda: table.read(RPC), seconds=20)
    assert weights_of(table.read(RPC)) == {"v1": 2}
    await until(lambda: table.explain(RPC) == "", seconds=20)
    assert [watch.resource.kind for watch in table.watches()] == ["HTTPRoute", "GRPCRoute"]

    bare.ask("DELETE", f"{CRDS}/grpcroutes.gateway.networking.k8s.io")

    await until(lambda: table.read(RPC) is None, seconds=20)
    await until(lambda: table.explain(RPC).startswith("the cluster has no GRPCRoute"), seconds=20)
