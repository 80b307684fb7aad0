"""Replicas for the tests here."""

from collections.abc import AsyncIterator

import pytest

from tests.kubernetes.acting.replicas import Replicas
from tests.kubernetes.cluster import Cluster


@pytest.fixture
async def replicas(cluster: Cluster, namespace: str) -> AsyncIterator[Replicas]:
    """Return replicas of which none has begun."""
    world = Replicas(cluster, namespace)
    try:
        yield world
    finally:
        await world.aclose()
