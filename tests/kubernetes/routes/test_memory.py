"""A cluster with thousands of routes that nobody rolls out."""

import asyncio
import gc
from contextlib import AsyncExitStack

from rollout.engine.observation import RouteKey
from rollout.kube.api import KubeApi
from rollout.kube.resources import HTTP_ROUTES
from tests.kubernetes.routes.world import OWNER, document, open_table, refs, weights_of
from tests.waiting import until

ROUTES, AT_ONCE = 2000, 32


async def make_many(api: KubeApi, namespace: str) -> None:
    """Make them."""
    few = asyncio.Semaphore(AT_ONCE)

    async def make_one(number: int) -> None:
        key = RouteKey("HTTPRoute", namespace, f"route-{number}")
        async with few:
            await api.create(HTTP_ROUTES, document(key, [{"backendRefs": refs({"v1": number})}]), namespace=namespace)

    await asyncio.gather(*(make_one(number) for number in range(ROUTES)))


def kept_anywhere() -> int:
    """Return how many rules of routes there are in the whole memory."""
    gc.collect()
    return sum(1 for thing in gc.get_objects() if isinstance(thing, dict) and "backendRefs" in thing)


async def test_two_thousand_routes_of_nobody_leave_nothing_in_memory(
    api: KubeApi, namespace: str, stack: AsyncExitStack
) -> None:
    """Neither the list nor the watch keeps one of them (but its last event), and each can be had when it is needed."""
    first, last = RouteKey("HTTPRoute", namespace, "route-1"), RouteKey("HTTPRoute", namespace, f"route-{ROUTES - 1}")
    before = kept_anywhere()
    watching = await open_table(stack, api, last, namespace=namespace)
    await make_many(api, namespace)
    await until(lambda: watching.read(last), seconds=20)
    listing = await open_table(stack, api, first, namespace=namespace)

    assert kept_anywhere() - before <= 4
    assert [watch.names() for watch in watching.watches()] == [[(namespace, last.name)], []]
    assert [watch.names() for watch in listing.watches()] == [[(namespace, first.name)], []]
    listing.refer(OWNER, [last])
    await listing.fetch([last])
    assert weights_of(listing.read(last)) == {"v1": ROUTES - 1}
