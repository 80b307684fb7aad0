"""An attempt whose route others write, too: who leaves the weights alone costs nothing, who does not is named."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from rollout.engine.observation import RouteKey
from rollout.kube.resources import HTTP_ROUTES, ROLLOUTS
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.routes.test_sharing import Others
from tests.kubernetes.stage import Stage, open_stage, ref

FILTER = {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "x-edit", "value": "0"}]}}
HOUR = "1h"


@pytest.fixture
async def stage(cluster: Cluster, namespace: str) -> AsyncIterator[Stage]:
    """Open a stage in the test's namespace."""
    async with open_stage(cluster, namespace) as opened:
        yield opened


async def _statuses(stage: Stage, seen: list[str]) -> None:
    """Note every version of the Rollout from now on."""
    since = (await stage.api.get(ROLLOUTS, stage.namespace, "checkout"))["metadata"]["resourceVersion"]
    async for told, document in stage.api.watch(ROLLOUTS, namespace=stage.namespace, since=since, seconds=120):
        if told == "MODIFIED":
            seen.append(json.dumps(document.get("status"), sort_keys=True))


async def test_an_attempt_ends_while_others_write_its_route_all_the_time(stage: Stage) -> None:
    """Twenty times a second each of two; no status is written for what they do."""
    await stage.pair()
    backends = [ref("checkout-v1", 100), ref("checkout-v2", 0)]
    await stage.route(rules=[{"filters": [FILTER], "backendRefs": backends}])
    await stage.rollout(steps=[{"weight": weight, "hold": "1s"} for weight in (10, 40, 70)])
    versions: list[str] = []
    async with stage.controller():
        await stage.phase("Idle")
        watching = asyncio.create_task(_statuses(stage, versions))
        key = RouteKey("HTTPRoute", stage.namespace, "checkout")
        async with Others(stage.cluster, key) as others, stage.recorded() as seen:
            await stage.edit(revision="2")
            status = await stage.until(lambda found: found["reason"] == "Promoted", seconds=60)
            await stage.weighs(0, 100)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)

    assert seen == [(100, 0), (90, 10), (60, 40), (30, 70), (0, 100)]
    assert others.notes + others.headers > 60
    assert stage.reasons(status).count("OwnershipConflict") == 0
    assert len(set(versions)) < (others.notes + others.headers) / 3  # a slow gateway is told of, an edit is not


async def test_who_takes_the_weights_again_and_again_is_named(stage: Stage) -> None:
    """Three times they are put back, then the attempt pauses and says who it is; a person lets it go on."""
    await stage.pair()
    await stage.route()
    await stage.rollout(steps=[{"weight": 20, "hold": HOUR}, {"weight": 50, "hold": HOUR}])
    foreign = {"spec": {"rules": [{"backendRefs": [ref("checkout-v1", 77), ref("checkout-v2", 23)]}]}}
    async with stage.controller(), stage.recorded() as seen:
        await stage.phase("Idle")
        await stage.edit(revision="2")
        await stage.weighs(80, 20)
        for _ in range(3):
            stage.change(HTTP_ROUTES, "checkout", foreign)
            await stage.weighs(80, 20)
        stage.change(HTTP_ROUTES, "checkout", foreign)
        paused = await stage.phase("Paused", reason="OwnershipConflict")
        left = await stage.weights()
        await stage.command("resume")
        await stage.phase("Progressing")
        await stage.weighs(80, 20)
        await stage.command("promote")
        await stage.weighs(50, 50)

    assert "person" in paused["message"]
    assert left == (77, 23)
    assert seen.count((77, 23)) == 4
