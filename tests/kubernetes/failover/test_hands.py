"""Other hands on the route: an edit of what is not ours stays, and what is ours is put back for ever."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from rollout.kube.resources import HTTP_ROUTES
from tests.kubernetes.cluster import CONTROLLER
from tests.kubernetes.failover.shop import AWAY, HOME, MANUAL, at_home, condition, failover, is_in, refs, shop, told
from tests.kubernetes.failover.watching import Watching, watched
from tests.kubernetes.reverse import Reverse
from tests.kubernetes.stage import Stage, ref

TOOL = "gitops"
LEAST_GAPS = (0.6, 1.4, 3.0)
"""Seconds between what is put back: 1, 2 and 4 s, less what answers may take longer or shorter on their way."""


async def test_an_edit_of_another_rule_survives(stage: Stage) -> None:
    """Made between the controller's read and its write, both are there in the end."""
    await shop(stage, failover=failover(failback=MANUAL), routes=[{"kind": "HTTPRoute", "name": "checkout", "rule": 0}])
    others: dict[str, object] = {"backendRefs": [ref("admin", 1)], "timeouts": {"request": "7s"}}
    async with Reverse(stage.cluster) as door:
        door.fault = _meanwhile(lambda: _edit(stage, [{"backendRefs": refs()}, others]))
        async with stage.controller(kubeconfig=stage.cluster.kubeconfig(CONTROLLER, door.url)):
            await at_home(stage)
            await stage.endpoints("checkout-v1", ready=0)
            await stage.weighs(*AWAY)
    found = await stage.api.get(HTTP_ROUTES, stage.namespace, "checkout")

    assert [rule.get("timeouts") for rule in found["spec"]["rules"]] == [None, {"request": "7s"}]
    assert await stage.weights(rule=1) == (1,)


def _meanwhile(edit: Callable[[], None]) -> Callable[[web.Request], web.Response | None]:
    """Edit once, when the first patch of a route is on its way."""
    left = [edit]

    def fault(request: web.Request) -> web.Response | None:
        if request.method == "PATCH" and f"/{HTTP_ROUTES.plural}/" in request.path and left:
            left.pop()()
        return None

    return fault


def _edit(stage: Stage, rules: list[dict[str, object]], manager: str = "person") -> None:
    path = f"{HTTP_ROUTES.path(stage.namespace, 'checkout')}?fieldManager={manager}"
    body = {"spec": {"rules": rules}}
    answer = stage.cluster.ask("PATCH", path, body, content="application/merge-patch+json")
    assert answer[0] == 200, answer


@asynccontextmanager
async def _resetting(stage: Stage, watching: Watching) -> AsyncIterator[None]:
    """Let a tool write what it has in its repository whenever the route says something else."""

    async def reset() -> None:
        while True:
            await watching.until(lambda watching: watching.weights()[-1] != HOME, seconds=120)
            await asyncio.to_thread(_edit, stage, [{"backendRefs": refs()}], TOOL)
            await watching.until(lambda watching: watching.weights()[-1] == HOME, seconds=120)

    task = asyncio.create_task(reset())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.timeout(90)
async def test_a_tool_that_takes_the_weights_back_again_and_again(stage: Stage) -> None:
    """Put back each time, after 1, 2 and 4 s; who it is is told once."""
    await shop(stage, failover=failover(failback=MANUAL))
    async with stage.controller(), watched(stage) as watching:
        await at_home(stage)
        await stage.endpoints("checkout-v1", ready=0)
        async with _resetting(stage, watching):
            await watching.until(lambda watching: watching.weights().count(AWAY) == 5, seconds=40)
            status = await stage.until(lambda status: condition(status, "OwnershipConflict")[0] == "True")
            away = [at for at, weights in watching.seen["checkout"] if weights == AWAY]
        await is_in(stage, "FailedOver")
    gaps = [later - sooner for sooner, later in itertools.pairwise(away)]

    assert all(gap >= least for gap, least in zip(gaps[1:], LEAST_GAPS, strict=True)), gaps
    assert [TOOL in message for message in told(status, "OwnershipConflict")] == [True]
