"""Attempts through a real Envoy Gateway, an HTTPRoute and a GRPCRoute in one Rollout, as the clients see them."""

from __future__ import annotations

import pytest

from tests.gateway.attempts import ATTEMPT_SECONDS, FOR_EVER, PAIR, SHORT, STEPS, attempt, promoted
from tests.gateway.controller import Controller
from tests.gateway.crew import BOTH
from tests.gateway.scene import ROUTES, Scene, refs
from tests.waiting import until

BAD = {
    "http": {"http_errors": 0.5},
    "grpc": {"grpc_errors": 0.5},
    "slow": {"delay_seconds": 0.6},
}


async def test_good_canary_is_promoted(scene: Scene, controller: Controller) -> None:
    """It carries everything at the end, and no client has seen an error."""
    async with attempt(scene) as answers:
        await promoted(scene)
        await answers.answered_by(scene.whole("v2"))

    assert scene.shares() == [(0, 100), (0, 100)]
    assert not answers.failed(), answers.summary()


async def test_undo_loses_nothing(scene: Scene, controller: Controller) -> None:
    """The previous stable, whose cluster the gateway has dropped, gets it back before its first request."""
    async with attempt(scene, rate=150, steps=STEPS[:1]) as answers, scene.recorded() as seen:
        await promoted(scene)
        await answers.answered_by(scene.whole("v2"))
        await until(lambda: (0, 1_000_000) in seen)
        await scene.command("undo")
        await scene.until(lambda now: now["reason"] == "Undone")
        await answers.answered_by(scene.whole("v1"))

    assert (1, 999_999) in seen[seen.index((0, 1_000_000)) :]
    assert scene.shares() == [(100, 0), (100, 0)]
    assert not answers.failed(), answers.summary()


@pytest.mark.parametrize("fault", BAD)
async def test_bad_canary_is_rolled_back(scene: Scene, controller: Controller, fault: str) -> None:
    """Errors over one kind of route, or slow answers, give stable everything again over both."""
    async with attempt(scene, steps=FOR_EVER) as answers:
        scene.behave("v2", **BAD[fault])
        await scene.until(lambda now: now["phase"] == "Aborted", seconds=ATTEMPT_SECONDS)
        await answers.answered_by(scene.whole("v1"))
        status = await scene.status()

    assert scene.shares() == [(100, 0), (100, 0)]
    assert status["message"].startswith("Rolled back: canary")
    assert {answer.who for answer in answers.failed()} <= {scene.whole("v2")}, answers.summary()


@pytest.mark.parametrize("kind", BOTH)
async def test_policy_for_one_kind_of_route(scene: Scene, controller: Controller, kind: str) -> None:
    """A Rollout of one kind of route is judged by the policy for that kind, which needs no label of its own."""
    scene.backend("v1", "v2")
    scene.routes(refs(("v1", 100), ("v2", 0)), kinds=[kind])
    with scene.clients(rate=40, kinds=[kind]) as answers:
        await scene.flows(answers, kinds=[kind])
        policy = {"kind": "ClusterRolloutPolicy", "name": f"envoy-gateway-{kind}"}
        routes = [{"kind": ROUTES[kind], "name": "checkout"}]
        await scene.manifest(policy=policy, routes=routes, backends=PAIR, analysis=SHORT, steps=FOR_EVER, revision="1")
        await scene.phase("Idle")
        scene.behave("v2", **BAD[kind])
        await scene.edit(revision="2")
        status = await scene.until(lambda now: now["phase"] == "Aborted", seconds=ATTEMPT_SECONDS)

    assert status["message"].startswith("Rolled back: canary failed")


async def test_few_requests_hold_the_step(scene: Scene, controller: Controller) -> None:
    """What the canary has not answered often enough to be judged is not promoted."""
    async with attempt(scene, rate=5, steps=STEPS[:1], analysis={**SHORT, "minRequests": 1000}):
        status = await scene.until(lambda now: now["phase"] == "Progressing" and "1000" in now["message"], seconds=20)

    assert status["step"] == 1
