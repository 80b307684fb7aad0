"""Facts about a controller that is one of several: it acts only for what it holds, at every step of a pass."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from types import MappingProxyType

from structlog.testing import capture_logs

from rollout.controller.passes import Told
from rollout.controller.readiness import Readiness
from rollout.engine.observation import RouteKey, RouteView, RuleWeights
from rollout.engine.reasons import Reason
from rollout.engine.table import Phase
from rollout.errors import NotOursError, Unavailable
from rollout.ports import Key, StoredRollout
from tests.controller.builders import (
    DOWN,
    ERRORS_ONLY,
    KEY,
    ROUTE,
    V1,
    V2,
    ContestedRoutes,
    Scene,
    backend,
    counting,
    manifest,
    prepared,
    virtually,
)
from tests.fakes.elector import FakeElector
from tests.fakes.store import FakeStore


class TellingStore(FakeStore):
    """A store as several replicas share one: each hears of what the others record.

    ``then`` happens after the next record; ``old`` is what is still read until a record showed that it is old.
    ``slow_seconds`` is how long a record takes, whoever cancels it, and ``gone`` says that it then finds nothing.
    """

    then: Callable[[], None] | None = None
    old: StoredRollout | None = None
    slow_seconds = 0.0
    gone = False

    def read(self, key: Key) -> StoredRollout | None:
        """Return the Rollout, or the older one."""
        return self.old if self.old is not None and self.old.key == key else super().read(key)

    async def record(self, key: Key, *, status: Mapping[str, object], expected: str) -> str:
        """Record, and tell everybody."""
        if self.slow_seconds:
            slow, self.slow_seconds = self.slow_seconds, 0.0
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(slow)
            if self.gone:
                await asyncio.sleep(1)
                raise NotOursError("gone")
        try:
            version = await super().record(key, status=status, expected=expected)
        finally:
            self.old = None
            if self.then is not None:
                self.then()
                self.then = None
        self.tell_all(key)
        return version

    def tell_all(self, key: Key) -> None:
        """Call all listeners."""
        for listener in self._listeners:
            listener(key)


class LateRoutes(ContestedRoutes):
    """Routes that count the writes that were begun."""

    begun = 0

    async def write(self, key: RouteKey, rules: Sequence[RuleWeights], *, expected: str) -> RouteView:
        """Write, counted."""
        self.begun += 1
        return await super().write(key, rules, expected=expected)


async def replica(
    spec: Mapping[str, object] = MappingProxyType({}), *, of: Scene | None = None, holds: bool = True
) -> tuple[Scene, FakeElector]:
    """Return a scene whose controller runs with an elector: in a world of its own, or in the world ``of`` another."""
    elector = FakeElector(everything=holds)
    if of is None:
        scene = await prepared(**spec)
        store = TellingStore()
        await store.apply(manifest(**spec))
        scene.store, scene.routes = store, LateRoutes()
        for route in (ROUTE, RouteKey("HTTPRoute", "shop", "checkout-web")):
            scene.routes.put(route, {V1: 100, V2: 0})
    else:
        scene = replace(of, told=[], gates=type(of.gates)(), _task=None, _controller=None)
    scene.elector = elector
    await scene.start()
    return scene, elector


async def under_way(**spec: object) -> tuple[Scene, FakeElector, TellingStore]:
    """Return a scene in step 1 of an attempt."""
    scene, elector = await replica(spec)
    await scene.until(lambda: bool(scene.state.stable))
    await scene.tell("start", revision="2")
    await scene.until(lambda: scene.weights()[1] > 0)
    await asyncio.sleep(1)
    assert isinstance(scene.store, TellingStore)
    return scene, elector, scene.store


# ---------------------------------------------------------------- what is not held


@virtually
async def test_nothing_is_done_for_what_is_not_held() -> None:
    """Neither at the start nor on an event is there a pass, a record, a write, a question or a call."""
    scene, _ = await replica({"analysis": ERRORS_ONLY}, holds=False)
    await scene.tell("start", revision="2")
    scene.routes.put(ROUTE, {V1: 50, V2: 50})
    scene.health.put(backend(V2), DOWN)
    await asyncio.sleep(3600)

    assert (scene.controller.counts.passes, scene.store.records, scene.routes.writes) == (0, [], [])
    assert (scene.measurements.asks, scene.gates.calls, scene.controller.states()) == ([], [], [])
    await scene.stop()


@virtually
async def test_what_is_gained_is_looked_at_at_once() -> None:
    """A command that waited is carried out as soon as somebody may act."""
    scene, elector = await replica(holds=False)
    await scene.tell("start", revision="2")
    elector.gain()
    took = await scene.until(lambda: scene.weights() == (90, 10))

    assert took < 0.1
    await scene.stop()


@virtually
async def test_what_is_lost_is_left_alone() -> None:
    """After a loss nothing is recorded or written, whatever happens, and no timer is left."""
    scene, elector, store = await under_way(analysis=ERRORS_ONLY)
    elector.lose()
    records, writes, asks = len(store.records), len(scene.routes.writes), len(scene.measurements.asks)
    scene.health.put(backend(V2), DOWN)
    await scene.tell("abort")
    await asyncio.sleep(3600)

    assert (len(store.records), len(scene.routes.writes), len(scene.measurements.asks)) == (records, writes, asks)
    assert scene.controller.state(KEY) is None
    await scene.stop()


@virtually
async def test_only_what_is_lost_is_dropped() -> None:
    """The Rollouts of other shards go on as they were."""
    scene, elector, store = await under_way()
    other = Key("shop", "search")
    await store.apply({**manifest(), "metadata": {"name": other.name, "namespace": other.namespace}})
    await scene.until(lambda: scene.controller.state(other) is not None)
    elector.gain(KEY)
    before = scene.controller.state(KEY)
    elector.lose(other)
    elector.gain(KEY)

    assert scene.controller.state(KEY) is before
    await scene.stop()


# ---------------------------------------------------------------- in the middle of a pass


@virtually
async def test_a_lease_that_ends_after_the_record_stops_the_write() -> None:
    """The deadline passed while the status was being written, and nobody was told yet: the weights stay."""
    scene, elector = await replica()
    store = scene.store
    assert isinstance(store, TellingStore)
    await scene.until(lambda: bool(scene.state.stable))
    store.then = lambda: setattr(elector, "is_late", True)
    with capture_logs() as lines:
        await scene.tell("start", revision="2")
        await asyncio.sleep(60)

    assert (scene.weights(), scene.routes.writes) == ((100, 0), [])
    assert [line["log_level"] for line in lines if line["event"] == "pass ended"] == ["info"]
    await scene.stop()


@virtually
async def test_a_lease_that_ends_during_a_write_ends_the_tries() -> None:
    """A conflict is not tried again by who may not act any more."""
    scene, elector = await replica()
    routes = scene.routes
    assert isinstance(routes, LateRoutes)
    await scene.until(lambda: bool(scene.state.stable))

    def others() -> None:
        elector.is_late = True
        routes.put(ROUTE, {V1: 100, V2: 0})

    routes.contest.append(others)
    await scene.tell("start", revision="2")
    await asyncio.sleep(60)

    assert (routes.begun, routes.writes) == (1, [])
    await scene.stop()


@virtually
async def test_a_write_under_way_ends_with_the_lease() -> None:
    """What is told lost is stopped where it is: a slow write does not come to an end later."""
    scene, elector = await replica()
    await scene.until(lambda: bool(scene.state.stable))
    scene.routes.slow_seconds = 5.0
    await scene.tell("start", revision="2")
    await scene.until(lambda: scene.routes.running == 1)
    elector.lose()
    await asyncio.sleep(60)

    assert (scene.routes.writes, scene.routes.running) == ([], 0)
    await scene.stop()


@virtually
async def test_an_abort_without_a_record_needs_the_lease() -> None:
    """An abort may be written although its record failed, but not by who may not act any more."""
    scene, elector, store = await under_way()
    store.fail(Unavailable("full"))
    store.then = lambda: setattr(elector, "is_late", True)
    records = len(store.records)
    scene.health.put(backend(V2), DOWN)
    await asyncio.sleep(60)

    assert (scene.weights(), len(store.records)) == ((90, 10), records)
    await scene.stop()


@virtually
async def test_a_pass_of_before_writes_nothing_beside_the_one_of_now() -> None:
    """What was lost and comes back is begun anew; a pass that outlives its loss does not act again."""
    scene, elector = await replica()
    store, routes = scene.store, scene.routes
    assert isinstance(store, TellingStore)
    assert isinstance(routes, LateRoutes)
    await scene.until(lambda: bool(scene.state.stable))
    store.slow_seconds = 5.0
    await scene.tell("start", revision="2")
    await asyncio.sleep(1)
    routes.slow_seconds = 1.0
    elector.lose()
    elector.gain()
    await asyncio.sleep(60)

    assert (routes.begun, routes.most_running, scene.weights()) == (1, 1, (90, 10))
    await scene.stop()


@virtually
async def test_a_pass_of_before_does_not_forget_the_one_of_now() -> None:
    """It finds its Rollout gone; the one that was begun anew stays."""
    scene, elector = await replica()
    store = scene.store
    assert isinstance(store, TellingStore)
    await scene.until(lambda: bool(scene.state.stable))
    store.slow_seconds, store.gone = 5.0, True
    await scene.tell("pause")
    await asyncio.sleep(1)
    elector.lose()
    elector.gain()
    await asyncio.sleep(5)

    assert scene.controller.state(KEY) is not None
    await scene.stop()


@virtually
async def test_a_rollout_is_not_removed_without_the_lease() -> None:
    """The one that acts now takes it away."""
    scene, elector = await replica()
    store = scene.store
    assert isinstance(store, TellingStore)
    await scene.until(lambda: bool(scene.state.stable))
    await scene.tell("pause")
    store.then = lambda: setattr(elector, "is_late", True)
    await store.mark_deleting(KEY)
    await asyncio.sleep(60)

    assert store.read(KEY) is not None
    await scene.stop()


@virtually
async def test_measurements_and_gates_end_with_the_lease() -> None:
    """A source or a gate that takes minutes is not waited for by who may not act."""
    gate = {"name": "ready", "url": "https://gate.example/"}
    scene, elector, _ = await under_way(analysis=ERRORS_ONLY, steps=[{"weight": 10, "hold": "1s", "gates": [gate]}])
    scene.measurements.slow_seconds = 600.0
    await scene.until(lambda: len(asyncio.all_tasks()) > 2)
    elector.lose()
    await asyncio.sleep(0.1)

    assert asyncio.all_tasks() == {asyncio.current_task(), scene._task}  # noqa: SLF001 - what runs besides
    await scene.stop()


# ---------------------------------------------------------------- gained


@virtually
async def test_what_others_did_meanwhile_counts() -> None:
    """What comes back is begun anew from the status, not from what was known before."""
    scene, elector, store = await under_way()
    elector.lose()
    found = store.read(KEY)
    assert found is not None
    paused = {**found.status, "phase": "Paused"}
    await store.record(KEY, status=paused, expected=found.version)
    elector.gain()
    await scene.until(lambda: scene.controller.state(KEY) is not None)

    assert scene.state.phase is Phase.PAUSED
    await scene.stop()


@virtually
async def test_an_old_status_moves_no_weights() -> None:
    """The status of who acted before may come late: before the first write a record must show that it is the newest."""
    scene, elector, store = await under_way(steps=[{"weight": 10, "hold": "1h"}, {"weight": 30, "hold": "1h"}])
    old = store.read(KEY)
    await scene.tell("promote")
    await scene.until(lambda: scene.weights() == (70, 30))
    await asyncio.sleep(1)
    elector.lose()
    store.old, writes = old, len(scene.routes.writes)
    elector.gain()
    await asyncio.sleep(60)

    assert (scene.weights(), len(scene.routes.writes)) == ((70, 30), writes)
    assert store.old is None
    assert scene.state.step == 2
    await scene.stop()


@virtually
async def test_an_unfinished_write_is_finished_only_by_the_newest_status() -> None:
    """A write that is still owed by an old status, and was taken back since, is not made."""
    scene, elector = await replica()
    store = scene.store
    assert isinstance(store, TellingStore)
    await scene.until(lambda: bool(scene.state.stable))
    scene.routes.down_routes.add(ROUTE)
    await scene.tell("start", revision="2")
    await asyncio.sleep(1)
    await scene.tell("pause")
    await asyncio.sleep(1)
    elector.lose()
    found = store.read(KEY)
    assert found is not None
    engine = found.status["engine"]
    assert isinstance(engine, dict)
    taken_back = {**found.status, "phase": "Aborted", "engine": {**engine, "share": 0.0, "revision": "2"}}
    await store.record(KEY, status=taken_back, expected=found.version)
    scene.routes.down_routes.clear()
    store.old = found
    elector.gain()
    await asyncio.sleep(60)

    assert (scene.routes.writes, scene.state.phase) == ([], Phase.ABORTED)
    await scene.stop()


@virtually
async def test_what_landed_after_the_gain_is_told() -> None:
    """The last record of who acted before may come after the gain; who waits here for its command hears of it."""
    scene, _ = await replica()
    heard: list[Told] = []
    scene.controller.subscribe(heard.append, elsewhere=True)
    await scene.until(lambda: bool(scene.state.stable))
    found = scene.store.read(KEY)
    assert found is not None
    done = {"id": "late", "action": "pause", "done": False, "reason": "IllegalInPhase", "message": "No."}
    await scene.store.record(KEY, status={**found.status, "handledCommands": [done]}, expected=found.version)
    await scene.until(lambda: bool(heard))

    assert [told.handled.id for told in heard if told.handled] == ["late"]
    await scene.stop()


@virtually
async def test_a_step_waits_for_a_sample_since_it_was_gained() -> None:
    """Who takes over in the middle of a step looks at fresh counters first, however long the process runs."""
    steps = [{"weight": 10, "hold": "10m"}]
    first, one = await replica({"analysis": {**ERRORS_ONLY, "minRequests": 1}, "steps": steps})
    second, two = await replica(of=first, holds=False)
    work = asyncio.create_task(counting(first))
    await first.until(lambda: bool(first.state.stable))
    await first.tell("start", revision="2")
    await first.until(lambda: first.state.evidence != (), within=300)
    await asyncio.sleep(550)
    work.cancel()
    one.lose()
    await asyncio.sleep(3600)
    two.gain()
    await asyncio.sleep(30)

    assert second.state.reason == Reason.WAITING_FOR_FRESH_TICK
    await first.stop()
    await second.stop()


# ---------------------------------------------------------------- standing by


@virtually
async def test_a_replica_that_stands_by_answers_from_the_store() -> None:
    """It has no live numbers; what is wanted and where it stands are known nevertheless, and it is ready."""
    first, _ = await replica()
    second, _ = await replica(of=first, holds=False)
    await first.until(lambda: bool(first.state.stable))
    ready = Readiness(second.controller, second.store, second.clock, asyncio.Event())
    look, wanted = second.controller.look(KEY), second.controller.effective(KEY)
    assert look is not None

    assert (second.controller.state(KEY), ready.why_not()) == (None, "")
    assert (look.state.stable, look.is_new) == (V1, False)
    assert wanted is not None
    assert second.controller.effective(Key("shop", "nobody")) is None
    await first.stop()
    await second.stop()


@virtually
async def test_what_another_replica_did_is_told_once() -> None:
    """Who waits here for a command hears what became of it there; what counts our own work hears nothing."""
    first, _ = await replica()
    second, _ = await replica(of=first, holds=False)
    heard: tuple[list[Told], list[Told]] = [], []
    first.controller.subscribe(heard[0].append, elsewhere=True)
    second.controller.subscribe(heard[1].append, elsewhere=True)
    await first.until(lambda: bool(first.state.stable))
    await second.tell("start", id="one", revision="2")
    await first.until(lambda: first.weights() == (90, 10))

    assert [told.handled.id for told in heard[0] if told.handled] == ["one"]
    assert [(told.transition, told.handled) for told in heard[1]] == [(t.transition, t.handled) for t in heard[0]]
    assert second.told == []
    await first.stop()
    await second.stop()


@virtually
async def test_the_work_changes_hands_in_the_middle_of_a_step() -> None:
    """Hold time goes on where it was, no step is skipped or repeated, and only one replica writes."""
    first, one = await replica({"steps": [{"weight": 10, "hold": "10m"}, {"weight": 50, "hold": "10m"}]})
    second, two = await replica(of=first, holds=False)
    await first.until(lambda: bool(first.state.stable))
    await first.tell("start", revision="2")
    await first.until(lambda: first.weights() == (90, 10))
    began = first.clock.now()
    await asyncio.sleep(300)
    one.lose()
    await asyncio.sleep(5)
    two.gain()
    await second.until(lambda: second.weights() == (50, 50), within=600)

    assert 595 < second.clock.now() - began < 610
    assert [writes[V2] for _, (writes,) in second.routes.writes] == [10, 50]
    await first.stop()
    await second.stop()
