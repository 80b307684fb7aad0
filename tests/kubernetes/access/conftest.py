"""People for the tests here."""

import random
from collections.abc import AsyncIterator

import pytest

from rollout.kube.api import ApiOptions, KubeApi
from tests.kubernetes.access.people import People
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.proxy import Proxy


@pytest.fixture
async def door(cluster: Cluster) -> AsyncIterator[Proxy]:
    """Return the way to the API server that can be cut."""
    async with Proxy(cluster.port) as proxy:
        yield proxy


@pytest.fixture
async def people(cluster: Cluster, namespace: str, door: Proxy) -> AsyncIterator[People]:
    """Return a namespace in which nobody is known yet."""
    api = KubeApi(cluster.configuration(url=door.url), random.random, ApiOptions(first_wait_seconds=0.01))
    try:
        yield People(cluster, namespace, api)
    finally:
        await api.aclose()
