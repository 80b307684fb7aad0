"""A write that others come before, in the moment between the look and the write."""

import random
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack

import pytest

from rollout.engine.observation import RouteKey
from rollout.errors import ConflictError, NotOursError, UpdateRefused
from rollout.kube.api import KubeApi
from rollout.kube.resources import Document, Resource
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.routes.world import make, open_table, path_of, refs, to_write, weights_of


class Between(KubeApi):
    """Lets ``others`` act before every write."""

    others: Callable[[], object]

    async def patch(
        self, resource: Resource, namespace: str, name: str, operations: Sequence[Document], *, subresource: str = ""
    ) -> Document:
        """Let them act, then patch."""
        self.others()
        return await super().patch(resource, namespace, name, operations, subresource=subresource)


@pytest.fixture
def web(cluster: Cluster, namespace: str) -> RouteKey:
    """Make an HTTPRoute."""
    key = RouteKey("HTTPRoute", namespace, "web")
    make(cluster, key, [{"backendRefs": refs({"v1": 90, "v2": 10})}])
    return key


@pytest.fixture
def door(cluster: Cluster, stack: AsyncExitStack) -> Between:
    """Open the door."""
    opened = Between(cluster.configuration(), random.random)
    stack.push_async_callback(opened.aclose)
    return opened


async def test_a_route_that_was_deleted_is_gone_at_once(
    cluster: Cluster, door: Between, web: RouteKey, stack: AsyncExitStack
) -> None:
    """Memory does not wait for the watch to tell."""
    table = await open_table(stack, door, web, namespace=web.namespace)
    view = table.read(web)
    assert view is not None
    door.others = lambda: cluster.ask("DELETE", path_of(web))

    with pytest.raises(NotOursError, match="is gone"):
        await table.write(web, to_write(view, v1=50, v2=50), expected=view.version)

    assert table.read(web) is None


async def test_a_route_that_was_made_anew_is_another(
    cluster: Cluster, door: Between, web: RouteKey, stack: AsyncExitStack
) -> None:
    """Nothing is written on the word of the old one; memory has the new one at once."""
    table = await open_table(stack, door, web, namespace=web.namespace)
    view = table.read(web)
    assert view is not None

    def replaced() -> None:
        cluster.ask("DELETE", path_of(web))
        make(cluster, web, [{"backendRefs": refs({"v1": 7, "v2": 3})}])

    door.others = replaced

    with pytest.raises(ConflictError, match="changed by somebody else"):
        await table.write(web, to_write(view, v1=50, v2=50), expected=view.version)

    assert weights_of(table.read(web)) == {"v1": 7, "v2": 3}


async def test_a_conflict_that_nobody_made_is_a_refusal(door: Between, web: RouteKey, stack: AsyncExitStack) -> None:
    """An admission webhook may refuse with any code: trying again would be for ever."""
    table = await open_table(stack, door, web, namespace=web.namespace)
    view = table.read(web)
    assert view is not None

    def refuses() -> None:
        raise ConflictError("admission webhook denied the request: not on a Friday")

    door.others = refuses

    with pytest.raises(UpdateRefused, match="not on a Friday"):
        await table.write(web, to_write(view, v1=50, v2=50), expected=view.version)


async def test_a_route_that_goes_after_a_conflict_is_gone(
    cluster: Cluster, door: Between, web: RouteKey, stack: AsyncExitStack
) -> None:
    """Somebody changed it, and deleted it before it was read again."""
    table = await open_table(stack, door, web, namespace=web.namespace)
    view = table.read(web)
    assert view is not None

    def changed_and_gone() -> None:
        cluster.ask("DELETE", path_of(web))
        raise ConflictError("changed")

    door.others = changed_and_gone

    with pytest.raises(NotOursError, match="is gone"):
        await table.write(web, to_write(view, v1=50, v2=50), expected=view.version)

    assert table.read(web) is None
