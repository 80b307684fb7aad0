"""Facts about the controller when something fails: the store, a route, or a fault of ours."""

from __future__ import annotations

import asyncio

from rollout.controller.backoff import LONGEST_BACKOFF_SECONDS
from rollout.engine.table import Phase
from rollout.ports import Key
from tests.controller.builders import (
    DOWN,
    ERRORS_ONLY,
    KEY,
    ROUTE,
    V1,
    V2,
    WEB,
    Scene,
    backend,
    beside,
    counting,
    manifest,
    prepared,
    quietly,
    standing,
    under_way,
    virtually,
)

TWO_ROUTES = [{"kind": "HTTPRoute", "name": "checkout"}, {"kind": "HTTPRoute", "name": "checkout-web"}]


# ---------------------------------------------------------------- failures of the store


@virtually
async def test_a_conflict_on_the_record_is_decided_again() -> None:
    """When somebody else writes the status first, the pass runs again at once and the command is carried out once."""
    scene = await standing()
    scene.store.conflict_next(2)
    await scene.tell("start", revision="2")
    took = await scene.until(lambda: scene.weights() == (90, 10))

    assert took < 0.1
    assert scene.state.attempt == 1
    await scene.stop()


@virtually
async def test_conflicts_without_end_are_tried_with_gaps() -> None:
    """Somebody who always writes first does not make the controller run without a pause."""
    scene = await standing()
    scene.store.conflict_next(100)
    failures = scene.controller.counts.failures
    await scene.tell("start", revision="2")
    await asyncio.sleep(60)

    assert scene.controller.counts.failures - failures < 30
    await scene.stop()


@virtually
async def test_a_store_that_comes_back_is_used_within_seconds() -> None:
    """What had to wait for the store is done at most 5 s after its return."""
    scene = await standing()
    await scene.tell("start", revision="2")
    scene.store.down = True
    await asyncio.sleep(200)
    assert scene.weights() == (100, 0)
    scene.store.down = False

    assert await scene.until(lambda: scene.weights() == (90, 10)) <= 5
    await scene.stop()


@virtually
async def test_an_abort_is_recorded_when_the_store_comes_back() -> None:
    """An abort that could not be recorded acts at once, and is in the status within 5 s of the store's return."""
    scene = await under_way()
    scene.store.down = True
    scene.health.put(backend(V2), DOWN)
    assert await scene.until(lambda: scene.weights() == (100, 0)) < 0.3
    await asyncio.sleep(300)
    scene.store.down = False
    took = await scene.until(lambda: scene.store.records[-1][1]["phase"] == "Aborted")

    assert took <= 5
    await scene.stop()


@virtually
async def test_what_is_refused_for_good_is_tried_rarely() -> None:
    """A right that was lost is not asked for thousands of times an hour, and yet found once it is back."""
    scene = await standing()
    scene.store.refusing = True
    failures = scene.controller.counts.failures
    await scene.tell("start", revision="2")
    await asyncio.sleep(3600)
    failures, records = scene.controller.counts.failures - failures, len(scene.store.records)
    scene.store.refusing = False

    assert 10 < failures < 50
    assert await scene.until(lambda: len(scene.store.records) > records, within=300) < 240
    await scene.stop()


@virtually
async def test_an_abort_that_may_not_be_recorded_is_tried_rarely_after_its_first_minute() -> None:
    """The weights are back; the status is tried soon at first, and then every few minutes."""
    scene = await under_way()
    scene.store.refusing = True
    scene.health.put(backend(V2), DOWN)
    await scene.until(lambda: scene.weights() == (100, 0))
    passes = scene.controller.counts.passes
    await asyncio.sleep(60)
    in_a_minute = scene.controller.counts.passes - passes
    await asyncio.sleep(3600)
    in_an_hour = scene.controller.counts.passes - passes
    scene.store.refusing = False

    assert in_a_minute >= 20
    assert in_an_hour - in_a_minute < 40
    assert await scene.until(lambda: scene.store.records[-1][1]["phase"] == "Aborted", within=300) < 240
    await scene.stop()


@virtually
async def test_a_status_that_cannot_be_read_is_adopted_anew() -> None:
    """A status that somebody broke is none: the roles are read from the weights."""
    scene = await prepared()
    stored = scene.store.read(KEY)
    assert stored is not None
    await scene.store.record(KEY, status={"phase": "Nonsense", "transitions": []}, expected=stored.version)
    await scene.start()

    assert (scene.state.phase, scene.state.stable) == (Phase.IDLE, V1)
    await scene.stop()


@virtually
async def test_a_status_that_is_ahead_of_ours_is_taken_over() -> None:
    """When another replica recorded a transition, the next pass goes on from there."""
    scene = await under_way()
    await scene.tell("pause")
    await scene.until_phase(Phase.PAUSED)
    stored = scene.store.read(KEY)
    assert stored is not None
    other = Scene(clock=scene.clock, store=scene.store, routes=scene.routes, health=scene.health)
    await other.start()
    await other.tell("resume", id="by-the-other")
    await scene.until_phase(Phase.PROGRESSING)

    assert scene.state.number == other.state.number
    await other.stop()
    await scene.stop()


# ---------------------------------------------------------------- failures of routes


@virtually
async def test_a_route_that_cannot_be_written_is_tried_again() -> None:
    """As long as a write fails it is tried with growing gaps, and done soon after it can be."""
    scene = await standing()
    scene.routes.down_routes = {ROUTE}
    await scene.tell("start", revision="2")
    await asyncio.sleep(120)
    scene.routes.down_routes = set()

    assert await scene.until(lambda: scene.weights() == (90, 10)) <= LONGEST_BACKOFF_SECONDS + 0.1
    await scene.stop()


@virtually
async def test_a_route_that_is_not_read_yet_changes_no_phase() -> None:
    """An attempt that runs goes on once it is known how the route is, and is never called invalid meanwhile."""
    scene = await under_way()
    scene.routes.unread = {WEB}
    scene.routes.take_away(WEB)
    await scene.store.apply(manifest(routes=TWO_ROUTES))
    await asyncio.sleep(60)
    phases = {told.transition.phase for told in scene.told if told.transition is not None}
    scene.routes.put(WEB, {V1: 100, V2: 0})
    await scene.until(lambda: scene.weights(WEB) == (90, 10))

    assert Phase.INVALID not in phases
    await scene.stop()


@virtually
async def test_harm_is_seen_although_another_route_cannot_be_written() -> None:
    """Of two routes one has its weight: its canary is judged, and rolled back for its errors."""
    scene = await standing(analysis=ERRORS_ONLY, routes=TWO_ROUTES)
    scene.routes.down_routes = {WEB}
    await scene.tell("start", revision="2")
    await scene.until(lambda: scene.weights() == (90, 10))

    await beside(counting(scene, bad=5), scene, lambda: scene.weights() == (100, 0), within=300)
    await scene.stop()


@virtually
async def test_a_pass_waits_for_the_one_before() -> None:
    """However many events come while a write takes long, one pass runs at a time."""
    scene = await standing()
    scene.routes.slow_seconds = 5
    await scene.tell("start", revision="2")
    for _ in range(20):
        await asyncio.sleep(0.1)
        scene.controller.wake(KEY)
    await scene.until(lambda: scene.weights() == (90, 10))

    assert scene.routes.most_running == 1
    await scene.stop()


@virtually
async def test_a_slow_rollout_delays_no_other() -> None:
    """While one Rollout's write takes a minute, another one aborts in milliseconds."""
    scene = await under_way()
    other = {**manifest(routes=TWO_ROUTES[1:]), "metadata": {"name": "other", "namespace": "shop"}}
    await scene.store.apply(other)
    await asyncio.sleep(1)
    scene.routes.slow_seconds = 60
    await scene.tell("start", key=Key("shop", "other"), revision="2")
    await asyncio.sleep(1)
    scene.routes.slow_seconds = 0
    scene.health.put(backend(V2), DOWN)
    took = await scene.until(lambda: scene.weights() == (100, 0))

    assert took < 0.05
    await scene.stop()


# ---------------------------------------------------------------- faults of ours


@virtually
@quietly
async def test_an_unexpected_error_is_counted_and_the_others_go_on() -> None:
    """A fault in one Rollout's pass is logged and tried again; another Rollout is not touched by it."""
    scene = await under_way()
    broken = {**manifest(routes=TWO_ROUTES[1:]), "metadata": {"name": "other", "namespace": "shop"}}
    scene.health.fault = backend("broken")
    broken["spec"] = {**manifest()["spec"], "backends": {"stable": {"name": V1}, "canary": {"name": "broken"}}}  # type: ignore[dict-item]
    await scene.store.apply(broken)
    await asyncio.sleep(30)
    failures = scene.controller.counts.failures
    await scene.tell("pause")
    await scene.until_phase(Phase.PAUSED)

    assert 2 < failures < 60
    await scene.stop()


@virtually
async def test_lateness_is_counted() -> None:
    """The controller knows how late its passes began; over fakes they are on time."""
    scene = await under_way()

    assert scene.controller.counts.latest_seconds < 0.01
    await scene.stop()


@virtually
async def test_first_looks_of_many_are_spread() -> None:
    """Many Rollouts are not all looked at in one moment after a start, and yet within two seconds."""
    scene = await prepared()
    for number in range(300):
        await scene.store.apply({**manifest(), "metadata": {"name": f"r{number}", "namespace": "shop"}})
    ports_started = scene.clock.now()
    await scene.start()
    await scene.until(lambda: scene.controller.counts.passes >= 301, within=3)

    assert scene.clock.now() - ports_started <= 2.1
    await scene.stop()
