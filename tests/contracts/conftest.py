"""The stores that every test of their contract gets."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rollout.sqlite.store import SqliteStore
from tests.contracts.stores import Store
from tests.fakes.clock import FakeClock
from tests.fakes.store import FakeStore


@pytest.fixture
def clock() -> FakeClock:
    """Return the clock of the store."""
    return FakeClock()


@pytest.fixture(params=["fake", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> AsyncIterator[Store]:
    """Return an empty store of each kind."""
    if request.param == "fake":
        yield FakeStore(clock)
        return
    real = await SqliteStore.open(tmp_path / "rollout.db", clock=clock)
    try:
        yield real
    finally:
        await real.close()
