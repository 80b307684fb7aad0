"""What makes a Rollout wait on a real API server, and what makes it go on."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from rollout.kube.resources import HTTP_ROUTES, ROLLOUTS, SERVICES, Document
from tests.kubernetes.stage import GATEWAY, Stage, accepted, conditions
from tests.kubernetes.stories.test_steps import DAY, begun, steps
from tests.kubernetes.traffic import Traffic

COUNTED = {"kind": "RolloutPolicy", "name": "counted"}
HEALTHY = (200.0, 0.0)
SILENT = 0
"""In place of the status of an answer: none comes."""


async def test_what_stays_inconclusive_is_neither_promoted_nor_aborted(stage: Stage) -> None:
    """A canary without requests holds its step and says so."""
    await stage.policy()
    traffic = Traffic(**{"checkout-v1": HEALTHY, "checkout-v2": (0.5, 0.0)})
    async with stage.controller(traffic):
        await begun(stage, policy=COUNTED, analysis={"minRequests": 1000}, steps=steps(20, 50))
        status = await stage.phase("Progressing", reason="TooFewRequests")
        await stage.weighs(80, 20)

    assert status["step"] == 1


async def test_of_two_checks_the_one_that_fails_is_named(stage: Stage) -> None:
    """The rollback says which."""
    checks = [
        {"name": "errors", "kind": "Errors"},
        {"name": "queue", "kind": "Query", "query": "queue_depth", "failAbove": 100, "failures": 2},
    ]
    await stage.policy()
    traffic = Traffic(**{"checkout-v1": HEALTHY, "checkout-v2": HEALTHY})
    traffic.queries["queue_depth"] = 7.0
    async with stage.controller(traffic):
        await begun(stage, policy=COUNTED, analysis={"checks": checks}, steps=steps(20, hold=DAY))
        await stage.phase("Progressing", step=1)
        traffic.queries["queue_depth"] = 700.0
        status = await stage.phase("Aborted")
        await stage.weighs(100, 0)

    assert "queue" in status["message"]
    assert "700" in status["message"]


async def test_a_bad_canary_is_rolled_back(stage: Stage) -> None:
    """A fifth of its requests fail: all weight back, with the numbers."""
    await stage.policy()
    traffic = Traffic(**{"checkout-v1": HEALTHY, "checkout-v2": (100.0, 0.0)})
    async with stage.controller(traffic):
        await begun(stage, policy=COUNTED, analysis={}, steps=steps(20, hold=DAY))
        await stage.phase("Progressing", step=1)
        traffic.set("checkout-v2", rps=100.0, bad=0.2)
        status = await stage.phase("Aborted")
        await stage.weighs(100, 0)

    assert "requests" in status["message"]


async def test_a_policy_that_comes_later_makes_the_rollout_valid(stage: Stage) -> None:
    """Until then it is Invalid and says which policy is missing."""
    await stage.pair()
    await stage.route()
    await stage.rollout(policy=COUNTED, analysis={})
    async with stage.controller(Traffic(**{"checkout-v1": HEALTHY, "checkout-v2": HEALTHY})):
        invalid = await stage.phase("Invalid")
        await stage.policy()
        await stage.phase("Idle")

    assert "counted" in invalid["message"]


async def test_suspending_an_idle_rollout_writes_its_status_once(stage: Stage) -> None:
    """The condition Suspended, and then nothing for as long as it lasts."""
    await stage.pair()
    await stage.route()
    await stage.rollout()
    async with stage.controller() as runtime:
        await stage.phase("Idle")
        await stage.edit(suspend=True)
        await stage.until(lambda status: _condition(status, "Suspended") == "True")
        before = await stage.api.get(ROLLOUTS, stage.namespace, "checkout")
        for key in list(runtime.store.keys()) * 5:
            runtime.controller.wake(key)
        await stage.service("something-else")
        after = await stage.api.get(ROLLOUTS, stage.namespace, "checkout")

    assert before["metadata"]["resourceVersion"] == after["metadata"]["resourceVersion"]


def _condition(status: Mapping[str, Any], kind: str) -> str:
    return next((str(one["status"]) for one in status["conditions"] if one["type"] == kind), "")


@pytest.mark.parametrize("how", ["refused", "stale"])
async def test_a_route_that_is_not_accepted_is_waited_for(stage: Stage, how: str) -> None:
    """Hold time stands still until the gateway serves the route as it stands; then it goes on."""
    await stage.pair()
    await stage.route()
    await stage.rollout(steps=steps(20))
    async with stage.controller():
        await stage.phase("Idle")
        stage.accepting = _refused if how == "refused" else _stale
        await stage.edit(revision="2")
        waiting = await stage.phase("Progressing", reason="WaitingForRoutes")
        stage.accepting = accepted
        await stage.annotate_route("checkout")
        await stage.phase("Idle", reason="Promoted")

    assert waiting["step"] == 1


async def test_a_route_that_is_not_accepted_is_rolled_back_all_the_same(stage: Stage) -> None:
    """Going back needs no gateway's word."""
    await stage.pair()
    await stage.route()
    await stage.rollout(steps=steps(20, hold=DAY))
    async with stage.controller():
        await stage.phase("Idle")
        stage.accepting = _stale
        await stage.edit(revision="2")
        await stage.phase("Progressing", reason="WaitingForRoutes")
        await stage.command("abort")
        await stage.phase("Aborted")
        await stage.weighs(100, 0)


async def test_what_another_gateway_says_is_nobodys_business(stage: Stage) -> None:
    """One controller accepts our parent, another one refuses it: it goes on."""
    await stage.pair()
    await stage.route()
    await stage.rollout(steps=steps(20))
    stage.accepting = _with_another
    async with stage.controller():
        await stage.phase("Idle")
        await stage.edit(revision="2")
        await stage.phase("Idle", reason="Promoted")


def _refused(document: Document) -> list[dict[str, Any]]:
    told = conditions(document["metadata"]["generation"], accepted="False")
    return [{"parentRef": GATEWAY, "controllerName": "example.net/gateway", "conditions": told}]


def _stale(document: Document) -> list[dict[str, Any]]:
    told = conditions(max(1, document["metadata"]["generation"] - 1))
    return [{"parentRef": GATEWAY, "controllerName": "example.net/gateway", "conditions": told}]


def _with_another(document: Document) -> list[dict[str, Any]]:
    told = conditions(document["metadata"]["generation"], accepted="False")
    return [*accepted(document), {"parentRef": GATEWAY, "controllerName": "example.org/other", "conditions": told}]


@asynccontextmanager
async def _gate() -> AsyncIterator[tuple[int, dict[str, int]]]:
    """Serve a gate; give its port, and where to say what it answers next."""
    answers = {"status": 403}

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        while answers["status"] == SILENT:
            await asyncio.sleep(0.02)
        headers = {"Location": "/elsewhere"} if answers["status"] == 302 else {}
        return web.Response(status=answers["status"], headers=headers)

    app = web.Application()
    app.router.add_post("/ok", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield runner.addresses[0][1], answers
    finally:
        answers["status"] = 204
        await runner.cleanup()


@pytest.mark.parametrize(
    ("refusal", "why"), [(403, "403"), (500, "500"), (302, "302"), (SILENT, "no answer within 0.3 s")]
)
async def test_only_a_gate_that_says_2xx_agrees(stage: Stage, refusal: int, why: str) -> None:
    """403, 500, a redirect and silence are a no with the reason; 204 lets the step go on."""
    async with _gate() as (port, answers):
        gate = {"url": f"http://127.0.0.1:{port}/ok", "name": "load-test", "timeout": "300ms"}
        async with stage.controller(gate_hosts=(f"127.0.0.1:{port}",)):
            answers["status"] = refusal
            await begun(stage, steps=[{"weight": 20, "gates": [gate]}])
            waiting = await stage.phase("Progressing", reason="WaitingForGate")
            answers["status"] = 204
            await stage.until(lambda found: found["reason"] == "Promoted", seconds=30.0)

    assert why in waiting["message"]


async def test_a_route_that_comes_back_gets_the_intended_weights(stage: Stage) -> None:
    """Deleted and made again in the middle of a step, with the weights of the beginning."""
    async with stage.controller():
        await begun(stage, steps=steps(20, hold=DAY))
        await stage.weighs(80, 20)
        await stage.delete(HTTP_ROUTES)
        await stage.phase("Invalid")
        await stage.route()
        await stage.phase("Progressing", step=1)
        await stage.weighs(80, 20)


@pytest.mark.parametrize(("mode", "weights"), [("Restore", (100, 0)), ("Leave", (80, 20))])
async def test_deleted_in_the_middle_it_gives_stable_everything_or_leaves_it(
    stage: Stage, mode: str, weights: tuple[int, ...]
) -> None:
    """As spec.onDelete says; the finalizer is gone then."""
    async with stage.controller():
        await begun(stage, steps=steps(20, hold=DAY), onDelete=mode)
        await stage.weighs(80, 20)
        await stage.delete(ROLLOUTS)
        await stage.gone(ROLLOUTS)

        assert await stage.weights() == weights


async def test_a_rollout_at_rest_is_deleted_without_us(stage: Stage) -> None:
    """It has no finalizer, so nobody has to be there."""
    async with stage.controller():
        await stage.pair()
        await stage.route()
        await stage.rollout()
        await stage.phase("Idle")
    await stage.delete(ROLLOUTS)
    await stage.gone(ROLLOUTS)


async def test_without_the_canarys_service_nothing_moves(stage: Stage) -> None:
    """Invalid, with the Service's name; it goes on when the Service appears."""
    await stage.service("checkout-v1")
    await stage.route()
    await stage.rollout(steps=steps(20, hold=DAY))
    async with stage.controller(), stage.recorded() as seen:
        invalid = await stage.phase("Invalid")
        await stage.edit(revision="2")
        await stage.until(lambda status: status["observedGeneration"] == 2)
        unmoved = list(seen)
        await stage.service("checkout-v2")
        await stage.until(lambda status: status["phase"] != "Invalid")

    assert "checkout-v2" in invalid["message"]
    assert unmoved == [(100, 0)]


async def test_a_canary_that_loses_its_last_endpoint_is_rolled_back(stage: Stage) -> None:
    """At once, whatever counters say."""
    async with stage.controller():
        await begun(stage, steps=steps(20, hold=DAY))
        await stage.weighs(80, 20)
        await stage.endpoints("checkout-v2", ready=0)
        await stage.phase("Aborted", reason="CanaryLost")
        await stage.weighs(100, 0)


async def test_a_service_that_is_gone_is_said_during_an_attempt(stage: Stage) -> None:
    """With its endpoints it takes the attempt along."""
    async with stage.controller():
        await begun(stage, steps=steps(20, hold=DAY))
        await stage.weighs(80, 20)
        await stage.endpoints("checkout-v2", ready=0)
        await stage.delete(SERVICES, "checkout-v2")
        await stage.weighs(100, 0)
