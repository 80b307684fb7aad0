"""Facts about the controller: what wakes it, what it does at rest, and that commands are done once."""

from __future__ import annotations

import asyncio

from rollout.engine.reasons import Reason
from rollout.engine.table import Phase
from tests.controller.builders import (
    DOWN,
    ERRORS_ONLY,
    KEY,
    ROUTE,
    V1,
    V2,
    backend,
    manifest,
    prepared,
    standing,
    under_way,
    virtually,
)

# ---------------------------------------------------------------- at rest


@virtually
async def test_nothing_happens_when_idle() -> None:
    """At rest nothing is recorded, written or asked, and no pass runs."""
    scene = await standing(analysis=ERRORS_ONLY)
    await asyncio.sleep(60)
    passes, records = scene.controller.counts.passes, len(scene.store.records)
    await asyncio.sleep(24 * 3600)

    assert (scene.controller.counts.passes, len(scene.store.records)) == (passes, records)
    assert (scene.routes.writes, scene.measurements.asks, scene.gates.calls) == ([], [], [])
    await scene.stop()


@virtually
async def test_a_rolled_back_canary_at_rest_costs_nothing() -> None:
    """After an abort there are no more passes, records, writes or questions."""
    scene = await under_way(analysis=ERRORS_ONLY)
    await scene.tell("abort")
    await scene.until_phase(Phase.ABORTED)
    await asyncio.sleep(60)
    before = (scene.controller.counts.passes, len(scene.store.records), len(scene.measurements.asks))
    await asyncio.sleep(24 * 3600)

    assert (scene.controller.counts.passes, len(scene.store.records), len(scene.measurements.asks)) == before
    await scene.stop()


@virtually
async def test_a_paused_attempt_records_nothing_again_and_again() -> None:
    """While paused without checks the status is not written."""
    scene = await under_way()
    await scene.tell("pause")
    await scene.until_phase(Phase.PAUSED)
    await asyncio.sleep(30)
    records = len(scene.store.records)
    await asyncio.sleep(24 * 3600)

    assert len(scene.store.records) == records
    await scene.stop()


# ---------------------------------------------------------------- events


@virtually
async def test_a_new_revision_starts_an_attempt() -> None:
    """A changed manifest is noticed at once, and the canary gets its first weight."""
    scene = await standing()
    await scene.store.apply(manifest(revision="2"))
    took = await scene.until(lambda: scene.weights() == (90, 10))

    assert took < 0.1
    await scene.stop()


@virtually
async def test_lost_endpoints_abort_at_once() -> None:
    """The canary's last endpoint goes: all weight is on stable within a few milliseconds."""
    scene = await under_way()
    scene.health.put(backend(V2), DOWN)
    took = await scene.until(lambda: scene.weights() == (100, 0))

    assert took < 0.05
    assert scene.state.reason == Reason.CANARY_LOST
    await scene.stop()


@virtually
async def test_lost_endpoints_abort_while_a_measurement_hangs() -> None:
    """A source that does not answer for minutes delays no abort."""
    scene = await standing(analysis=ERRORS_ONLY)
    scene.measurements.slow_seconds = 600
    await scene.tell("start", revision="2")
    await scene.until(lambda: scene.weights() == (90, 10))
    await scene.until(lambda: scene.controller.state(KEY) is not None and scene.controller.counts.passes > 2)
    await asyncio.sleep(30)
    scene.health.put(backend(V2), DOWN)
    took = await scene.until(lambda: scene.weights() == (100, 0))

    assert took < 0.05
    await scene.stop()


@virtually
async def test_a_foreign_change_is_put_back_at_once() -> None:
    """Somebody else's weights last no longer than the event takes."""
    scene = await under_way()
    scene.routes.put(ROUTE, {V1: 50, V2: 50})
    took = await scene.until(lambda: scene.weights() == (90, 10))

    assert took < 0.05
    await scene.stop()


@virtually
async def test_a_policy_that_appears_makes_valid() -> None:
    """A Rollout whose policy is missing is Invalid, and works by itself when it is there."""
    ref = {"kind": "ClusterRolloutPolicy", "name": "ours"}
    scene = await prepared(policy=ref, steps=None)
    await scene.start()
    await scene.until_phase(Phase.INVALID)
    await scene.store.apply_policy(
        {"kind": "ClusterRolloutPolicy", "metadata": {"name": "ours"}, "spec": {"steps": [{"weight": 7, "hold": "1h"}]}}
    )
    await scene.until_phase(Phase.IDLE)
    await scene.tell("start", revision="2")
    await scene.until(lambda: scene.weights() == (93, 7))
    await scene.stop()


@virtually
async def test_a_route_that_appears_makes_valid() -> None:
    """A Rollout whose route is missing looks again when the route is made."""
    scene = await prepared()
    scene.routes.take_away(ROUTE)
    await scene.start()
    await scene.until_phase(Phase.INVALID)
    scene.routes.put(ROUTE, {V1: 100, V2: 0})

    assert await scene.until_phase(Phase.IDLE) < 0.1
    await scene.stop()


@virtually
async def test_an_invalid_rollout_still_hears_of_its_endpoints() -> None:
    """In the middle of an attempt a spec becomes invalid; lost endpoints abort nevertheless."""
    scene = await under_way()
    await scene.store.apply(manifest(steps=[{"weight": 500}]))
    await scene.until_phase(Phase.INVALID)
    scene.health.put(backend(V2), DOWN)
    took = await scene.until(lambda: scene.weights() == (100, 0))

    assert took < 0.05
    await scene.stop()


@virtually
async def test_a_backend_that_is_left_wakes_no_more() -> None:
    """After an edit to another canary, endpoints of the one before are no event."""
    scene = await standing()
    scene.routes.put(ROUTE, {V1: 100, V2: 0, "checkout-v3": 0})
    await scene.store.apply(manifest(backends={"stable": {"name": V1}, "canary": {"name": "checkout-v3"}}))
    await asyncio.sleep(1)
    passes = scene.controller.counts.passes
    scene.health.put(backend(V2), DOWN)
    await asyncio.sleep(1)

    assert scene.controller.counts.passes == passes
    await scene.stop()


# ---------------------------------------------------------------- commands


@virtually
async def test_a_command_is_carried_out_once() -> None:
    """The store is relieved of a command with the record that tells what became of it."""
    scene = await under_way()
    await scene.tell("pause", id="once")
    await scene.until_phase(Phase.PAUSED)
    stored = scene.store.read(KEY)
    assert stored is not None

    assert stored.command is None
    assert [done.id for done in scene.state.handled].count("once") == 1
    await scene.stop()


@virtually
async def test_an_id_that_was_handled_is_not_handled_again() -> None:
    """The same command a second time changes nothing."""
    scene = await under_way()
    await scene.tell("pause", id="once")
    await scene.until_phase(Phase.PAUSED)
    await scene.tell("resume")
    await scene.until_phase(Phase.PROGRESSING)
    await scene.tell("pause", id="once")
    await asyncio.sleep(30)

    assert scene.state.phase is Phase.PROGRESSING
    await scene.stop()


@virtually
async def test_a_refused_command_is_told_and_taken_away() -> None:
    """A command that is not legal is answered why, and does not wait for ever."""
    scene = await standing()
    await scene.tell("resume")
    await asyncio.sleep(1)
    stored = scene.store.read(KEY)
    assert stored is not None

    assert [told.handled.reason for told in scene.told if told.handled] == ["IllegalInPhase"]
    assert stored.command is None
    await scene.stop()
