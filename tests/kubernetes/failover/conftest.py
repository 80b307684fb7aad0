"""A stage for each test."""

from collections.abc import AsyncIterator

import pytest

from tests.kubernetes.cluster import Cluster
from tests.kubernetes.stage import Stage, open_stage


@pytest.fixture
async def stage(cluster: Cluster, namespace: str) -> AsyncIterator[Stage]:
    """Open a stage in the test's namespace."""
    async with open_stage(cluster, namespace) as opened:
        yield opened
