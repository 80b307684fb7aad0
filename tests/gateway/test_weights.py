"""What the status says of the weights, against what the clients counted."""

from __future__ import annotations

import pytest

from tests.gateway.attempts import FOR_EVER, attempt, condition
from tests.gateway.controller import Controller
from tests.gateway.scene import Scene, host_of, refs

EFFECTIVE = "WeightsEffective"


async def test_effective_weights_are_what_clients_count(scene: Scene, controller: Controller) -> None:
    """The status says that requests go as the weights say, and so do the clients."""
    async with attempt(scene, rate=100, steps=FOR_EVER) as answers:
        status = await scene.until(lambda now: condition(now, EFFECTIVE)[0] == "True", seconds=30)
        begun = scene.first_of("v2", answers, "http").sent
        shares = answers.shares(since=begun)

    assert status["step"] == 1
    assert shares[scene.whole("v2")] == pytest.approx(0.3, abs=0.08)


async def test_ineffective_weights_are_told(scene: Scene, controller: Controller) -> None:
    """Requests that another route sends to the canary are counted with it, and the status says that shares are off."""
    async with attempt(scene, rate=20, steps=FOR_EVER):
        await scene.until(lambda now: now["step"] == 1)
        scene.another_route("other", refs(("v2", 1)))
        host = host_of(scene.namespace, "other")
        with scene.crew.clients({"http": host}, scene.lab.proxies[scene.edge].port, rate=150):
            status = await scene.until(lambda now: condition(now, EFFECTIVE)[0] == "False", seconds=30)

    assert status["phase"] == "Progressing"
    assert "do not go" in condition(status, EFFECTIVE)[1]


async def test_counters_that_cannot_tell_backends_apart(shared_scene: Scene, controller: Controller) -> None:
    """Where all backends of a rule share a cluster, the step is held, and the status says what is missing."""
    async with attempt(shared_scene, steps=[{"weight": 20, "hold": "1s"}]) as answers:
        status = await shared_scene.until(lambda now: condition(now, "AnalysisHealthy")[0] == "False", seconds=30)
        word, message = condition(status, "AnalysisHealthy")

    assert (status["phase"], status["step"]) == ("Progressing", 1)
    assert "no new samples of v2 and v1" in message
    assert word == "False"
    assert not answers.failed(), answers.summary()
