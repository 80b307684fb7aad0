"""Who asks at the same time shares one look."""

import asyncio

import pytest

from rollout.envoy.admin import AdminClient
from rollout.envoy.looks import SharedLooks
from rollout.errors import Unavailable
from tests.envoy.world import EnvoyWorld
from tests.fakes.clock import FakeClock


@pytest.mark.real
async def test_asks_that_come_together_are_one_look(envoy: EnvoyWorld, admin: AdminClient) -> None:
    """Fifty Rollouts, one question; each gets what it asked for, at the same time."""
    looks = SharedLooks(admin, FakeClock(unix=1000.0))

    results = await asyncio.gather(*(looks.look([f"v{1 + number % 2}"]) for number in range(50)))

    assert looks.made == 1
    assert {result.at for result in results} == {1000.0}
    assert set(results[0].clusters) == {"v1", "v2"}


@pytest.mark.real
async def test_asks_one_after_the_other_are_looks_of_their_own(envoy: EnvoyWorld, admin: AdminClient) -> None:
    """A look that is under way does not take in who comes late: its numbers would be old."""
    looks = SharedLooks(admin, FakeClock())
    await looks.look(["v1"])
    await looks.look(["v1"])

    assert looks.made == 2


@pytest.mark.real
async def test_more_clusters_than_fit_into_one_question(envoy: EnvoyWorld, admin: AdminClient) -> None:
    """They are asked for in parts."""
    looks = SharedLooks(admin, FakeClock())

    result = await looks.look(["v1", "v2", *(f"nobody-{number}" for number in range(250))])

    assert set(result.clusters) == {"v1", "v2"}


async def test_an_error_reaches_every_asker() -> None:
    """And one asker that goes away does not end the look of the others."""
    admin = AdminClient("127.0.0.1:1")
    looks = SharedLooks(admin, FakeClock(), join_seconds=0.02)
    try:
        leaving = asyncio.create_task(looks.look(["v1"]))
        staying = asyncio.create_task(looks.look(["v1"]))
        await asyncio.sleep(0)
        leaving.cancel()

        with pytest.raises(Unavailable):
            await staying
        assert looks.made == 1
    finally:
        await admin.aclose()
