"""What the gateway makes of it: one that does not follow is told of, and one of separate clusters gets its floors."""

from __future__ import annotations

import asyncio
from typing import Any

from rollout.kube.resources import Document
from tests.kubernetes.failover.shop import AWAY, MANUAL, at_home, condition, failover, is_in, shop, told, written
from tests.kubernetes.stage import GATEWAY, Stage, accepted, conditions

QUIET_SECONDS = 2.0
WHOLE = 1_000_000


async def test_a_gateway_that_does_not_follow_is_told_of(stage: Stage) -> None:
    """``Ineffective`` within ``verify.within``, once, and no write is repeated for that; it ends when it follows."""
    await shop(stage, failover=failover(failback=MANUAL, verify={"within": "1s"}))
    async with stage.controller():
        await at_home(stage)
        stage.accepting = _as_before
        before = len(written(stage))
        await stage.endpoints("checkout-v1", ready=0)
        await is_in(stage, "FailedOver")
        lazy = await stage.until(lambda status: condition(status, "FailoverReady") == ("False", "Ineffective"))
        await asyncio.sleep(QUIET_SECONDS)  # that nothing is written again is what is looked for
        patches = written(stage)[before:].count("patch httproutes")
        stage.accepting = accepted
        await stage.annotate_route("checkout")
        follows = await stage.until(lambda status: condition(status, "FailoverReady")[0] == "True")
        await stage.weighs(*AWAY)

    assert len(told(lazy, "Ineffective")) == len(told(follows, "Ineffective")) == 1
    assert patches == 1


def _as_before(document: Document) -> list[dict[str, Any]]:
    """Say what was said of the generation before."""
    told_of = conditions(max(1, document["metadata"]["generation"] - 1))
    return [{"parentRef": GATEWAY, "controllerName": "example.net/gateway", "conditions": told_of}]


async def test_with_separate_clusters_idle_backends_stand_at_the_floor(stage: Stage) -> None:
    """A healthy backup never at 0, and neither the primary while it may come back; a dead one is at 0, by the floor."""
    spec = {"separateClusters": True, "minWriteInterval": "0s"}
    await shop(stage, gateway=spec, failover=failover(failback={"stableFor": "2s"}))
    async with stage.controller(), stage.recorded() as seen:
        await at_home(stage)
        await stage.weighs(WHOLE - 1, 0, 1)
        await stage.endpoints("checkout-v1", ready=0)
        await stage.weighs(0, 0, WHOLE)
        await stage.endpoints("checkout-v1", ready=1)
        await stage.weighs(1, 0, WHOLE - 1)
        await stage.weighs(WHOLE - 1, 0, 1)

    ends = [(100, 0, 0), (WHOLE - 1, 0, 1)]
    assert seen == [*ends, (1, 0, WHOLE - 1), (0, 0, WHOLE), (1, 0, WHOLE - 1), ends[1]]
