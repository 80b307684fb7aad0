"""The stores that every test of their contract gets."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rollout.sqlite.store import SqliteStore
from tests.contracts.stores import OwnStore, Store
from tests.fakes.clock import FakeClock
from tests.fakes.store import FakeStore
from tests.kubernetes.fixtures import KUBERNETES
from tests.kubernetes.store.world import clear, desk


@pytest.fixture
def clock() -> FakeClock:
    """Return the clock of a store of our own."""
    return FakeClock()


@pytest.fixture(params=["fake", "sqlite"])
async def own_store(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> AsyncIterator[OwnStore]:
    """Return an empty store of each kind that keeps manifests and history by itself, which an API server does not."""
    if request.param == "fake":
        yield FakeStore(clock)
        return
    real = await SqliteStore.open(tmp_path / "rollout.db", clock=clock)
    try:
        yield real
    finally:
        await real.close()


@pytest.fixture(params=["fake", "sqlite", pytest.param("kubernetes", marks=KUBERNETES)])
async def store(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> AsyncIterator[Store]:
    """Return an empty store of each kind."""
    if request.param == "fake":
        yield FakeStore(clock)
    elif request.param == "sqlite":
        real = await SqliteStore.open(tmp_path / "rollout.db", clock=clock)
        try:
            yield real
        finally:
            await real.close()
    else:
        cluster = request.getfixturevalue("cluster")
        cluster.make_namespace("shop")
        clear(cluster, "shop")
        async with desk(cluster, "shop") as kube:
            yield kube
        clear(cluster, "shop")
