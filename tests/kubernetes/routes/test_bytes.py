"""What a write leaves as it is, on the oldest and the newest release of the Gateway API that are served."""

import itertools
import json
import random
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from rollout.engine.observation import RouteKey, RouteView
from rollout.kube.api import KubeApi
from rollout.kube.resources import MANAGER
from rollout.kube.routes import KubeRouteTable
from tests.kubernetes.cluster import GATEWAY_API, OLD_GATEWAY_API, Cluster, gateway_crds
from tests.kubernetes.routes.full import RULES, rules
from tests.kubernetes.routes.world import KINDS, get, make, open_table, to_write, weights_of

WRITES = 50
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def old_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Run a cluster with the oldest release of the Gateway API."""
    running = Cluster.begin(tmp_path_factory.mktemp("old"))
    try:
        for crd in gateway_crds(OLD_GATEWAY_API):
            running.install(crd)
        yield running
    finally:
        running.end()


@pytest.fixture(params=[GATEWAY_API, OLD_GATEWAY_API])
def released(request: pytest.FixtureRequest) -> Cluster:
    """Give a cluster with each release."""
    found: Cluster = request.getfixturevalue("cluster" if request.param == GATEWAY_API else "old_cluster")
    return found


async def opened(cluster: Cluster, kind: str, stack: AsyncExitStack) -> tuple[RouteKey, KubeRouteTable, RouteView]:
    """Make the route in a namespace of its own, and open a table on it."""
    key = RouteKey(kind, f"bytes-{next(_numbers)}", "full")
    cluster.make_namespace(key.namespace)
    make(cluster, key, rules(kind))
    api = KubeApi(cluster.configuration(), random.random)
    stack.push_async_callback(api.aclose)
    table = await open_table(stack, api, key, namespace=key.namespace)
    view = table.read(key)
    assert view is not None
    return key, table, view


def without_ours(route: dict[str, Any]) -> str:
    """Return the route as text, in the order of the API server, without our weights and what every write changes."""
    told = json.loads(json.dumps(route))
    for field in ("resourceVersion", "generation", "managedFields"):
        del told["metadata"][field]
    for rule in told["spec"]["rules"]:
        for ref in rule.get("backendRefs", ()):
            if ref["name"] in {"v1", "v2"} and ref["kind"] == "Service":
                del ref["weight"]
    return json.dumps(told)


@pytest.mark.parametrize("kind", KINDS)
async def test_fifty_writes_change_weights_and_nothing_else(
    released: Cluster, kind: str, stack: AsyncExitStack
) -> None:
    """The largest route with every filter stays as it is, byte by byte, and every write is one generation."""
    key, table, view = await opened(released, kind, stack)
    before = get(released, key)
    share = 0
    for number in range(1, WRITES + 1):
        share = (number * 7) % 100 + 1
        wanted = [to_write(view, index=place, v1=100 - share, v2=share)[0] for place in range(RULES - 1)]
        view = await table.write(key, wanted, expected=view.version)

    after = get(released, key)
    assert without_ours(after) == without_ours(before)
    assert after["metadata"]["generation"] == before["metadata"]["generation"] + WRITES
    assert [weights_of(view, index=place)["v2"] for place in range(RULES - 1)] == [share] * (RULES - 1)
    assert {entry["manager"] for entry in after["metadata"]["managedFields"]} >= {MANAGER}


@pytest.mark.parametrize("kind", KINDS)
async def test_one_rule_of_many_is_written_alone(released: Cluster, kind: str, stack: AsyncExitStack) -> None:
    """The other rules keep their weights, also those of the same backends."""
    key, table, view = await opened(released, kind, stack)

    written = await table.write(key, to_write(view, index=3, v1=0, v2=1000), expected=view.version)

    foreign = {"ServiceImport.multicluster.x-k8s.io/v1": 7, "other": 1}
    assert weights_of(written, index=3) == {"v1": 0, "v2": 1000, **foreign}
    assert weights_of(written, index=4) == {"v1": 90, "v2": 10, **foreign}
