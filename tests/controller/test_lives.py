"""Facts about a Rollout that is deleted and made again under its name: nothing of the one before is left."""

from __future__ import annotations

import asyncio

from rollout.engine.table import Phase
from tests.controller.builders import (
    ERRORS_ONLY,
    KEY,
    ONE_STEP,
    ROUTE,
    V1,
    V2,
    WEB,
    manifest,
    standing,
    under_way,
    virtually,
)

GATED = [{"weight": 10, "hold": "1s", "gates": [{"name": "qa", "url": "http://qa"}]}, {"weight": 50, "hold": "1h"}]
WEB_ONLY = [{"kind": "HTTPRoute", "name": "checkout-web"}]


@virtually
async def test_another_life_has_its_own_spec() -> None:
    """Its generation is 1 like that of the one before; the routes that it names are written all the same."""
    scene = await standing()
    scene.store.vanish(KEY)
    await scene.store.apply(manifest(routes=WEB_ONLY))
    await asyncio.sleep(1)
    await scene.tell("start", revision="2")
    await scene.until(lambda: scene.weights(WEB) == (90, 10))

    assert scene.weights(ROUTE) == (100, 0)
    await scene.stop()


@virtually
async def test_an_answer_to_the_life_before_is_not_given_to_the_next() -> None:
    """A measurement that is under way then comes to nothing, and the next one is of what is there now."""
    scene = await under_way(analysis=ERRORS_ONLY)
    scene.measurements.slow_seconds = 30
    await asyncio.sleep(15)
    asked = len(scene.measurements.asks)
    scene.store.vanish(KEY)
    scene.routes.put(ROUTE, {V1: 100, V2: 0})
    await scene.store.apply(manifest(analysis=ERRORS_ONLY, steps=list(ONE_STEP)))
    await asyncio.sleep(60)

    assert (scene.state.phase, scene.state.attempt) == (Phase.IDLE, 0)
    assert len(scene.measurements.asks) == asked
    await scene.stop()


@virtually
async def test_a_gate_that_is_being_asked_is_left_alone() -> None:
    """What a gate says to the Rollout before is nothing to the next one."""
    scene = await under_way(steps=GATED)
    scene.gates.hold = asyncio.Event()
    await scene.until(lambda: bool(scene.gates.calls))
    scene.store.vanish(KEY)
    scene.routes.put(ROUTE, {V1: 100, V2: 0})
    await scene.store.apply(manifest(steps=GATED))
    await asyncio.sleep(1)
    asked = len(scene.gates.calls)
    scene.gates.hold.set()
    await scene.tell("start", revision="3")
    await scene.until(lambda: len(scene.gates.calls) > asked)

    assert scene.state.revision == "3"
    await scene.stop()


@virtually
async def test_a_look_shows_the_life_that_is_there() -> None:
    """Before its first pass, too: nothing of the attempt that ran before."""
    scene = await under_way()
    scene.store.vanish(KEY)
    await scene.store.apply(manifest())
    look = scene.controller.look(KEY)

    assert look is not None
    assert (look.is_new, look.state.attempt) == (True, 0)
    await scene.stop()


@virtually
async def test_nothing_is_kept_of_what_is_gone() -> None:
    """Names of Rollouts and of what they look at do not gather: a cluster makes and deletes them for years."""
    scene = await standing()
    mirror, links = scene.controller._mirror, scene.controller._links  # noqa: SLF001 - what is kept has no other face
    scene.store.vanish(KEY)
    await asyncio.sleep(1)

    kept = [value for part in (mirror, links) for value in vars(part).values() if isinstance(value, dict)]
    assert kept
    assert not any(kept)
    await scene.stop()
