"""What people do about failover with kubectl: commands, maintenance; and the events that tell them."""

from __future__ import annotations

from tests.kubernetes.failover.shop import (
    AWAY,
    HOME,
    MANUAL,
    at_home,
    commanded,
    condition,
    events,
    failover,
    is_in,
    shop,
    told,
)
from tests.kubernetes.stage import Stage

MAINTENANCE = "rollout.dev/maintenance"


async def test_failover_and_failback_by_command(stage: Stage) -> None:
    """What a person moved only a person moves back, by its number; an old number is refused."""
    await shop(stage)
    async with stage.controller(), stage.recorded() as seen:
        await at_home(stage)
        moved = await commanded(stage, "failover", to="checkout-dr")
        away = await is_in(stage, "FailedOver")
        await stage.until(lambda status: status["failover"]["reason"] == "WaitingForFailback")
        old = await commanded(stage, "failback", epoch=0)
        back = await commanded(stage, "failback", epoch=1)
        await is_in(stage, "Normal")
        await stage.weighs(*HOME)

    assert (moved[0], old, back[0]) == (True, (False, "OldNumber"), True)
    assert away["failover"]["epoch"] == 1
    assert seen == [HOME, AWAY, HOME]


async def test_a_failback_that_waits_for_a_person(stage: Stage) -> None:
    """``failback.mode: Manual``: the primary may be up for as long as it likes."""
    await shop(stage, failover=failover(failback=MANUAL))
    async with stage.controller(), stage.recorded() as seen:
        await at_home(stage)
        await stage.endpoints("checkout-v1", ready=0)
        await is_in(stage, "FailedOver")
        await stage.endpoints("checkout-v1", ready=1)
        waiting = await stage.until(lambda status: status["failover"]["reason"] == "WaitingForFailback")
        await commanded(stage, "failback", epoch=1)
        await stage.weighs(*HOME)

    assert len(told(waiting, "WaitingForFailback")) == 1
    assert seen == [HOME, AWAY, HOME]


async def test_hold_and_unlatch(stage: Stage) -> None:
    """Held at home the dead primary keeps its traffic; after unlatch it loses it."""
    await shop(stage)
    async with stage.controller(), stage.recorded() as seen:
        await at_home(stage)
        held = await commanded(stage, "hold")
        await is_in(stage, "Latched")
        await stage.endpoints("checkout-v1", ready=0)
        status = await stage.until(lambda status: status["health"]["checkout-v1"] == "Unhealthy")
        unmoved = list(seen)
        free = await commanded(stage, "unlatch")
        await stage.weighs(*AWAY)

    assert (held[0], free[0]) == (True, True)
    assert status["failover"]["phase"] == "Latched"
    assert unmoved == [HOME]


async def test_a_proposal_waits_for_an_approval(stage: Stage) -> None:
    """``mode: Propose``: said once with its number; the approval of that number makes it."""
    await shop(stage, failover=failover(mode="Propose"))
    async with stage.controller(), stage.recorded() as seen:
        await at_home(stage)
        await stage.endpoints("checkout-v1", ready=0)
        proposed = await stage.until(lambda status: status["failover"]["reason"] == "FailoverProposed")
        unmoved = list(seen)
        old = await commanded(stage, "approve", epoch=7)
        new = await commanded(stage, "approve", epoch=proposed["failover"]["epoch"])
        await stage.weighs(*AWAY)

    assert unmoved == [HOME]
    assert (old, new[0]) == ((False, "OldNumber"), True)


async def test_maintenance_is_no_failure(stage: Stage) -> None:
    """Scaled to zero on purpose: traffic moves, with no warning, and not counted among the failovers."""
    await shop(stage, failover=failover(damping={"maxFailovers": 1, "cooldown": "0s"}, failback=MANUAL))
    async with stage.controller():
        await at_home(stage)
        await stage.annotate("checkout", MAINTENANCE, "checkout-v1")
        await stage.endpoints("checkout-v1", ready=0, total=0)
        status = await is_in(stage, "FailedOver")
        await stage.weighs(*AWAY)

    assert len(told(status, "PrimaryScaledToZero")) == 1
    assert not status["failover"].get("failovers")
    assert ("Normal", "PrimaryScaledToZero", "FailedOver") in await events(stage)


async def test_pods_that_die_in_maintenance_are_a_failure(stage: Stage) -> None:
    """Whoever scales to zero leaves no pods: those that are there and not ready have failed."""
    await shop(stage, failover=failover(failback=MANUAL))
    async with stage.controller():
        await at_home(stage)
        await stage.annotate("checkout", MAINTENANCE, "checkout-v1")
        await stage.endpoints("checkout-v1", ready=0, total=1)
        status = await is_in(stage, "FailedOver")

    assert len(told(status, "FailedOver")) == 1
    assert len(status["failover"]["failovers"]) == 1


async def test_events_tell_of_the_way_there_and_back(stage: Stage) -> None:
    """A warning when traffic leaves, none when it is back; conditions say the same."""
    await shop(stage)
    async with stage.controller():
        await at_home(stage)
        await stage.endpoints("checkout-v1", ready=0)
        away = await is_in(stage, "FailedOver")
        await stage.endpoints("checkout-v1", ready=1)
        back = await is_in(stage, "Normal")
    found = await events(stage)

    assert condition(away, "FailedOver")[0] == "True"
    assert condition(back, "FailedOver")[0] == "False"
    assert condition(back, "FailoverReady") == ("True", "Watching")
    assert [one for one in found if one[1] == "FailedOver"] == [("Warning", "FailedOver", "FailedOver")]
    assert [one for one in found if one[1] == "FailedBack"] == [("Normal", "FailedBack", "Normal")]
