"""Facts about orders to workloads: given after the record, beside the passes, and again until they are seen."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from rollout.controller.alone import NoWorkloads
from rollout.controller.catalog import Abilities
from rollout.controller.controller import Options
from rollout.controller.entry import Entry
from rollout.controller.orders import Orders
from rollout.engine.observation import WorkloadKey
from rollout.engine.orders import Scale
from rollout.engine.reasons import Reason
from rollout.engine.table import Phase
from rollout.errors import NotOursError
from tests.controller.builders import DOWN, KEY, UP, V1, V2, Scene, backend, prepared, quietly, virtually
from tests.fakes.clock import FakeClock

STABLE, CANARY = (WorkloadKey("Deployment", "shop", name) for name in (V1, V2))
FLAGS = {"scaleUp": True, "scaleDown": True}
NAMED: Mapping[str, object] = {
    "stable": {"kind": "Deployment", "name": V1},
    "canary": {"kind": "Deployment", "name": V2, **FLAGS},
}
COPY: Mapping[str, object] = {"promotion": {"mode": "CopyTemplate"}, "workloads": NAMED, "start": "OnWorkload"}


async def _standing(**spec: object) -> Scene:
    """Return a scene at rest in which both run `one`: stable with three pods, the canary with one."""
    scene = await prepared(**{"revision": None, **COPY, **spec})
    scene.options = Options(cadence_seconds=10.0, abilities=Abilities(workloads=True), chance=lambda: 0.5)
    scene.workloads.put(STABLE, "one", replicas=3)
    scene.workloads.put(CANARY, "one", replicas=1)
    await scene.start()
    await scene.until(lambda: bool(scene.state.stable))
    return scene


async def _at_the_end(**spec: object) -> Scene:
    """Return a scene in which the canary, which runs `two`, was just promoted fully."""
    scene = await _standing(**spec)
    scene.workloads.put(CANARY, "two", replicas=3)
    await scene.until(lambda: scene.state.step == 1)
    await scene.tell("promote", full=True)
    await scene.until_phase(Phase.PROMOTING)
    return scene


def _copies(scene: Scene) -> int:
    return sum(word == "copy" for word, _ in scene.workloads.orders)


@virtually
async def test_a_new_template_starts_an_attempt_that_scales_up_first() -> None:
    """A change of the workload wakes the Rollout; the step begins with as many pods as stable has."""
    scene = await _standing()
    scene.workloads.change(CANARY, "two")
    took = await scene.until(lambda: scene.workloads.orders == [("scale", CANARY)], within=1)
    assert (scene.state.phase, scene.state.step) == (Phase.PROGRESSING, 0)
    scene.workloads.roll(CANARY)
    await scene.until(lambda: scene.state.step == 1, within=1)
    await scene.stop()

    assert took <= 1
    assert scene.weights() == (90, 10)


@virtually
async def test_stable_gets_the_template_and_then_its_weight_back() -> None:
    """From the last step to the end: copied, rolled out, weight given back, the canary's pods taken away."""
    scene = await _at_the_end()
    await scene.until(lambda: _copies(scene) == 1)
    assert scene.weights() == (0, 100)
    scene.workloads.roll(STABLE, ready=2, updated=3)
    await scene.until(lambda: "has 2 of 3 new replicas ready" in scene.state.message)
    scene.workloads.roll(STABLE)
    await scene.until_phase(Phase.IDLE, within=60)
    assert scene.weights() == (100, 0)
    await scene.until(lambda: ("scale", CANARY) in scene.workloads.orders, within=60)
    await scene.stop()

    assert (scene.state.stable, scene.state.stable_revision, scene.state.reason) == (V1, "two", Reason.PROMOTED)
    assert _copies(scene) == 1


@virtually
async def test_the_record_comes_before_the_order() -> None:
    """What is to be copied is in the status when it is."""
    scene = await _standing()
    scene.workloads.put(CANARY, "two", replicas=3)
    await scene.until(lambda: scene.state.step == 1)
    recorded: list[object] = []

    def look() -> None:
        stored = scene.store.read(KEY)
        assert stored is not None
        engine = stored.status["engine"]
        recorded.append(engine["copied"] if isinstance(engine, Mapping) else None)

    scene.workloads.contest.append(look)
    await scene.tell("promote", full=True)
    await scene.until(lambda: _copies(scene) == 1)
    await scene.stop()

    assert recorded == ["two"]


@virtually
async def test_an_order_that_fails_is_told_and_tried_again_more_and_more_rarely() -> None:
    """The sentence is why the promotion waits, and once the platform answers the order is carried out."""
    scene = await _standing()
    scene.workloads.put(CANARY, "two", replicas=3)
    await scene.until(lambda: scene.state.step == 1)
    scene.workloads.down = True
    await scene.tell("promote", full=True)
    await scene.until(lambda: "cannot be written" in scene.state.message)
    told = scene.state.message
    await asyncio.sleep(300)
    tries = scene.workloads.tries
    scene.workloads.down = False
    await scene.until(lambda: _copies(scene) == 1, within=31)
    await scene.stop()

    assert told == f"{V1} has not the pod template of {V2} yet: {STABLE}: the workloads cannot be written."
    assert 10 <= tries <= 25


@virtually
async def test_an_order_in_conflict_is_decided_again_at_once() -> None:
    """Somebody changed the workload just before: the next pass sees it as it is now."""
    scene = await _standing()
    scene.workloads.put(CANARY, "two", replicas=3)
    await scene.until(lambda: scene.state.step == 1)
    scene.workloads.contest.append(lambda: scene.workloads.change(STABLE, "hotfix"))
    await scene.tell("promote", full=True)
    took = await scene.until(lambda: _copies(scene) == 1)
    await scene.stop()

    assert (scene.workloads.tries, took <= 1) == (2, True)


@virtually
async def test_a_slow_order_does_not_delay_an_abort() -> None:
    """The platform takes half a minute for the copy; the weights are back within a second."""
    scene = await _standing()
    scene.workloads.put(CANARY, "two", replicas=3)
    await scene.until(lambda: scene.state.step == 1)
    scene.workloads.slow_seconds = 30
    await scene.tell("promote", full=True)
    await scene.until(lambda: scene.workloads.tries == 1)
    await scene.tell("abort")
    took = await scene.until(lambda: scene.weights() == (100, 0))
    await scene.stop()

    assert took <= 1


@virtually
async def test_an_order_that_changes_nothing_is_not_given_without_a_pause() -> None:
    """A platform that takes the order and leaves all as it is: it is tried some times, and then stuck."""
    scene = await _standing(progressDeadline="5m")
    scene.workloads.put(CANARY, "two", replicas=3)
    await scene.until(lambda: scene.state.step == 1)
    scene.workloads.deaf = True
    await scene.tell("promote", full=True)
    await scene.until_phase(Phase.PAUSED, within=400)
    await scene.stop()

    assert scene.state.reason == Reason.PROMOTION_STUCK
    assert 5 <= scene.workloads.tries <= 25


@virtually
@quietly
async def test_a_fault_in_the_adapter_is_a_failed_order() -> None:
    """It is logged with its traceback, told without it, and tried again."""
    scene = await _standing()
    scene.workloads.put(CANARY, "two", replicas=3)
    await scene.until(lambda: scene.state.step == 1)

    def broken() -> None:
        raise RuntimeError("a fault in an adapter")

    scene.workloads.contest.append(broken)
    await scene.tell("promote", full=True)
    await scene.until(lambda: "an unexpected error" in scene.state.message)
    await scene.until(lambda: _copies(scene) == 1)
    await scene.stop()


@virtually
async def test_a_restart_in_the_middle_of_an_order_gives_it_again() -> None:
    """The next controller finds in the status what was to be copied, and sees that it is not."""
    scene = await _standing()
    scene.workloads.put(CANARY, "two", replicas=3)
    await scene.until(lambda: scene.state.step == 1)
    scene.workloads.slow_seconds = 3600
    await scene.tell("promote", full=True)
    await scene.until(lambda: scene.workloads.tries == 1)
    await scene.stop()
    scene.workloads.slow_seconds = 0
    await scene.start()
    await scene.until(lambda: _copies(scene) == 1)
    await scene.stop()

    assert scene.state.phase is Phase.PROMOTING


@virtually
async def test_a_backend_that_does_not_exist_makes_the_rollout_invalid() -> None:
    """Nothing starts and nothing is moved, and it becomes valid by itself."""
    scene = await _standing()
    scene.health.take_away(backend(V2))
    await scene.until_phase(Phase.INVALID)
    said = scene.state.message
    await scene.tell("start")
    await asyncio.sleep(1)
    assert scene.weights() == (100, 0)
    scene.health.put(backend(V2), UP)
    await scene.until_phase(Phase.IDLE)
    await scene.stop()

    assert said == f"Service shop/{V2} does not exist"


@virtually
async def test_an_attempt_whose_backend_is_deleted_is_rolled_back() -> None:
    """The Service is gone, and its endpoints with it: harm that needs no valid spec."""
    scene = await _standing()
    scene.workloads.put(CANARY, "two", replicas=3)
    await scene.until(lambda: scene.weights() == (90, 10))
    scene.health.take_away(backend(V2))
    await scene.until(lambda: scene.weights() == (100, 0))
    await scene.until(lambda: scene.state.phase in {Phase.ABORTED, Phase.INVALID})
    await scene.stop()

    assert Reason.CANARY_LOST in {transition.reason for transition in scene.state.transitions}


@virtually
async def test_a_lost_canary_is_waited_for_before_the_first_weight() -> None:
    """Scaled from nothing, it gets weight once pods and endpoints are there."""
    scene = await _standing()
    scene.health.put(backend(V2), DOWN)
    scene.workloads.put(CANARY, "two", replicas=0)
    await scene.until(lambda: scene.workloads.orders == [("scale", CANARY)])
    scene.workloads.roll(CANARY)
    await asyncio.sleep(5)
    assert scene.weights() == (100, 0)
    scene.health.put(backend(V2), UP)
    await scene.until(lambda: scene.weights() == (90, 10))
    await scene.stop()


# ---------------------------------------------------------------- by hand


async def test_who_may_not_act_gives_no_order() -> None:
    """Another replica holds the Rollout by now."""
    scene, entry = Scene(), Entry(KEY)
    scene.workloads.put(CANARY, "one", replicas=1)
    orders = Orders(scene.workloads, FakeClock(), chance=lambda: 0.5, may=lambda _: False)
    await orders.carry_out(entry, (Scale(CANARY, 3, "1"),))

    assert (scene.workloads.orders, entry.order_problem) == ([], "")


async def test_nothing_is_ordered_beside_another_order_or_without_a_record() -> None:
    """One after another, and never what is not in the status."""
    orders = Orders(NoWorkloads(), FakeClock(), chance=lambda: 0.5, may=lambda _: True)
    wanted = (Scale(CANARY, 3, "1"),)
    free, unrecorded, busy = Entry(KEY), Entry(KEY, unrecorded=True), Entry(KEY)
    busy.ordering = asyncio.ensure_future(asyncio.sleep(0))
    found = [orders.due_in(entry, wanted) for entry in (free, unrecorded, busy)]
    await busy.ordering

    assert found == [0.0, None, None]


async def test_a_problem_ends_with_the_order() -> None:
    """What is not wanted any more has no sentence, and the next order has no wait."""
    orders, entry = Orders(NoWorkloads(), FakeClock(), chance=lambda: 0.5, may=lambda _: True), Entry(KEY)
    await orders.carry_out(entry, (Scale(CANARY, 3, "1"),))
    before, waits = entry.order_problem, entry.order_at
    orders.due_in(entry, ())

    assert (before, waits > 0) == (f"{CANARY}: this platform has no {CANARY}", True)
    assert (entry.order_problem, entry.order_at, entry.order_failures) == ("", 0.0, 0)


async def test_a_platform_without_workloads_has_none() -> None:
    """It reads as None, is never heard of, and takes no order."""
    nothing = NoWorkloads()
    nothing.subscribe(lambda _: None)

    assert nothing.read(CANARY) is None
    with pytest.raises(NotOursError):
        await nothing.scale(CANARY, 3, expected="1")
    with pytest.raises(NotOursError):
        await nothing.copy_template(CANARY, STABLE, template="two", expected="1")
