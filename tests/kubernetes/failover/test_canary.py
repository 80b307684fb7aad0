"""Failover and an attempt: it stands still while the primary is away, and a canary that dies is no failover."""

from __future__ import annotations

from tests.kubernetes.failover.shop import AWAY, DAY, HOME, at_home, failover, is_in, shop, stands, told
from tests.kubernetes.stage import Stage
from tests.kubernetes.stories.test_steps import steps

SPLIT = (75, 25, 0)


async def test_the_attempt_stands_still_while_the_primary_is_down(stage: Stage) -> None:
    """At 25 %: all to the backup, back to 75/25, and only then on to the promotion."""
    await shop(stage, steps=steps(25, hold="2s"), failover=failover(failback={"stableFor": "3s"}))
    async with stage.controller() as runtime, stage.recorded() as seen:
        await at_home(stage)
        await stage.edit(revision="2")
        await stage.holds(runtime, 1)
        await stage.endpoints("checkout-v1", ready=0)
        frozen = await is_in(stage, "FailedOver")
        await stage.endpoints("checkout-v1", ready=1)
        await stage.phase("Idle", reason="Promoted")
        await stage.weighs(0, 100, 0)

    assert (frozen["phase"], frozen["step"], frozen["attempt"]) == ("Progressing", 1, 1)
    assert frozen["reason"] == frozen["failover"]["reason"]
    assert seen == [HOME, SPLIT, AWAY, SPLIT, (0, 100, 0)]


async def test_a_failback_goes_to_the_split_step_by_step(stage: Stage) -> None:
    """Half of tier 0's traffic is split as all of it is."""
    back = {"steps": [50, 100], "stepInterval": "1s"}
    await shop(stage, steps=steps(20, hold=DAY), failover=failover(failback=back))
    async with stage.controller() as runtime, stage.recorded() as seen:
        await at_home(stage)
        await stage.edit(revision="2")
        await stage.holds(runtime, 1)
        await stage.endpoints("checkout-v1", ready=0)
        await is_in(stage, "FailedOver")
        await stage.endpoints("checkout-v1", ready=1)
        await is_in(stage, "Normal")
        await stage.weighs(80, 20, 0)

    assert seen == [HOME, (80, 20, 0), AWAY, (40, 10, 50), (80, 20, 0)]


async def test_a_canary_that_dies_alone_is_an_abort(stage: Stage) -> None:
    """At once, without a metric, and failover has nothing to do with it."""
    await shop(stage, steps=steps(25, hold=DAY))
    async with stage.controller() as runtime, stage.recorded() as seen:
        await at_home(stage)
        await stage.edit(revision="2")
        await stage.holds(runtime, 1)
        await stage.endpoints("checkout-v2", ready=0)
        status = await stage.phase("Aborted", reason="CanaryLost")
        await stage.weighs(*HOME)

    assert seen == [HOME, SPLIT, HOME]
    assert stands(status) == "Normal"
    assert not told(status, "FailedOver")


async def test_nothing_is_started_while_away(stage: Stage) -> None:
    """A new revision waits until failover is Normal, and begins then."""
    await shop(stage, steps=steps(25, hold=DAY))
    async with stage.controller(), stage.recorded() as seen:
        await at_home(stage)
        await stage.endpoints("checkout-v1", ready=0)
        await is_in(stage, "FailedOver")
        await stage.edit(revision="2")
        waiting = await stage.until(lambda status: status["observedGeneration"] == 2)
        await stage.endpoints("checkout-v1", ready=1)
        await stage.weighs(*SPLIT)

    assert (waiting["phase"], waiting["attempt"]) == ("Idle", 0)
    assert seen == [HOME, AWAY, HOME, SPLIT]
