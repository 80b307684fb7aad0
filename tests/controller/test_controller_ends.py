"""Facts about how the controller stops, and how a Rollout ends."""

from __future__ import annotations

import asyncio

import pytest

from rollout.errors import NotOursError
from tests.controller.builders import (
    DOWN,
    ERRORS_ONLY,
    KEY,
    V1,
    V2,
    backend,
    standing,
    under_way,
    virtually,
)


@virtually
async def test_a_stop_finishes_the_pass() -> None:
    """A pass that is writing when the controller is told to stop writes to its end."""
    scene = await standing()
    scene.routes.slow_seconds = 1
    await scene.tell("start", revision="2")
    await asyncio.sleep(0.5)
    await scene.stop()

    assert scene.weights() == (90, 10)


@virtually
async def test_a_stop_takes_three_seconds_at_most() -> None:
    """A write that hangs is left alone after three seconds."""
    scene = await standing()
    scene.routes.slow_seconds = 3600
    await scene.tell("start", revision="2")
    await asyncio.sleep(0.5)
    before = scene.clock.now()
    await scene.stop()

    assert scene.clock.now() - before == pytest.approx(3, abs=0.1)


@virtually
async def test_events_after_a_stop_are_nothing() -> None:
    """A controller that has stopped runs no pass, whatever happens."""
    scene = await under_way()
    await scene.stop()
    scene.health.put(backend(V2), DOWN)
    await asyncio.sleep(60)

    assert scene.weights() == (90, 10)


@virtually
async def test_another_controller_goes_on() -> None:
    """After a stop the next controller finishes what was recorded, without a doubled transition."""
    scene = await under_way(steps=[{"weight": 10, "hold": "60s"}, {"weight": 50, "hold": "1h"}])
    await asyncio.sleep(30)
    await scene.stop()
    await asyncio.sleep(5)
    await scene.start()
    took = await scene.until(lambda: scene.weights() == (50, 50))
    numbers = [told.transition.number for told in scene.told if told.transition]

    assert took == pytest.approx(23, abs=2)
    assert numbers == sorted(set(numbers))
    await scene.stop()


@virtually
async def test_a_deleted_rollout_gives_its_weights_back_and_is_forgotten() -> None:
    """In the middle of an attempt a deletion puts all weight on stable, and then nothing is left of the Rollout."""
    scene = await under_way()
    await scene.store.mark_deleting(KEY)
    await scene.until(lambda: scene.store.read(KEY) is None)

    assert scene.weights() == (100, 0)
    assert scene.controller.state(KEY) is None
    await scene.stop()


@virtually
async def test_a_rollout_that_vanished_is_forgotten() -> None:
    """A Rollout that is gone from the store is gone from the controller, and its events are nothing."""
    scene = await standing()
    scene.store.vanish(KEY)
    scene.controller.wake(KEY)
    await asyncio.sleep(1)
    passes = scene.controller.counts.passes
    scene.health.put(backend(V1), DOWN)
    await asyncio.sleep(1)

    assert scene.controller.state(KEY) is None
    assert scene.controller.counts.passes == passes
    await scene.stop()


@virtually
async def test_a_rollout_that_vanishes_while_it_is_measured_is_forgotten() -> None:
    """The answer of a source for a Rollout that is gone does no harm."""
    scene = await standing(analysis=ERRORS_ONLY)
    scene.measurements.slow_seconds = 30
    await scene.tell("start", revision="2")
    await scene.until(lambda: scene.weights() == (90, 10))
    await asyncio.sleep(1)
    scene.store.vanish(KEY)
    scene.controller.wake(KEY)
    await asyncio.sleep(120)

    assert scene.controller.state(KEY) is None
    await scene.stop()


@virtually
async def test_a_rollout_that_vanishes_before_its_record_is_forgotten() -> None:
    """Between look and record the Rollout is removed: nothing is written, nothing is tried again."""
    scene = await standing()
    scene.store.fail(NotOursError("gone"))
    failures = scene.controller.counts.failures
    scene.health.put(backend(V1), DOWN)
    await asyncio.sleep(60)

    assert scene.controller.state(KEY) is None
    assert scene.controller.counts.failures == failures
    await scene.stop()
