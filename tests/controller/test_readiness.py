"""When the service says that it is ready."""

from __future__ import annotations

import asyncio

from rollout.controller.controller import Controller, Ports
from rollout.controller.readiness import LONGEST_SECONDS, Readiness
from tests.controller.builders import KEY, Scene, prepared, standing, virtually


def readiness(scene: Scene, controller: Controller, closing: asyncio.Event | None = None) -> Readiness:
    """Return the readiness of a controller."""
    return Readiness(controller, scene.store, scene.clock, closing or asyncio.Event())


def at_rest(scene: Scene) -> Controller:
    """Return a controller of the scene that does not run."""
    return Controller(
        Ports(scene.store, scene.routes, scene.health, scene.measurements, scene.gates, scene.clock), scene.options
    )


@virtually
async def test_it_is_ready_when_each_rollout_was_looked_at() -> None:
    """Not before the first pass, and from then on."""
    scene = await prepared()
    controller = at_rest(scene)
    ready = readiness(scene, controller)
    before = ready.why_not()
    running = asyncio.create_task(controller.run())
    await scene.until(lambda: controller.state(KEY) is not None)
    after = ready.why_not()
    running.cancel()

    assert (before, after) == ("Rollouts that the controller has not looked at yet: 1", "")


@virtually
async def test_it_is_ready_without_rollouts() -> None:
    """There is nothing to wait for."""
    scene = Scene()
    ready = readiness(scene, at_rest(scene))

    assert ready.why_not() == ""


@virtually
async def test_a_rollout_that_is_gone_is_not_waited_for() -> None:
    """One that was removed before its first pass does not count."""
    scene = await prepared()
    ready = readiness(scene, at_rest(scene))
    scene.store.vanish(KEY)

    assert ready.why_not() == ""


@virtually
async def test_it_does_not_wait_for_ever() -> None:
    """After ten seconds it is ready, whatever was not looked at."""
    scene = await prepared()
    ready = readiness(scene, at_rest(scene))
    await asyncio.sleep(LONGEST_SECONDS - 0.1)
    before = ready.why_not()
    await asyncio.sleep(0.2)

    assert before
    assert ready.why_not() == ""


@virtually
async def test_it_is_not_ready_once_it_ends() -> None:
    """As soon as the service is told to end, nobody should come any more."""
    scene, closing = await standing(), asyncio.Event()
    ready = readiness(scene, scene.controller, closing)
    before = ready.why_not()
    closing.set()
    await scene.stop()

    assert (before, ready.why_not()) == ("", "the service ends")
