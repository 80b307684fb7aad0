"""Attempts through a real Envoy Gateway, an HTTPRoute and a GRPCRoute in one Rollout, as the clients see them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.gateway.answers import Answers
from tests.gateway.backends import PORT
from tests.gateway.controller import Controller
from tests.gateway.crew import BOTH
from tests.gateway.scene import Scene, refs

POLICY = {"kind": "ClusterRolloutPolicy", "name": "envoy-gateway"}
PAIR = {"stable": {"name": "v1", "port": PORT}, "canary": {"name": "v2", "port": PORT}}
SHORT: dict[str, Any] = {"warmUp": "0s", "minRequests": 20}
ATTEMPT_SECONDS = 40.0


@asynccontextmanager
async def attempt(scene: Scene, *, rate: float = 40, **spec: object) -> AsyncIterator[Answers]:
    """Let clients come, adopt the routes, and start an attempt of revision 2."""
    scene.backend("v1", "v2")
    scene.routes(refs(("v1", 100), ("v2", 0)))
    with scene.clients(rate=rate) as answers:
        await scene.flows(answers)
        given = {"policy": POLICY, "backends": PAIR, "revision": "1", "analysis": SHORT, **spec}
        await scene.manifest(**given)
        await scene.phase("Idle")
        await scene.edit(revision="2")
        yield answers


async def test_good_canary_is_promoted(scene: Scene, controller: Controller) -> None:
    """It carries everything at the end; once it answers, no client sees an error."""
    steps = [{"weight": 20, "hold": "1s"}, {"weight": 50, "hold": "1s"}]
    async with attempt(scene, steps=steps) as answers:
        await scene.until(lambda now: now["reason"] == "Promoted", seconds=ATTEMPT_SECONDS)
        await answers.answered_by(scene.whole("v2"))
        begun = max(scene.first_of("v2", answers, kind).at for kind in BOTH)

    assert scene.shares() == [(0, 100), (0, 100)]
    assert not answers.failed(since=begun), answers.summary()


BAD = {
    "http": {"http_errors": 0.5},
    "grpc": {"grpc_errors": 0.5},
    "slow": {"delay_seconds": 0.6},
}


@pytest.mark.parametrize("fault", BAD)
async def test_bad_canary_is_rolled_back(scene: Scene, controller: Controller, fault: str) -> None:
    """Errors over one kind of route, or slow answers, give stable everything again over both."""
    async with attempt(scene, steps=[{"weight": 30, "hold": "1h"}]) as answers:
        scene.behave("v2", **BAD[fault])
        await scene.until(lambda now: now["phase"] == "Aborted", seconds=ATTEMPT_SECONDS)
        await answers.answered_by(scene.whole("v1"))
        status = await scene.status()
        begun = max(scene.first_of("v2", answers, kind).at for kind in BOTH)

    assert scene.shares() == [(100, 0), (100, 0)]
    assert status["message"].startswith("Rolled back: canary")
    assert {answer.who for answer in answers.failed(since=begun)} <= {scene.whole("v2")}, answers.summary()


async def test_few_requests_hold_the_step(scene: Scene, controller: Controller) -> None:
    """What the canary has not answered often enough to be judged is not promoted."""
    steps = [{"weight": 30, "hold": "1s"}]
    async with attempt(scene, rate=5, steps=steps, analysis={**SHORT, "minRequests": 1000}):
        status = await scene.until(lambda now: now["phase"] == "Progressing" and "1000" in now["message"], seconds=20)

    assert status["step"] == 1
