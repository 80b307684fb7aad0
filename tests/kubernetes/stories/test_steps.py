"""Plans as other controllers have them, step by step on a real API server."""

import asyncio
from typing import Any

import pytest

from rollout.bootstrap.running import Runtime
from rollout.ports import Key
from tests.kubernetes.stage import KINDS, Stage, ref
from tests.kubernetes.traffic import Traffic

DAY = "24h"


def steps(*weights: float, hold: str = "300ms") -> list[dict[str, Any]]:
    """Return steps of these weights."""
    return [{"weight": weight, "hold": hold} for weight in weights]


async def begun(stage: Stage, **spec: object) -> None:
    """Make everything, wait until the Rollout has adopted it, and ask for a new revision."""
    await stage.pair()
    await stage.route()
    await stage.rollout("checkout", **spec)
    await stage.phase("Idle")
    await stage.edit(revision="2")


async def test_a_ramp_of_20_to_50_never_goes_beyond(stage: Stage) -> None:
    """80/20, 60/40, 50/50, and then promoted."""
    await stage.pair()
    await stage.route()
    await stage.rollout(steps=[], ramp={"from": 20, "to": 50, "by": 20, "every": "300ms"})
    async with stage.recorded() as seen, stage.controller():
        await stage.phase("Idle")
        await stage.edit(revision="2")
        await stage.phase("Idle", reason="Promoted")
        await stage.weighs(0, 100)

    assert seen == [(100, 0), (80, 20), (60, 40), (50, 50), (0, 100)]


async def test_uneven_steps_are_taken_as_they_are(stage: Stage) -> None:
    """1, 2, 10 and 80 percent."""
    await stage.pair()
    await stage.route()
    await stage.rollout(steps=steps(1, 2, 10, 80))
    async with stage.recorded() as seen, stage.controller():
        await stage.phase("Idle")
        await stage.edit(revision="2")
        await stage.phase("Idle", reason="Promoted")
        await stage.weighs(0, 100)

    assert seen == [(100, 0), (99, 1), (98, 2), (90, 10), (20, 80), (0, 100)]


async def test_a_single_step_of_100_is_blue_green(stage: Stage) -> None:
    """All at once, and then promoted."""
    await stage.pair()
    await stage.route()
    await stage.rollout(steps=steps(100))
    async with stage.recorded() as seen, stage.controller():
        await stage.phase("Idle")
        await stage.edit(revision="2")
        status = await stage.phase("Idle", reason="Promoted")

    assert seen == [(100, 0), (0, 100)]
    assert status["stable"] == "checkout-v2"


async def test_steps_may_go_down(stage: Stage) -> None:
    """50, 10, 30 percent are taken in that order."""
    await stage.pair()
    await stage.route()
    await stage.rollout(steps=steps(50, 10, 30))
    async with stage.recorded() as seen, stage.controller():
        await stage.phase("Idle")
        await stage.edit(revision="2")
        await stage.phase("Idle", reason="Promoted")
        await stage.weighs(0, 100)

    assert seen == [(100, 0), (50, 50), (90, 10), (70, 30), (0, 100)]


async def test_a_newer_revision_begins_anew(stage: Stage) -> None:
    """At 10 %: all weight back, and the first step as attempt 2, without the evidence of attempt 1."""
    await stage.policy()
    traffic = Traffic(**{"checkout-v1": (200.0, 0.0), "checkout-v2": (100.0, 0.0)})
    async with stage.controller(traffic) as runtime:
        await begun(
            stage, policy={"kind": "RolloutPolicy", "name": "counted"}, analysis={}, steps=steps(10, 50, hold=DAY)
        )
        first = await stage.phase("Progressing", step=1)
        most = await _many(runtime, Key(stage.namespace, "checkout"))
        async with stage.recorded() as seen:
            await stage.edit(revision="3")
            second = await stage.until(lambda status: (status["attempt"], status["step"]) == (2, 1))
            await stage.weighs(90, 10)

    assert first["attempt"] == 1
    assert seen == [(90, 10), (100, 0), (90, 10)]
    assert (second["step"], second["revision"]) == (1, "3")
    assert max((one["canaryTotal"] for one in second["evidence"]), default=0) < most
    assert stage.reasons(second)[-2:] == ["NewRevision", "StepStarted"]


async def test_the_old_revision_goes_straight_back(stage: Stage) -> None:
    """What stable runs, asked for again, takes no steps."""
    async with stage.controller():
        await begun(stage, steps=steps(10, 50, hold=DAY))
        await stage.weighs(90, 10)
        await stage.edit(revision="1")
        status = await stage.phase("Aborted", reason="RevisionWithdrawn")
        await stage.weighs(100, 0)

    assert status["attempt"] == 1


async def test_aborted_while_paused_a_retry_begins_at_the_first_step(stage: Stage) -> None:
    """Pause at step 2, abort, retry: step 1 of attempt 2."""
    async with stage.controller():
        await begun(stage, steps=[*steps(10), *steps(50, hold=DAY)])
        await stage.phase("Progressing", step=2)
        await stage.command("pause")
        await stage.phase("Paused")
        await stage.command("abort")
        await stage.phase("Aborted")
        await stage.weighs(100, 0)
        await stage.command("retry")
        status = await stage.until(lambda status: status["attempt"] == 2)

    assert (status["phase"], status["step"]) == ("Progressing", 1)


async def test_promote_goes_on_and_promote_full_to_the_end(stage: Stage) -> None:
    """In the middle of a hold of 24 hours."""
    async with stage.controller():
        await begun(stage, steps=steps(10, 50, 90, hold=DAY))
        await stage.phase("Progressing", step=1)
        await stage.command("promote")
        await stage.phase("Progressing", step=2)
        await stage.weighs(50, 50)
        await stage.command("promote", full=True)
        await stage.phase("Idle", reason="Promoted")
        await stage.weighs(0, 100)


@pytest.mark.parametrize("kind", ["HTTPRoute", "GRPCRoute"])
async def test_foreign_backends_of_the_rule_stay_untouched(stage: Stage, kind: str) -> None:
    """Of weights 1 and 0, from the beginning to the end."""
    await stage.pair()
    backends = [ref("other-a", 1), ref("checkout-v1", 100), ref("other-b", 0), ref("checkout-v2", 0)]
    await stage.route(kind=kind, rules=[{"backendRefs": backends}])
    await stage.rollout(routes=[{"kind": kind, "name": "checkout"}], steps=steps(20, 60))
    async with stage.recorded(kind=kind) as seen, stage.controller():
        await stage.phase("Idle")
        await stage.edit(revision="2")
        await stage.phase("Idle", reason="Promoted")
        await stage.weighs(1, 0, 0, 100, kind=kind)

    assert seen == [(1, 100, 0, 0), (1, 80, 0, 20), (1, 40, 0, 60), (1, 0, 0, 100)]


@pytest.mark.parametrize("by", ["name", "index"])
async def test_of_two_rules_only_the_named_one_moves(stage: Stage, by: str) -> None:
    """By its name, or by its index."""
    await stage.pair()
    backends = [ref("checkout-v1", 100), ref("checkout-v2", 0)]
    rules = [{"name": "web", "backendRefs": backends}, {"name": "admin", "backendRefs": backends}]
    await stage.route(rules=rules)
    rule: object = "admin" if by == "name" else 1
    await stage.rollout(routes=[{"kind": "HTTPRoute", "name": "checkout", "rule": rule}], steps=steps(20, hold=DAY))
    async with stage.controller():
        await stage.phase("Idle")
        await stage.edit(revision="2")
        await stage.phase("Progressing", step=1)
        await stage.until(lambda _: True)
        moved = await _rule_moves(stage)

    assert moved == [(100, 0), (80, 20)]


def _filters(*, url: bool) -> list[dict[str, Any]]:
    header = {"add": [{"name": "x-shop", "value": "1"}], "remove": ["x-old"]}
    found: list[dict[str, Any]] = [
        {"type": "RequestHeaderModifier", "requestHeaderModifier": header},
        {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"set": [{"name": "x-rule", "value": "2"}]}},
        {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "shadow", "port": 8080}, "percent": 5}},
    ]
    rewrite = {"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplaceFullPath", "replaceFullPath": "/v2"}}}
    return [*found, rewrite] if url else found


def _unweighted(rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    refs = [[{**entry, "weight": None} for entry in rule["backendRefs"]] for rule in rules]
    return [{**rule, "backendRefs": named} for rule, named in zip(rules, refs, strict=True)]


@pytest.mark.parametrize("kind", ["HTTPRoute", "GRPCRoute"])
async def test_filters_stay_byte_identical(stage: Stage, kind: str) -> None:
    """On the rule and on a backend: before, during and after an attempt."""
    await stage.pair()
    filters = _filters(url=kind == "HTTPRoute")
    backends = [
        ref("checkout-v1", 100, filters=_filters(url=False)),
        ref("checkout-v2", 0, filters=_filters(url=False)),
    ]
    before = await stage.route(kind=kind, rules=[{"filters": filters, "backendRefs": backends}])
    await stage.rollout(routes=[{"kind": kind, "name": "checkout"}], steps=steps(20, hold=DAY))
    async with stage.controller():
        await stage.phase("Idle")
        await stage.edit(revision="2")
        await stage.weighs(80, 20, kind=kind)
        during = await stage.api.get(KINDS[kind], stage.namespace, "checkout")
        await stage.command("promote")
        await stage.weighs(0, 100, kind=kind)
        after = await stage.api.get(KINDS[kind], stage.namespace, "checkout")

    rules = [_unweighted(found["spec"]["rules"]) for found in (before, during, after)]
    assert rules[0] == rules[1] == rules[2]
    assert [found["metadata"]["generation"] for found in (before, during, after)] == [1, 2, 3]


async def _rule_moves(stage: Stage) -> list[tuple[int, ...]]:
    """Return the weights of both rules once one of them has moved."""
    found: list[tuple[int, ...]] = [(100, 0), (100, 0)]
    while (100, 0) == found[1] == found[0]:
        found = [await stage.weights(rule=0), await stage.weights(rule=1)]
    return found


async def _many(runtime: Runtime, key: Key) -> int:
    """Return how many requests of the canary were counted, once they are at least 100."""
    async with asyncio.timeout(15):
        while True:
            state = runtime.controller.state(key)
            counted = max((one.canary_total for one in state.evidence), default=0) if state is not None else 0
            if counted >= 100:
                return counted
            await asyncio.sleep(0.02)
