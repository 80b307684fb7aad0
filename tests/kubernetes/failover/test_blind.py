"""When the API server cannot be seen, nothing is written from old knowledge; what is due is done soon after."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path

import pytest

from tests.kubernetes.cluster import CONTROLLER
from tests.kubernetes.failover.shop import AWAY, HOME, MANUAL, at_home, failover, is_in, shop, told
from tests.kubernetes.proxy import Mode, Proxy
from tests.kubernetes.replicas.pair import LEASE, holder, taken_over, two_replicas
from tests.kubernetes.stage import Stage

pytestmark = pytest.mark.timeout(120)

AWAY_SECONDS = 2.0
SOON_SECONDS = 10.0
HALF_OPEN_SECONDS = 30.0
"""A watch is renewed every 15 s, and a connection that is dead is found within 5 s after that."""


@pytest.mark.parametrize("first", ["checkout-dr", "checkout-v1"])
async def test_an_api_server_out_of_reach(stage: Stage, first: str) -> None:
    """Both die meanwhile, one after the other: the backup gets nothing, until it is up again."""
    await shop(stage)
    async with (
        Proxy(stage.cluster.port) as door,
        stage.controller(kubeconfig=stage.cluster.kubeconfig(CONTROLLER, door.url)),
        stage.recorded() as seen,
    ):
        await at_home(stage)
        door.set(Mode.REFUSE)
        door.cut()
        for name in (first, *({"checkout-dr", "checkout-v1"} - {first})):
            await stage.endpoints(name, ready=0)
        await asyncio.sleep(AWAY_SECONDS)  # the length of the fault
        door.set(Mode.PASS)
        status = await stage.until(lambda status: status["failover"].get("reason") == "NoHealthyBackup")
        unmoved = list(seen)
        await stage.endpoints("checkout-dr", ready=1)
        await stage.weighs(*AWAY)

    assert unmoved == [HOME]
    assert not told(status, "FailedOver")


async def test_a_failure_while_out_of_reach_is_acted_on_soon_after(stage: Stage) -> None:
    """The primary dies while nobody can see it."""
    await shop(stage, failover=failover(failback=MANUAL))
    async with (
        Proxy(stage.cluster.port) as door,
        stage.controller(kubeconfig=stage.cluster.kubeconfig(CONTROLLER, door.url)),
        stage.recorded() as seen,
    ):
        await at_home(stage)
        door.set(Mode.REFUSE)
        door.cut()
        await stage.endpoints("checkout-v1", ready=0)
        await asyncio.sleep(AWAY_SECONDS)  # the length of the fault
        door.set(Mode.PASS)
        began = time.monotonic()
        await stage.weighs(*AWAY)
        took = time.monotonic() - began

    assert seen == [HOME, AWAY]
    assert took < SOON_SECONDS


async def test_half_open_watches(stage: Stage) -> None:
    """What the API server sends vanishes while connections stay open: found by the next renewal of the watch."""
    await shop(stage, failover=failover(failback=MANUAL))
    async with (
        Proxy(stage.cluster.port) as door,
        stage.controller(kubeconfig=stage.cluster.kubeconfig(CONTROLLER, door.url)),
        stage.recorded() as seen,
    ):
        await at_home(stage)
        door.set(Mode.SWALLOW)
        await stage.endpoints("checkout-v1", ready=0)
        began = time.monotonic()
        door.set(Mode.PASS)
        await stage.weighs(*AWAY, seconds=HALF_OPEN_SECONDS + 10)
        took = time.monotonic() - began

    assert seen == [HOME, AWAY]
    assert took < HALF_OPEN_SECONDS


async def test_a_leader_that_stands_still_and_goes_on(stage: Stage, tmp_path: Path) -> None:
    """It wakes with news of minutes ago in its pockets, and writes none of it: the other has acted, and acts on."""
    await shop(stage, failover=failover(failback={"stableFor": "1s"}))
    async with two_replicas(stage, tmp_path) as replicas, stage.gateway():
        await at_home(stage)
        async with stage.recorded() as seen:
            first = await holder(stage)
            replicas[first].signal(signal.SIGSTOP)
            await stage.endpoints("checkout-v1", ready=0)
            await taken_over(stage, first, seconds=LEASE + 10)
            await is_in(stage, "FailedOver")
            await stage.endpoints("checkout-v1", ready=1)
            await is_in(stage, "Normal")
            await stage.weighs(*HOME)
            replicas[first].signal(signal.SIGCONT)
            await replicas[first].said("Lease lost")
            await stage.endpoints("checkout-v1", ready=0)
            status = await is_in(stage, "FailedOver")
            await stage.weighs(*AWAY)

    assert seen == [HOME, AWAY, HOME, AWAY]
    assert len(told(status, "FailedOver")) == 2
