"""What tests on a real API server stand on, wherever they are: one for each worker, and a namespace for each test.

A plugin of the root conftest, so that contract tests find it too. It imports what it needs when it is needed: most runs
of pytest have nothing to do with a cluster. Such a test carries the marks of ``KUBERNETES``.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from rollout.kube.api import KubeApi
    from tests.kubernetes.cluster import Cluster

KUBERNETES = (pytest.mark.real, pytest.mark.xdist_group("kubernetes"))
"""The marks of a test on a real API server: all go to one worker, so that one API server is enough."""

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Run one API server with the CRDs of the Gateway API and ours."""
    from rollout.spec.crd import crds  # noqa: PLC0415 - as the module says
    from tests.kubernetes.cluster import GATEWAY_API, Cluster, gateway_crds  # noqa: PLC0415 - as the module says

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
    from rollout.kube.api import KubeApi  # noqa: PLC0415 - as the module says

    door = KubeApi(cluster.configuration(), random.random)
    yield door
    await door.aclose()
