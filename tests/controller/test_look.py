"""Facts about a look between passes: it tells what stands right now, and leaves no trace."""

from __future__ import annotations

import asyncio

from rollout.controller.controller import Controller, Ports
from rollout.controller.look import Look
from rollout.engine.moves import intended
from rollout.engine.reasons import Reason
from rollout.engine.table import Phase
from rollout.ports import Key
from tests.controller.builders import (
    DOWN,
    ERRORS_ONLY,
    KEY,
    ROUTE,
    UP,
    V1,
    V2,
    Scene,
    backend,
    manifest,
    prepared,
    standing,
    under_way,
    virtually,
)

PLAN = [{"weight": 10, "hold": "10m"}, {"weight": 50, "hold": "1h"}]


def _look(scene: Scene) -> Look:
    look = scene.controller.look(KEY)
    assert look is not None
    return look


@virtually
async def test_an_attempt_is_seen_with_its_plan_and_what_it_waits_for() -> None:
    """Five minutes into a hold of ten, five are left until the second step, to the second of the look."""
    scene = await under_way(steps=PLAN)
    await asyncio.sleep(300)
    look = _look(scene)
    left = 600 - look.state.hold.at(scene.clock.now())

    assert (look.key, look.at, look.state.phase) == (KEY, scene.clock.now(), Phase.PROGRESSING)
    assert [step.weight for step in look.steps] == [10, 50]
    assert (look.outlook.step, look.outlook.seconds) == (2, left)
    assert [one.reason for one in look.outlook.missing] == [Reason.HOLDING]
    await scene.stop()


@virtually
async def test_endpoints_and_weights_are_those_of_now() -> None:
    """What changed since the last pass is seen before the next one."""
    scene = await under_way()
    before = scene.state
    scene.health.put(backend(V1), DOWN)
    scene.routes.put(ROUTE, {V1: 80, V2: 20})
    look = _look(scene)

    assert look.endpoints == {V1: DOWN, V2: UP}
    assert dict(look.state.observed) == {V1: 80, V2: 20}
    assert dict(intended(look.state)) == {V1: 90, V2: 10}
    assert scene.state is before
    await scene.stop()


@virtually
async def test_a_sample_that_waits_for_its_pass_stays() -> None:
    """What was measured and not yet judged is still there after a look, so that the next pass judges it."""
    scene = await under_way(analysis=ERRORS_ONLY)
    entry = scene.controller._entry(KEY)  # noqa: SLF001 - what must not be taken
    await scene.until(lambda: bool(scene.measurements.asks))
    batch = await scene.measurements.measure(scene.measurements.asks[-1])
    entry.batch = batch
    _look(scene)

    assert entry.batch is batch
    await scene.stop()


@virtually
async def test_a_look_asks_nobody_and_writes_nothing() -> None:
    """Neither a question to the source, nor a call of a gate, nor a record comes of it."""
    gate = {"url": "https://ci.example/ok", "name": "ci"}
    scene = await under_way(analysis=ERRORS_ONLY, steps=[{"weight": 10, "hold": "1h", "gates": [gate]}])
    await scene.until(lambda: len(scene.measurements.asks) == 1)
    stored = scene.store.read(KEY)
    for _ in range(100):
        _look(scene)

    assert len(scene.measurements.asks) == 1
    assert scene.gates.calls == []
    assert scene.store.read(KEY) == stored
    await scene.stop()


@virtually
async def test_before_the_first_pass_there_is_what_the_store_has() -> None:
    """A controller that has not begun yet tells the recorded state, and one that was never looked at as new."""
    scene = await under_way(steps=PLAN)
    recorded = scene.state
    await scene.stop()
    ports = Ports(scene.store, scene.routes, scene.health, scene.measurements, scene.gates, scene.clock)
    look = Controller(ports).look(KEY)

    assert look is not None
    assert (look.state.phase, look.state.number, look.state.share) == (Phase.PROGRESSING, recorded.number, 10)
    assert (look.is_new, [one.reason for one in look.outlook.missing]) == (False, [Reason.HOLDING])


@virtually
async def test_a_rollout_that_nobody_has_looked_at_is_new() -> None:
    """It is at the beginning, and its plan is known."""
    scene = await prepared(steps=PLAN)
    ports = Ports(scene.store, scene.routes, scene.health, scene.measurements, scene.gates, scene.clock)
    look = Controller(ports).look(KEY)

    assert look is not None
    assert (look.is_new, look.state.number, len(look.steps)) == (True, 0, 2)


@virtually
async def test_an_unknown_rollout_is_none() -> None:
    """Neither a name that never was nor one that is gone is seen."""
    scene = await standing()
    await scene.store.mark_deleting(KEY)
    await scene.until(lambda: scene.store.read(KEY) is None)

    assert scene.controller.look(KEY) is None
    assert scene.controller.look(Key("shop", "nobody")) is None
    await scene.stop()


@virtually
async def test_what_is_wrong_is_told() -> None:
    """An invalid manifest has its problems and no plan; a route that is not there is a problem, too."""
    scene = await under_way()
    await scene.store.apply(manifest(steps=[{"weight": 200}]))
    await scene.until_phase(Phase.INVALID)
    invalid = _look(scene)
    await scene.store.apply(manifest(routes=[{"kind": "HTTPRoute", "name": "nowhere"}]))
    await asyncio.sleep(1)
    routeless = _look(scene)

    assert (invalid.rollout, invalid.steps) == (None, ())
    assert any("spec.steps[0].weight" in problem for problem in invalid.problems)
    assert routeless.rollout is not None
    assert any("nowhere" in problem for problem in routeless.problems)
    await scene.stop()


@virtually
async def test_a_manifest_that_has_just_changed_is_seen() -> None:
    """The plan is that of the manifest as it stands, also before the pass that takes it in."""
    scene = await under_way(steps=PLAN)
    await scene.store.apply(manifest(steps=[*PLAN, {"weight": 80, "hold": "1h"}]))

    assert len(_look(scene).steps) == 3
    await scene.stop()
