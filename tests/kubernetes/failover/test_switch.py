"""The operator's switch: while it stops failover nothing moves by itself, on any replica, and everybody sees it."""

from __future__ import annotations

import asyncio

from rollout.kube.resources import EVENTS
from rollout.kube.switch import NAME
from rollout.ports import Key
from tests.kubernetes.failover.shop import AWAY, HOME, at_home, condition, is_in, shop, told, written
from tests.kubernetes.stage import Stage
from tests.waiting import until

QUIET_SECONDS = 2.0


async def stop(stage: Stage) -> None:
    """Stop failover as people do."""
    literals = ("--from-literal=failover=stopped", "--from-literal=failover-reason=maintenance of the mesh")
    await stage.cluster.kubectl("create", "configmap", NAME, "-n", stage.namespace, *literals)


async def release(stage: Stage) -> None:
    """Let it be again."""
    merge = '{"data":{"failover":"auto","failover-reason":""}}'
    await stage.cluster.kubectl("patch", "configmap", NAME, "-n", stage.namespace, "--type=merge", "-p", merge)


async def test_while_it_is_stopped_nothing_moves_and_afterwards_it_does(stage: Stage) -> None:
    """The condition says who stopped it and why; on release what is down by then is left at once."""
    await shop(stage)
    async with stage.controller(), stage.recorded() as seen:
        await at_home(stage)
        await stop(stage)
        stopped = await stage.until(lambda status: condition(status, "FailoverReady") == ("False", "FailoverStopped"))
        await stage.endpoints("checkout-v1", ready=0)
        down = await stage.until(lambda status: told(status, "FailoverStopped"))
        before = len(written(stage))
        await asyncio.sleep(QUIET_SECONDS)  # that nothing is written is what is looked for
        quiet = [what for what in written(stage)[before:] if "routes" in what]
        await release(stage)
        await is_in(stage, "FailedOver")
        await stage.weighs(*AWAY)

    why = next(one["message"] for one in stopped["conditions"] if one["type"] == "FailoverReady")
    assert why.startswith("Failover is stopped by ConfigMap, field manager kubectl-create since ")
    assert why.endswith(" UTC: maintenance of the mesh.")
    assert "without that" in told(down, "FailoverStopped")[0]
    assert quiet == []
    assert seen == [HOME, AWAY]


async def test_one_replica_sends_an_event_of_it(stage: Stage) -> None:
    """At the ConfigMap, once, however many replicas there are."""
    key = Key(stage.namespace, NAME)
    async with stage.controller(identity="one") as one, stage.controller(identity="two", with_gateway=False) as two:
        await until(lambda: one.controller.acts_for(key) or two.controller.acts_for(key), seconds=20)
        await stop(stage)

        async def sent() -> list[tuple[str, str, str]]:
            listed = await stage.api.list_page(EVENTS, namespace=stage.namespace)
            return [
                (event["type"], event["reason"], event["note"])
                for event in listed["items"]
                if event["regarding"]["kind"] == "ConfigMap"
            ]

        found: list[tuple[str, str, str]] = []
        while not found:
            await asyncio.sleep(0.1)
            found = await sent()

    assert [(kind, reason) for kind, reason, _ in found] == [("Warning", "FailoverStopped")]
    assert "maintenance of the mesh" in found[0][2]
