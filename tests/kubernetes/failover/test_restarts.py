"""What a controller knows when it begins: nothing moves before all is seen, and what was begun goes on."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from aiohttp import web

from tests.kubernetes.cluster import CONTROLLER
from tests.kubernetes.failover.shop import AWAY, HOME, at_home, commanded, failover, is_in, shop, told
from tests.kubernetes.reverse import Reverse, status
from tests.kubernetes.stage import Stage
from tests.kubernetes.stories.test_lost import put_back
from tests.kubernetes.stories.test_quiet import asked

REFUSED_LISTS = 3


async def test_a_failback_goes_on_where_it_stood(stage: Stage) -> None:
    """Stopped at the second step of three: the next controller neither repeats nor skips one."""
    back = {"steps": [10, 50, 100], "stepInterval": "2s"}
    await shop(stage, failover=failover(failback=back))
    async with stage.recorded() as seen:
        async with stage.controller():
            await at_home(stage)
            await stage.endpoints("checkout-v1", ready=0)
            await is_in(stage, "FailedOver")
            await stage.endpoints("checkout-v1", ready=1)
            await stage.weighs(50, 0, 50)
        async with stage.controller():
            done = await is_in(stage, "Normal")
            await stage.weighs(*HOME)

    assert seen == [HOME, AWAY, (10, 0, 90), (50, 0, 50), HOME]
    assert len(told(done, "FailedOver")) == len(told(done, "FailedBack")) == 1


async def test_a_failover_stays_over_a_restart(stage: Stage) -> None:
    """The primary is still down; the next controller writes nothing."""
    await shop(stage)
    async with stage.recorded() as seen:
        async with stage.controller():
            await at_home(stage)
            await stage.endpoints("checkout-v1", ready=0)
            await is_in(stage, "FailedOver")
            await stage.weighs(*AWAY)
        async with stage.controller() as runtime:
            await stage.until(lambda status: status["health"]["checkout-v1"] == "Unhealthy")
            for key in list(runtime.store.keys()) * 5:
                runtime.controller.wake(key)
            await stage.endpoints("checkout-v1", ready=1)
            await stage.weighs(*HOME)

    assert seen == [HOME, AWAY, HOME]


@pytest.mark.parametrize("plural", ["endpointslices", "services", "httproutes", "rollouts"])
async def test_nothing_moves_before_every_cache_is_synced(stage: Stage, plural: str) -> None:
    """The primary is down already; the list of one kind is refused three times, and nothing is written before it."""
    await shop(stage)
    await stage.endpoints("checkout-v1", ready=0)
    async with Reverse(stage.cluster) as door:
        door.fault = _withheld(plural)
        async with stage.controller(kubeconfig=stage.cluster.kubeconfig(CONTROLLER, door.url)):
            await stage.weighs(*AWAY, seconds=30)
    done = asked(stage)
    first_write = next(place for place, what in enumerate(done) if what.startswith("patch"))

    assert door.faults == REFUSED_LISTS
    assert done.index(f"list {plural}") < first_write


def _withheld(plural: str) -> Callable[[web.Request], web.Response | None]:
    """Refuse the first lists of this kind."""
    left = [REFUSED_LISTS]

    def fault(request: web.Request) -> web.Response | None:
        if not request.path.endswith(f"/{plural}") or "watch" in request.query or not left[0]:
            return None
        left[0] -= 1
        return status(503, "ServiceUnavailable")

    return fault


async def test_a_status_that_is_lost_is_written_again(stage: Stage) -> None:
    """A running controller knows better: failed over, by the same number, and no weight moves."""
    await shop(stage, failover=failover(failback={"mode": "Manual"}))
    async with stage.controller(), stage.recorded() as seen:
        await at_home(stage)
        await stage.endpoints("checkout-v1", ready=0)
        before = await is_in(stage, "FailedOver")
        await stage.weighs(*AWAY)
        put_back(stage, "checkout", None)
        after = await is_in(stage, "FailedOver")

    assert seen == [HOME, AWAY]
    assert after["failover"]["epoch"] == before["failover"]["epoch"]


@pytest.mark.parametrize("how", ["lost", "old"])
async def test_a_status_that_is_lost_over_a_restart_is_taken_for_failed_over(stage: Stage, how: str) -> None:
    """By the weights: they stay, and a person moves them back by the number that is told."""
    await shop(stage)
    async with stage.recorded() as seen:
        async with stage.controller():
            old = await at_home(stage)
            await stage.endpoints("checkout-v1", ready=0)
            await is_in(stage, "FailedOver")
            await stage.weighs(*AWAY)
        put_back(stage, "checkout", None if how == "lost" else old)
        await stage.endpoints("checkout-v1", ready=1)
        async with stage.controller():
            found = await stage.until(lambda status: status["failover"].get("reason") == "WaitingForFailback")
            unmoved = list(seen)
            number = found["failover"]["epoch"]
            back = await commanded(stage, "failback", epoch=number)
            await stage.weighs(*HOME)

    assert unmoved == [HOME, AWAY]
    assert found["failover"]["active"] == "checkout-dr"
    assert back[0]
