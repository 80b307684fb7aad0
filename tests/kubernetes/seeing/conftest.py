"""A shelf in the test's own namespace, and doors through a proxy."""

import random
from collections.abc import AsyncIterator

import pytest

from rollout.kube.api import ApiOptions, KubeApi
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.proxy import Proxy
from tests.kubernetes.seeing.shelf import Shelf

HASTY = ApiOptions(timeout_seconds=2.0, connect_seconds=1.0, open_seconds=1.0, first_wait_seconds=0.02)


@pytest.fixture
def shelf(cluster: Cluster, namespace: str) -> Shelf:
    """Return an empty shelf."""
    return Shelf(cluster, namespace)


@pytest.fixture
async def proxy(cluster: Cluster) -> AsyncIterator[Proxy]:
    """Open a proxy before the API server."""
    async with Proxy(cluster.port) as opened:
        yield opened


@pytest.fixture
async def far(cluster: Cluster, proxy: Proxy) -> AsyncIterator[KubeApi]:
    """Open the door through the proxy, with little patience."""
    door = KubeApi(cluster.configuration(url=proxy.url), random.random, HASTY)
    yield door
    await door.aclose()
