"""A store on the test's namespace, and hands of others beside it."""

from collections.abc import AsyncIterator

import pytest

from rollout.kube.api import KubeApi
from rollout.ports import Key
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.stage import Stage, open_stage
from tests.kubernetes.store.world import Hands, KubeDesk, desk


@pytest.fixture
def key(namespace: str) -> Key:
    """Return the key of the Rollout."""
    return Key(namespace, "checkout")


@pytest.fixture
async def store(cluster: Cluster, namespace: str) -> AsyncIterator[KubeDesk]:
    """Open a store."""
    async with desk(cluster, namespace) as opened:
        yield opened


@pytest.fixture
def hands(cluster: Cluster, api: KubeApi, namespace: str) -> Hands:
    """Return what others can do."""
    return Hands(cluster, api, namespace)


@pytest.fixture
async def stage(cluster: Cluster, namespace: str) -> AsyncIterator[Stage]:
    """Open a stage on which a whole service can play."""
    async with open_stage(cluster, namespace) as opened:
        yield opened
