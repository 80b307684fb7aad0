"""What happens in the middle of an attempt or a failover: the controller or Envoy Gateway dies, somebody edits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from rollout.kube.resources import HTTP_ROUTES
from tests.gateway.answers import Answers
from tests.gateway.attempts import ATTEMPT_SECONDS, FOR_EVER, PAIR, POLICY, SHORT, STEPS, attempt, promoted
from tests.gateway.backends import PORT
from tests.gateway.conftest import Open
from tests.gateway.controller import Controller
from tests.gateway.failovers import BACK, FAULTS, MOVE_SECONDS, lose, primary, signals_of
from tests.gateway.objects import SEPARATE, SHARED
from tests.gateway.scene import Scene, refs
from tests.waiting import until

WEB = ["http"]


@asynccontextmanager
async def together(*plays: AbstractAsyncContextManager[Answers]) -> AsyncIterator[list[Answers]]:
    """Let all of these play at once, so that one death of the controller hits each at another moment."""
    async with AsyncExitStack() as stack:
        yield await asyncio.gather(*map(stack.enter_async_context, plays))


async def test_controller_killed_in_an_attempt(scene: Scene, controller: Controller) -> None:
    """The next one goes on with the step that it finds, and no client notices."""
    async with attempt(scene) as answers:
        await scene.until(lambda now: now["step"] == 1)
        controller.kill()
        controller.start()
        await promoted(scene)
        await answers.answered_by(scene.whole("v2"))

    assert scene.shares() == [(0, 100), (0, 100)]
    assert not answers.failed(), answers.summary()


async def test_canary_that_got_bad_without_a_controller(scene: Scene, controller: Controller) -> None:
    """What happened while nobody looked is counted by the next one."""
    async with attempt(scene, steps=FOR_EVER) as answers:
        await scene.until(lambda now: now["step"] == 1)
        controller.kill()
        scene.behave("v2", http_errors=0.5, grpc_errors=0.5)
        controller.start()
        await scene.until(lambda now: now["phase"] == "Aborted", seconds=ATTEMPT_SECONDS)
        await answers.answered_by(scene.whole("v1"))

    assert scene.shares() == [(100, 0), (100, 0)]


async def test_controller_killed_in_aborts(opened: Open, controller: Controller) -> None:
    """However far each abort was, none begun to all written, the next one ends it, and no client notices."""
    scenes = [opened(SEPARATE) for _ in range(4)]
    async with together(*(attempt(scene, steps=FOR_EVER) for scene in scenes)) as answers:
        for scene in scenes:
            await scene.until(lambda now: now["step"] == 1)
        await asyncio.gather(*(scene.command("abort") for scene in scenes))
        await until(lambda: any(scene.shares(kinds=WEB) == [(100, 0)] for scene in scenes))
        controller.kill()
        controller.start()
        for scene, heard in zip(scenes, answers, strict=True):
            await scene.until(lambda now: now["phase"] == "Aborted", seconds=20)
            await heard.answered_by(scene.whole("v1"))

    assert [scene.shares() for scene in scenes] == [[(100, 0), (100, 0)]] * 4
    assert not [heard.summary() for heard in answers if heard.failed()]


@pytest.mark.parametrize(("edge", "comes_first"), [(SHARED, "death"), (SEPARATE, "fault")])
async def test_controller_killed_in_failovers(
    opened: Open, controller: Controller, edge: str, comes_first: str
) -> None:
    """Whether it died before the primaries were lost or in the middle, the next one moves what is not moved yet."""
    scenes = {fault: opened(edge) for fault in FAULTS}
    begun: dict[str, float] = {}
    async with together(*(primary(scene, signals=signals_of(fault)) for fault, scene in scenes.items())) as answers:
        if comes_first == "death":
            controller.kill()
        for fault, scene in scenes.items():
            lose(scene, fault)
        if comes_first == "fault":
            await until(lambda: any(scene.shares(kinds=WEB) == [(0, 100)] for scene in scenes.values()))
        controller.kill()
        controller.start()
        heard = dict(zip(scenes, answers, strict=True))
        for fault, scene in scenes.items():
            begun[fault] = await heard[fault].answered_by(scene.whole("dr"), seconds=MOVE_SECONDS)
            await scene.until(lambda now: now["failover"]["phase"] == "FailedOver")

    assert [scene.shares() for scene in scenes.values()] == [[(0, 100), (0, 100)]] * len(FAULTS)
    assert not heard["ill"].failed(), heard["ill"].summary()
    assert not [heard[fault].summary() for fault in FAULTS if heard[fault].failed(since=begun[fault])]


async def test_controller_killed_on_the_way_back(shared_scene: Scene, controller: Controller) -> None:
    """The next one goes on with the failback from the step that it finds, and no client notices."""
    scene = shared_scene
    async with primary(scene, failback=BACK) as answers:
        scene.drain("v1")
        await answers.answered_by(scene.whole("dr"), seconds=MOVE_SECONDS)
        scene.revive("v1")
        await scene.until(lambda now: now["failover"]["phase"] == "FailingBack")
        controller.kill()
        controller.start()
        await scene.until(lambda now: now["failover"]["phase"] == "Normal", seconds=30)
        await answers.answered_by(scene.whole("v1"), seconds=MOVE_SECONDS)

    assert scene.shares() == [(100, 0), (100, 0)]
    assert not answers.failed(), answers.summary()


async def test_gateway_restarted_in_an_attempt(scene: Scene, controller: Controller) -> None:
    """Without Envoy Gateway its Envoys go on as they are and the step waits; with it the attempt goes on."""
    async with attempt(scene) as answers:
        await scene.until(lambda now: now["step"] == 1)
        scene.lab.control.kill()
        waiting = await scene.until(lambda now: now["reason"] == "WaitingForRoutes", seconds=20)
        scene.lab.restart_control()
        await promoted(scene)
        await answers.answered_by(scene.whole("v2"))

    assert waiting["phase"] == "Progressing"
    assert not answers.failed(), answers.summary()


async def test_somebody_edits_in_an_attempt(scene: Scene, controller: Controller) -> None:
    """Weights that a person sets are put back, everything else that they write stays."""
    async with attempt(scene, steps=[{"weight": 20, "hold": "3s"}]) as answers, scene.recorded() as seen:
        await scene.until(lambda now: now["step"] == 1)
        edited: dict[str, Any] = refs(("v1", 10), ("v2", 90)) | {"timeouts": {"request": "7s"}}
        scene.change(HTTP_ROUTES, "checkout", {"spec": {"rules": [edited]}})
        await promoted(scene)
        await answers.answered_by(scene.whole("v2"))

    _, route = scene.cluster.ask("GET", HTTP_ROUTES.path(scene.namespace, "checkout"))
    assert seen[seen.index((10, 90)) + 1] == (800_000, 200_000)
    assert scene.shares() == [(0, 100), (0, 100)]
    assert route["spec"]["rules"][0]["timeouts"] == {"request": "7s"}


async def test_two_rollouts_on_one_route(scene: Scene, controller: Controller) -> None:
    """Each has its rule: the bad canary of one is rolled back while the good one of the other is promoted."""
    scene.backend("v1", "v2", "w1", "w2")
    paths = [{"matches": [{"path": {"type": "PathPrefix", "value": path}}]} for path in ("/pay", "/look")]
    scene.routes(
        paths[0] | refs(("v1", 100), ("v2", 0)),
        paths[1] | refs(("w1", 100), ("w2", 0)),
        kinds=WEB,
    )
    scene.behave("w2", http_errors=0.5)
    spec: dict[str, Any] = {"policy": POLICY, "analysis": SHORT, "revision": "1"}
    spec["routes"] = [{"kind": "HTTPRoute", "name": "checkout"}]
    other = {"stable": {"name": "w1", "port": PORT}, "canary": {"name": "w2", "port": PORT}}
    with (
        scene.clients(rate=40, kinds=WEB) as paying,
        scene.clients(rate=40, kinds=WEB, path="/look") as looking,
    ):
        await scene.flows(paying, kinds=WEB)
        await scene.flows(looking, kinds=WEB)
        await scene.manifest(backends=PAIR, steps=STEPS, **spec)
        await scene.manifest("look", backends=other, steps=FOR_EVER, **spec)
        for name in ("checkout", "look"):
            await scene.phase("Idle", name)
            await scene.edit(name, revision="2")
        await promoted(scene)
        await scene.until(lambda now: now["phase"] == "Aborted", "look", seconds=ATTEMPT_SECONDS)
        await paying.answered_by(scene.whole("v2"), kinds=WEB)
        await looking.answered_by(scene.whole("w1"), kinds=WEB)

    assert scene.shares(kinds=WEB) == [(0, 100)]
    assert scene.shares(rule=1, kinds=WEB) == [(100, 0)]
