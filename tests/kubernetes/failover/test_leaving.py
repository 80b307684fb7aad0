"""The way to the backup: one write for each route, at once, however many there are."""

from __future__ import annotations

import asyncio
import time

from tests.kubernetes.failover.shop import (
    AWAY,
    HOME,
    MANUAL,
    at_home,
    backends,
    events,
    failover,
    in_order,
    is_in,
    refs,
    services,
    shop,
    told,
    written,
)
from tests.kubernetes.failover.watching import watched
from tests.kubernetes.stage import Stage

ROUTES = 35
QUIET_SECONDS = 3.0
MOST_SECONDS = 5.0
"""2 s are measured by the bench, on a machine that does nothing else."""

NAMES = [f"shop-{number}" for number in range(ROUTES)]


async def until_told(stage: Stage, reason: str) -> None:
    """Return when there is an event with this reason."""
    async with asyncio.timeout(15.0):
        while all(one[1] != reason for one in await events(stage)):
            await asyncio.sleep(0.05)


async def test_all_endpoints_at_once_are_one_write(stage: Stage) -> None:
    """Everything to the backup in one patch, and no second one; the status and the finalizer tell of it."""
    await shop(stage, failover=failover(failback=MANUAL))
    await stage.endpoints("checkout-v1", ready=3, total=3)
    async with stage.controller(), stage.recorded() as seen:
        await at_home(stage)
        before = len(written(stage))
        await stage.endpoints("checkout-v1", ready=0, total=3)
        status = await is_in(stage, "FailedOver")
        await stage.weighs(*AWAY)
        await asyncio.sleep(QUIET_SECONDS)  # that nothing more is written is what is looked for
        after = written(stage)[before:]

    assert seen == [HOME, AWAY]
    assert after.count("patch httproutes") == 1
    assert set(after) == {"patch httproutes", "patch rollouts", "patch rollouts/status"}
    assert len(told(status, "FailedOver")) == 1
    assert "0 of 3 ready" in told(status, "FailedOver")[0]
    assert status["failover"]["active"] == "checkout-dr"


async def test_a_failover_is_recorded_then_written_then_told(stage: Stage) -> None:
    """One write comes before the weights, the record; no event takes the API server's time before them."""
    await shop(stage, failover=failover(failback=MANUAL))
    async with stage.controller():
        await at_home(stage)
        before = len(in_order(stage))
        await stage.endpoints("checkout-v1", ready=0)
        await stage.weighs(*AWAY)
        await until_told(stage, "FailedOver")
        made = in_order(stage)[before:]

    assert made[:2] == ["patch rollouts/status", "patch httproutes"]
    assert set(made[2:4]) >= {"create events"}


async def test_a_backup_that_is_down_gets_nothing_until_it_is_up(stage: Stage) -> None:
    """No write, said once; and at once when it comes up."""
    await shop(stage, backup_ready=0)
    async with stage.controller(), stage.recorded() as seen:
        await at_home(stage)
        await stage.endpoints("checkout-v1", ready=0)
        status = await stage.until(lambda status: status["failover"].get("reason") == "NoHealthyBackup")
        unmoved = list(seen)
        await stage.endpoints("checkout-dr", ready=1)
        await stage.weighs(*AWAY)

    assert unmoved == [HOME]
    assert len(told(status, "NoHealthyBackup")) == 1


async def test_every_route_of_a_rollout_is_written_once(stage: Stage) -> None:
    """35 of them: one decision, one transition, 35 patches."""
    await services(stage)
    for name in NAMES:
        await stage.route(name, rules=[{"backendRefs": refs()}])
    named = [{"kind": "HTTPRoute", "name": name} for name in NAMES]
    await stage.rollout(routes=named, backends=backends(), failover=failover(failback=MANUAL))
    async with stage.controller(tick_seconds=5.0, lease_seconds=60.0), watched(stage) as watching:
        await at_home(stage)
        before = len(written(stage))
        await stage.endpoints("checkout-v1", ready=0)
        took = await watching.all_at(AWAY, since=time.perf_counter())
        status = await is_in(stage, "FailedOver")
        after = written(stage)[before:]

    assert after.count("patch httproutes") == ROUTES
    assert len(told(status, "FailedOver")) == 1
    assert took < MOST_SECONDS


async def test_every_rollout_on_a_primary_leaves_it(stage: Stage) -> None:
    """35 Rollouts with a route each: one transition for each of them."""
    await services(stage)
    for name in NAMES:
        await stage.route(name, rules=[{"backendRefs": refs()}])
        await stage.rollout(name, backends=backends(), failover=failover(failback=MANUAL))
    async with stage.controller(tick_seconds=5.0, lease_seconds=60.0), watched(stage) as watching:
        for name in NAMES:
            await at_home(stage, name)
        before = len(written(stage))
        await stage.endpoints("checkout-v1", ready=0)
        took = await watching.all_at(AWAY, since=time.perf_counter())
        statuses = [await is_in(stage, "FailedOver", name) for name in NAMES]
        after = written(stage)[before:]

    assert after.count("patch httproutes") == ROUTES
    assert [len(told(status, "FailedOver")) for status in statuses] == [1] * ROUTES
    assert took < MOST_SECONDS
