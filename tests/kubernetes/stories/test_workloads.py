"""Workloads behind the backends: what starts an attempt, what it waits for, and what stable gets at its end."""

from __future__ import annotations

from typing import Any

import pytest

from rollout.bootstrap.running import Runtime
from rollout.ports import Key
from tests.kubernetes.stage import Stage
from tests.kubernetes.stories.deployments import NAMED, Deployments
from tests.kubernetes.stories.test_steps import DAY, steps
from tests.waiting import until

BY_WORKLOAD: dict[str, Any] = {"start": "OnWorkload", "revision": None, "workloads": NAMED}
COPIES: dict[str, Any] = {"promotion": {"mode": "CopyTemplate"}, "steps": steps(50)}


@pytest.fixture
def pods(stage: Stage) -> Deployments:
    """Return the Deployments of the stage."""
    return Deployments(stage)


async def furnish(stage: Stage, pods: Deployments, *, canary: int = 2, **spec: object) -> None:
    """Make everything that the Rollout needs, and the Rollout."""
    await stage.pair()
    await pods.make(canary=canary)
    await stage.route()
    await stage.rollout("checkout", **spec)


# ---------------------------------------------------------------- what starts an attempt


async def test_another_pod_template_starts_an_attempt(stage: Stage, pods: Deployments) -> None:
    """The canary's Deployment gets another image: its template is the revision."""
    await furnish(stage, pods, **BY_WORKLOAD, steps=steps(20, hold=DAY))
    async with stage.controller():
        await stage.phase("Idle")
        await pods.release("two")
        status = await stage.phase("Progressing", step=1)
        await stage.weighs(80, 20)

    assert (status["attempt"], len(status["revision"])) == (1, 12)


TOUCHES: dict[str, tuple[str, ...]] = {
    "restart": ("rollout", "restart", "deployment/checkout-v2"),
    "labels": (
        "patch",
        "deployment",
        "checkout-v2",
        "-p",
        '{"spec":{"template":{"metadata":{"labels":{"chart":"7"}}}}}',
    ),
    "annotations of a tool": (
        *("patch", "deployment", "checkout-v2", "-p"),
        '{"spec":{"template":{"metadata":{"annotations":{"meta.helm.sh/release-name":"shop"}}}}}',
    ),
    "more pods": ("scale", "deployment", "checkout-v2", "--replicas=5"),
}
"""What people and their tools do to a Deployment -> how, by kubectl; none of it is another revision."""


@pytest.mark.parametrize("touch", TOUCHES)
async def test_what_changes_no_pod_starts_nothing(stage: Stage, pods: Deployments, touch: str) -> None:
    """The next image is the first attempt."""
    await furnish(stage, pods, **BY_WORKLOAD, steps=steps(20, hold=DAY))
    async with stage.controller(), stage.recorded() as seen:
        await stage.phase("Idle")
        await stage.cluster.kubectl(*TOUCHES[touch], "-n", stage.namespace)
        await pods.rolled("checkout-v2")
        await stage.command("approve")
        asked = await stage.until(lambda status: status["handledCommands"])
        await pods.release("two")
        status = await stage.phase("Progressing", step=1)
        await stage.weighs(80, 20)

    assert (asked["phase"], asked["attempt"], status["attempt"]) == ("Idle", 0, 1)
    assert seen == [(100, 0), (80, 20)]


async def test_another_template_in_the_middle_begins_anew(stage: Stage, pods: Deployments) -> None:
    """Step 1 of attempt 2."""
    await furnish(stage, pods, **BY_WORKLOAD, steps=[*steps(20), *steps(50, hold=DAY)])
    async with stage.controller():
        await stage.phase("Idle")
        await pods.release("two")
        await stage.phase("Progressing", step=2)
        await pods.release("three")
        status = await stage.until(lambda status: status["attempt"] == 2)
        await stage.weighs(80, 20)

    assert "NewRevision" in stage.reasons(status)


async def test_stables_template_in_the_middle_goes_straight_back(stage: Stage, pods: Deployments) -> None:
    """The canary gets what stable runs: no step is taken any more."""
    await furnish(stage, pods, **BY_WORKLOAD, steps=steps(20, 50, hold=DAY))
    async with stage.controller(), stage.recorded() as seen:
        await stage.phase("Idle")
        await pods.release("two")
        await stage.weighs(80, 20)
        await pods.release("one")
        status = await stage.phase("Aborted", reason="RevisionWithdrawn")
        await stage.weighs(100, 0)

    assert (status["attempt"], seen) == (1, [(100, 0), (80, 20), (100, 0)])


# ---------------------------------------------------------------- before the first step


async def test_the_canary_is_scaled_up_before_the_first_step(stage: Stage, pods: Deployments) -> None:
    """To as many pods as stable has; its first weight waits until all of them are there."""
    scaled = {**NAMED, "canary": {**NAMED["canary"], "scaleUp": True}}
    await furnish(stage, pods, canary=0, workloads=scaled, steps=steps(20, hold=DAY))
    async with stage.controller() as runtime, stage.recorded() as seen:
        await stage.phase("Idle")
        await stage.edit(revision="2")
        await pods.has("checkout-v2", 2)
        await pods.rolled("checkout-v2", ready=1)
        await until(lambda: "1 of 2 new replicas ready" in _message(stage, runtime))
        waiting = await stage.status()
        unmoved = list(seen)
        await pods.rolled("checkout-v2")
        await stage.phase("Progressing", step=1)
        await stage.weighs(80, 20)

    assert (waiting["phase"], waiting["step"], waiting["reason"]) == ("Progressing", 0, "CanaryNotReady")
    assert unmoved == [(100, 0)]


def _message(stage: Stage, runtime: Runtime) -> str:
    """Return what the controller says now; a status does not carry every number."""
    state = runtime.controller.state(Key(stage.namespace, "checkout"))
    return state.message if state is not None else ""


# ---------------------------------------------------------------- the end, by CopyTemplate


async def copying(stage: Stage, pods: Deployments) -> None:
    """Bring the attempt so far that stable has the canary's pod template, and none of its pods."""
    await stage.phase("Idle")
    await pods.release("two")
    await stage.edit(revision="2")
    await pods.runs("checkout-v1", "two")


async def test_stable_gets_the_template_and_its_weight_back_in_steps(stage: Stage, pods: Deployments) -> None:
    """Copied, waited for, given back; then the canary's pods are taken away."""
    scaled = {**NAMED, "canary": {**NAMED["canary"], "scaleDown": True}}
    await furnish(stage, pods, **COPIES, workloads=scaled)
    async with stage.controller(), stage.recorded() as seen:
        await copying(stage, pods)
        waiting = await stage.until(lambda status: "0 of 2 new replicas ready" in status["message"])
        before = list(seen)
        labels = (await pods.find("checkout-v1"))["spec"]["template"]["metadata"]["labels"]
        await pods.rolled("checkout-v1")
        status = await stage.until(lambda status: status["reason"] == "Promoted", seconds=30.0)
        kept = await pods.replicas("checkout-v2")
        await pods.has("checkout-v2", 0)

    assert (waiting["phase"], waiting["reason"], before[-1]) == ("Promoting", "CopyingTemplate", (0, 100))
    assert (status["stable"], kept, labels["version"]) == ("checkout-v1", 2, "checkout-v1")
    assert seen == [(100, 0), (50, 50), (0, 100), (50, 50), (100, 0)]


async def test_a_stable_that_does_not_come_is_told(stage: Stage, pods: Deployments) -> None:
    """Within the deadline: the canary keeps all weight, and ``resume`` tries on."""
    await furnish(stage, pods, **COPIES, workloads=NAMED, progressDeadline="2s")
    async with stage.controller():
        await copying(stage, pods)
        stuck = await stage.phase("Paused", reason="PromotionStuck")
        await stage.weighs(0, 100)
        await stage.command("resume")
        await stage.phase("Promoting")
        await pods.rolled("checkout-v1")
        await stage.weighs(50, 50)

    assert "0 of 2 new replicas ready" in stuck["message"]
    assert "resume tries on" in stuck["message"]


async def test_a_stable_whose_deployment_gave_up_is_told_at_once(stage: Stage, pods: Deployments) -> None:
    """With what the Deployment says; abort gives the weight back to the stable that is still there."""
    await furnish(stage, pods, **COPIES, workloads=NAMED)
    async with stage.controller():
        await copying(stage, pods)
        await pods.rolled("checkout-v1", ready=1, given_up="ReplicaSet has timed out progressing.")
        stuck = await stage.phase("Paused", reason="PromotionStuck")
        await stage.command("abort")
        await stage.phase("Aborted")
        await stage.weighs(100, 0)

    assert "ReplicaSet has timed out progressing" in stuck["message"]


async def test_a_canary_that_is_lost_while_stable_copies_is_told(stage: Stage, pods: Deployments) -> None:
    """Its last ready endpoint goes before stable has the template: all weight back to stable, at once."""
    await furnish(stage, pods, **COPIES, workloads=NAMED)
    async with stage.controller():
        await copying(stage, pods)
        await stage.endpoints("checkout-v2", ready=0)
        await stage.phase("Aborted", reason="CanaryLost")
        await stage.weighs(100, 0)


async def test_what_a_deployment_is_is_left_alone(stage: Stage, pods: Deployments) -> None:
    """A Swap touches no workload, neither its template nor its pods."""
    await furnish(stage, pods, workloads=NAMED, steps=steps(50))
    async with stage.controller():
        await stage.phase("Idle")
        await pods.release("two")
        before = [(await pods.find(f"checkout-{name}"))["metadata"]["generation"] for name in ("v1", "v2")]
        await stage.edit(revision="2")
        await stage.phase("Idle", reason="Promoted")
        await stage.weighs(0, 100)
        after = [(await pods.find(f"checkout-{name}"))["metadata"]["generation"] for name in ("v1", "v2")]

    assert before == after
