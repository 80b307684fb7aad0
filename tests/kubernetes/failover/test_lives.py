"""The Rollout itself changes while its traffic is away: deleted, made invalid, stripped of its failover."""

from __future__ import annotations

import asyncio
from typing import Any

from rollout.kube.resources import ROLLOUTS, SERVICES
from rollout.kube.statuses import FINALIZER
from tests.kubernetes.failover.shop import (
    AWAY,
    HOME,
    MANUAL,
    at_home,
    backends,
    failover,
    is_in,
    services,
    shop,
    stands,
)
from tests.kubernetes.stage import Stage, ref, rollout


async def test_deleted_while_failed_over(stage: Stage) -> None:
    """The weights stay where they are, and the finalizer that was there goes."""
    await shop(stage)
    async with stage.controller(), stage.recorded() as seen:
        await at_home(stage)
        await stage.endpoints("checkout-v1", ready=0)
        await is_in(stage, "FailedOver")
        await stage.weighs(*AWAY)
        held = await _finalizers(stage)
        await stage.delete(ROLLOUTS)
        await stage.gone(ROLLOUTS)
        await stage.endpoints("checkout-v1", ready=1)

    assert held == [FINALIZER]
    assert seen == [HOME, AWAY]


async def _finalizers(stage: Stage) -> list[str]:
    """Return the finalizers as soon as there is one."""
    async with asyncio.timeout(10):
        while not (found := (await stage.api.get(ROLLOUTS, stage.namespace, "checkout"))["metadata"].get("finalizers")):
            await asyncio.sleep(0.02)
    return list(found)


async def test_a_failover_while_the_spec_is_invalid(stage: Stage) -> None:
    """By the last valid settings: away when the primary dies, and back when it is up."""
    await shop(stage)
    async with stage.controller(), stage.recorded() as seen:
        await at_home(stage)
        await stage.delete(SERVICES, "checkout-v2")
        await stage.phase("Invalid")
        await stage.endpoints("checkout-v1", ready=0)
        away = await is_in(stage, "FailedOver")
        await stage.weighs(*AWAY)
        await stage.endpoints("checkout-v1", ready=1)
        back = await is_in(stage, "Normal")
        await stage.weighs(*HOME)

    assert (away["phase"], back["phase"]) == ("Invalid", "Invalid")
    assert seen == [HOME, AWAY, HOME]


async def test_invalid_while_failed_over(stage: Stage) -> None:
    """A policy that is not there: the traffic comes back all the same."""
    await shop(stage)
    async with stage.controller(), stage.recorded() as seen:
        await at_home(stage)
        await stage.endpoints("checkout-v1", ready=0)
        await is_in(stage, "FailedOver")
        await stage.edit(policy={"kind": "RolloutPolicy", "name": "missing"})
        await stage.phase("Invalid")
        await stage.endpoints("checkout-v1", ready=1)
        status = await is_in(stage, "Normal")
        await stage.weighs(*HOME)

    assert status["phase"] == "Invalid"
    assert seen == [HOME, AWAY, HOME]


async def test_failover_cannot_be_taken_away_while_the_traffic_is(stage: Stage) -> None:
    """Said as what is wrong with the spec; once it is back home, nothing is wrong any more."""
    await shop(stage, failover=failover(failback=MANUAL))
    async with stage.controller():
        await at_home(stage)
        await stage.endpoints("checkout-v1", ready=0)
        await is_in(stage, "FailedOver")
        operations = [{"op": "remove", "path": "/spec/failover"}]
        await stage.api.patch(ROLLOUTS, stage.namespace, "checkout", operations)
        invalid = await stage.phase("Invalid")
        await stage.endpoints("checkout-v1", ready=1)
        await stage.until(lambda status: status["health"]["checkout-v1"] == "Healthy")
        await stage.command("failback", epoch=1)
        await stage.weighs(*HOME)
        valid = await stage.phase("Idle")

    assert "spec.failover" in invalid["message"]
    assert stands(valid) == "Normal"


async def test_made_anew_while_failed_over(stage: Stage) -> None:
    """Deleted and made again: adopted where the traffic is, and nothing is written."""
    await shop(stage)
    async with stage.controller(), stage.recorded() as seen:
        await at_home(stage)
        await stage.endpoints("checkout-v1", ready=0)
        before = await is_in(stage, "FailedOver")
        document = await stage.api.get(ROLLOUTS, stage.namespace, "checkout")
        await stage.delete(ROLLOUTS)
        await stage.gone(ROLLOUTS)
        again = rollout("checkout", **document["spec"])
        await stage.api.create(ROLLOUTS, again, namespace=stage.namespace)
        after = await is_in(stage, "FailedOver")

    assert seen == [HOME, AWAY]
    assert after["failover"]["active"] == before["failover"]["active"]


async def test_a_rollout_for_failover_alone(stage: Stage) -> None:
    """No canary, no steps; made anew while failed over it comes back by itself, since roles cannot have changed."""
    only = {"stable": backends()["stable"], "backups": backends()["backups"]}
    spec: dict[str, Any] = {"backends": only, "failover": failover(), "steps": None, "analysis": None, "revision": None}
    await services(stage)
    both = [ref("checkout-v1", 100), ref("checkout-dr", 0)]
    await stage.route(rules=[{"backendRefs": both}])
    await stage.rollout(**spec)
    async with stage.controller(), stage.recorded() as seen:
        await at_home(stage)
        await stage.endpoints("checkout-v1", ready=0)
        await is_in(stage, "FailedOver")
        await stage.weighs(0, 100)
        await stage.delete(ROLLOUTS)
        await stage.gone(ROLLOUTS)
        await stage.rollout(**spec)
        await is_in(stage, "FailedOver")
        await stage.endpoints("checkout-v1", ready=1)
        await stage.weighs(100, 0)

    assert seen == [(100, 0), (0, 100), (100, 0)]
