"""Which routes are in memory, and how they get there."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from rollout.engine.observation import RouteKey
from rollout.errors import Unavailable
from rollout.kube.api import ApiOptions, KubeApi
from rollout.ports import Key
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.proxy import Mode, Proxy
from tests.kubernetes.routes.world import OWNER, change, make, open_table, path_of, refs, weights_of
from tests.waiting import until

HASTY = ApiOptions(timeout_seconds=2.0, connect_seconds=1.0, attempts=2, first_wait_seconds=0.02)
OTHER = Key("shop", "other")
START = {"v1": 90, "v2": 10}


@pytest.fixture
def web(cluster: Cluster, namespace: str) -> RouteKey:
    """Make an HTTPRoute."""
    key = RouteKey("HTTPRoute", namespace, "web")
    make(cluster, key, [{"backendRefs": refs(START)}])
    return key


@pytest.fixture
async def proxy(cluster: Cluster) -> AsyncIterator[Proxy]:
    """Open a proxy before the API server."""
    async with Proxy(cluster.port) as opened:
        yield opened


async def test_what_is_referred_to_before_the_start_comes_with_the_list(
    cluster: Cluster, web: RouteKey, stack: AsyncExitStack
) -> None:
    """A thousand Rollouts need no thousand reads."""
    asked: list[object] = []
    api = KubeApi(cluster.configuration(), random.random, count=lambda _seconds, outcome: asked.append(outcome))
    stack.push_async_callback(api.aclose)

    table = await open_table(stack, api, web, namespace=web.namespace)
    await table.fetch([web])

    assert weights_of(table.read(web)) == START
    assert len(asked) == 2


async def test_what_nobody_refers_to_is_not_there(api: KubeApi, web: RouteKey, stack: AsyncExitStack) -> None:
    """It exists, but costs nothing."""
    table = await open_table(stack, api, namespace=web.namespace)

    assert table.read(web) is None
    assert table.explain(web) == ""


async def test_what_is_referred_to_later_is_read_and_then_watched(
    cluster: Cluster, api: KubeApi, web: RouteKey, stack: AsyncExitStack
) -> None:
    """One read, and the watch tells of every change from then on."""
    table = await open_table(stack, api, namespace=web.namespace)
    table.refer(OWNER, [web])
    with pytest.raises(Unavailable, match="it has not been read yet"):
        table.explain(web)

    await table.fetch([web])

    assert weights_of(table.read(web)) == START
    change(cluster, web, {"spec": {"rules": [{"backendRefs": refs({"v1": 1, "v2": 2})}]}})
    await until(lambda: weights_of(table.read(web)) == {"v1": 1, "v2": 2})


async def test_what_is_referred_to_is_read_also_when_nobody_waits(
    api: KubeApi, web: RouteKey, stack: AsyncExitStack
) -> None:
    """Listeners hear of it when it is there."""
    told: list[RouteKey] = []
    table = await open_table(stack, api, namespace=web.namespace)
    table.subscribe(told.append)

    table.refer(OWNER, [web])

    await until(lambda: bool(told))  # by the read, and perhaps by the watch, too
    assert set(told) == {web}
    assert weights_of(table.read(web)) == START


async def test_a_route_goes_when_the_last_rollout_lets_go(api: KubeApi, web: RouteKey, stack: AsyncExitStack) -> None:
    """Two may need the same."""
    table = await open_table(stack, api, web, namespace=web.namespace)
    table.refer(OTHER, [web])

    table.refer(OWNER, [])
    assert weights_of(table.read(web)) == START
    table.refer(OTHER, [])

    assert table.read(web) is None
    assert [name for watch in table.watches() for name in watch.names()] == []


async def test_a_route_that_was_let_go_can_come_back_unchanged(
    api: KubeApi, web: RouteKey, stack: AsyncExitStack
) -> None:
    """It is of the very version that was forgotten."""
    table = await open_table(stack, api, web, namespace=web.namespace)
    before = table.read(web)
    table.refer(OWNER, [])

    table.refer(OWNER, [web])
    await table.fetch([web])

    assert table.read(web) == before


async def test_a_route_that_does_not_exist_is_known_not_to(
    cluster: Cluster, api: KubeApi, namespace: str, stack: AsyncExitStack
) -> None:
    """There is nothing to explain, and once somebody makes it, it is there."""
    key = RouteKey("GRPCRoute", namespace, "later")
    told: list[RouteKey] = []
    table = await open_table(stack, api, namespace=namespace)
    table.subscribe(told.append)
    table.refer(OWNER, [key])
    await table.fetch([key])
    assert (table.read(key), table.explain(key), told) == (None, "", [key])

    make(cluster, key, [{"backendRefs": refs(START)}])

    await until(lambda: told == [key, key])
    assert weights_of(table.read(key)) == START


async def test_a_route_that_is_made_again_is_seen_again(
    cluster: Cluster, api: KubeApi, web: RouteKey, stack: AsyncExitStack
) -> None:
    """While it is away it is known to be, without another read."""
    table = await open_table(stack, api, web, namespace=web.namespace)
    cluster.ask("DELETE", path_of(web))
    await until(lambda: table.read(web) is None)
    assert table.explain(web) == ""

    make(cluster, web, [{"backendRefs": refs({"v1": 5})}])

    await until(lambda: table.read(web) is not None)
    assert weights_of(table.read(web)) == {"v1": 5}


async def test_a_route_of_a_namespace_that_is_not_watched_is_explained(
    api: KubeApi, web: RouteKey, stack: AsyncExitStack
) -> None:
    """A single read would be the last that is ever heard of it."""
    table = await open_table(stack, api, web, namespace="elsewhere")
    await table.fetch([web])

    assert table.read(web) is None
    assert table.explain(web) == "only routes of namespace elsewhere are watched here"


async def test_a_route_of_another_runtime_is_explained(api: KubeApi, stack: AsyncExitStack) -> None:
    """An EnvoyRoute stands in a file."""
    key = RouteKey("EnvoyRoute", "shop", "web")
    table = await open_table(stack, api, key, namespace="elsewhere")
    await table.fetch([key])

    assert table.read(key) is None
    assert table.explain(key) == (
        "EnvoyRoute shop/web is not served here: the routes of this runtime are of kind HTTPRoute and GRPCRoute"
    )


async def test_what_cannot_be_read_is_explained_and_read_later(
    cluster: Cluster, web: RouteKey, proxy: Proxy, stack: AsyncExitStack
) -> None:
    """The API server is away when the Rollout comes, and returns."""
    far = KubeApi(cluster.configuration(url=proxy.url), random.random, HASTY)
    stack.push_async_callback(far.aclose)
    table = await open_table(stack, far, namespace=web.namespace)
    proxy.set(Mode.REFUSE)
    proxy.cut()
    table.refer(OWNER, [web])
    await table.fetch([web])
    assert table.read(web) is None
    with pytest.raises(Unavailable, match=r"it has not been read yet: GET /apis/gateway.networking.k8s.io/v1/"):
        table.explain(web)

    proxy.set(Mode.PASS)

    await until(lambda: table.read(web) is not None, seconds=15)
    await until(lambda: not table.explain(web), seconds=15)


async def test_what_is_let_go_while_it_is_read_stays_away(
    cluster: Cluster, web: RouteKey, proxy: Proxy, stack: AsyncExitStack
) -> None:
    """Nobody waits for ever for a route that nobody needs."""
    far = KubeApi(cluster.configuration(url=proxy.url), random.random, HASTY)
    stack.push_async_callback(far.aclose)
    table = await open_table(stack, far, namespace=web.namespace)
    proxy.delay_seconds = 0.2
    table.subscribe(lambda _: pytest.fail("nobody refers to it"))

    table.refer(OWNER, [web])
    reading = asyncio.create_task(table.fetch([web]))
    await asyncio.sleep(0)
    table.refer(OWNER, [])
    await asyncio.wait_for(reading, 5)

    assert table.read(web) is None
