"""What the status says of the weights, against what the clients counted."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.gateway.attempts import FOR_EVER, POLICY, attempt, condition, given, whole_condition
from tests.gateway.controller import Controller
from tests.gateway.crew import BOTH
from tests.gateway.scene import Scene, host_of, refs

EFFECTIVE, HEALTHY = "WeightsEffective", "AnalysisHealthy"
UNTOLD = "BackendsNotToldApart"
COUNTED: dict[str, tuple[Sequence[str], str]] = {
    "envoy-gateway": (BOTH, "rollout_backend={namespace}/v2/9000"),
    "envoy-gateway-http": (["http"], "envoy_cluster_name=service/{namespace}/v2/9000/http"),
    "envoy-gateway-grpc": (["grpc"], "envoy_cluster_name=service/{namespace}/v2/9000/grpc"),
}
"""The policies for Envoy Gateway: which kinds of routes each counts, and by which label it knows a canary."""


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


@pytest.mark.parametrize("policy", COUNTED)
async def test_counters_that_cannot_tell_backends_apart(
    shared_scene: Scene, controller: Controller, policy: str
) -> None:
    """Where all backends of a rule share a cluster, the step is held, and the status says what no series has."""
    scene, steps, (kinds, label) = shared_scene, [{"weight": 20, "hold": "1s"}], COUNTED[policy]
    async with attempt(scene, kinds=kinds, policy={**POLICY, "name": policy}, steps=steps) as answers:
        status = await scene.until(lambda now: whole_condition(now, HEALTHY)["reason"] == UNTOLD, seconds=30)
        told = whole_condition(status, HEALTHY)

    assert (status["phase"], status["step"], status["reason"]) == ("Progressing", 1, UNTOLD)
    assert told["status"] == "False"
    assert f"no series has {label.format(namespace=scene.namespace)} for v2" in told["message"]
    assert "mergeBackends" in told["message"]
    assert not answers.failed(), answers.summary()


async def test_backends_without_requests_are_not_untold(scene: Scene, controller: Controller) -> None:
    """Where each backend has a cluster, nobody's requests are waited for, and nothing is wrong with the counters."""
    scene.backend("v1", "v2")
    scene.routes(refs(("v1", 100), ("v2", 0)))
    await scene.manifest(**given())
    await scene.phase("Idle")
    await scene.edit(revision="2")
    status = await scene.until(lambda now: whole_condition(now, HEALTHY)["status"] == "False", seconds=30)

    assert (status["step"], status["reason"]) == (1, "NoData")
    assert "no new samples of v2 and v1 for" in whole_condition(status, HEALTHY)["message"]
