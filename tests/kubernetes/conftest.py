"""What tests of the Kubernetes runtime stand on: one API server for each worker, one namespace for each test."""

import itertools
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from rollout.kube.api import KubeApi
from tests.kubernetes.cluster import GATEWAY_API, Cluster, gateway_crds

_numbers = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything here as real, and give it to one worker, so that one API server is enough."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.real)
            item.add_marker(pytest.mark.xdist_group("kubernetes"))


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Run one API server with the CRDs of the Gateway API and ours."""
    from rollout.spec.crd import crds  # noqa: PLC0415 -

    running = Cluster.begin(tmp_path_factory.mktemp("cluster"))
    try:
        for crd in (*gateway_crds(GATEWAY_API), *crds()):
            running.install(dict(crd))
        yield running
    finally:
        running.end()


@pytest.fixture
def namespace(cluster: Cluster) -> str:
    """Make a namespace of the test's own."""
    name = f"test-{next(_numbers)}"
    cluster.make_namespace(name)
    return name


@pytest.fixture
async def api(cluster: Cluster) -> AsyncIterator[KubeApi]:
    """Open the door as an administrator."""
    door = KubeApi(cluster.configuration(), random.random)
    yield door
    await door.aclose()
