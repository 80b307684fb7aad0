"""Facts about failover as the controller does it: soon, once, and whatever else is slow, in virtual time."""

from __future__ import annotations

import asyncio

import pytest

from rollout.analysis.samples import ERRORS
from rollout.engine.observation import Endpoints, RouteKey
from rollout.engine.table import Phase
from rollout.errors import Unavailable
from rollout.failover.reasons import Reason
from rollout.failover.table import Stage
from rollout.ports import Key
from tests.controller.builders import DOWN, ERRORS_ONLY, KEY, ROUTE, UP, V1, V2, Scene, backend, beside, virtually
from tests.controller.failing import (
    ALL,
    DR,
    ENDPOINTS,
    METRICS,
    PROBE,
    HandSwitch,
    answering,
    failing_over,
    lose,
    many,
    stage,
    state_of,
    targets_of,
    watching,
    world,
)
from tests.fakes.elector import FakeElector
from tests.fakes.measurements import TOTAL

BOTH = {**ENDPOINTS, **METRICS}


async def failed_over(scene: Scene, *, within: float = 10.0) -> float:
    """Wait until all weight is on the backup."""
    return await scene.until(lambda: scene.weights() == (0, 0, 100), within=within)


# ---------------------------------------------------------------- signals


@virtually
async def test_a_primary_without_endpoints_is_left_with_one_write() -> None:
    """The move comes when it is confirmed, and nothing more is written after it."""
    scene = await watching()
    lose(scene)
    took = await failed_over(scene)
    writes = len(scene.routes.writes)
    await asyncio.sleep(60)

    assert 1.0 <= took < 1.1
    assert (writes, len(scene.routes.writes)) == (1, 1)
    assert stage(scene) is Stage.FAILED_OVER
    await scene.stop()


@virtually
async def test_a_primary_that_answers_probes_badly_is_left() -> None:
    """Its pods are ready all the same; the status names the answers."""
    scene = await watching({**ENDPOINTS, **PROBE})
    for name in ALL:
        scene.health.put(backend(name), UP, *targets_of(name))
    ill: set[str] = set()
    answers = asyncio.create_task(answering(scene, ill))
    await asyncio.sleep(5)
    ill.add(V1)
    took = await failed_over(scene)
    answers.cancel()

    assert took < 2.5
    assert any("answered 500" in transition.message for transition in scene.state.transitions)
    await scene.stop()


@virtually
async def test_a_primary_whose_requests_fail_is_left() -> None:
    """Nobody asks for an attempt: requests are counted at failover's own pace."""
    scene = await watching(BOTH)

    async def requests() -> None:
        total = bad = 0
        while True:
            now = scene.clock.now()
            scene.measurements.count(V1, TOTAL, now, total)
            scene.measurements.count(V1, ERRORS, now, bad)
            total, bad = total + 100, bad + (100 if now >= broken_at else 0)
            await asyncio.sleep(5)

    broken_at = scene.clock.now() + 120
    await beside(requests(), scene, lambda: scene.weights() == (0, 0, 100), within=200)

    assert 12 < scene.clock.now() - broken_at < 12 + 5 + 10 + 1.1
    assert any("requests bad" in transition.message for transition in scene.state.transitions)
    await scene.stop()


@virtually
async def test_a_source_that_fails_is_told_and_moves_nothing() -> None:
    """The metrics signal says nothing then; the condition says that it cannot be had."""
    scene = await watching(BOTH)
    scene.measurements.error = Unavailable("Prometheus cannot be reached")
    await asyncio.sleep(30)
    ready = {condition.type: condition for condition in scene.state.conditions}["FailoverReady"]

    assert scene.weights() == (100, 0, 0)
    assert (ready.status, ready.reason) == ("False", "SignalUnavailable")
    assert "Prometheus cannot be reached" in ready.message
    await scene.stop()


@virtually
async def test_a_source_that_hangs_delays_no_failover() -> None:
    """Ten minutes for an answer are no matter to endpoints, during an attempt that is measured, too."""
    scene = await world((failing_over(BOTH, spec={"analysis": ERRORS_ONLY}), ROUTE))
    scene.measurements.slow_seconds = 600
    await scene.start()
    await scene.until(lambda: bool(scene.state.stable))
    await scene.tell("start", revision="2")
    await scene.until(lambda: scene.weights() == (90, 10, 0))
    await asyncio.sleep(40)
    lose(scene)
    took = await failed_over(scene)

    assert took < 1.1
    assert scene.state.phase is Phase.PROGRESSING
    await scene.stop()


@virtually
async def test_what_is_scaled_to_zero_on_purpose_is_no_failure() -> None:
    """The annotation of the Rollout says so; the failover is told apart, and not counted."""
    document = failing_over()
    scene = await world((document, ROUTE))
    await scene.start()
    await scene.until(lambda: bool(scene.state.stable))
    metadata = document["metadata"]
    assert isinstance(metadata, dict)
    await scene.store.apply(
        {**document, "metadata": {**metadata, "annotations": {"rollout.dev/maintenance": f" {V1} ,"}}}
    )
    scene.health.put(backend(V1), Endpoints(0, 0))
    await failed_over(scene)

    assert scene.state.failover.reason in {Reason.MAINTENANCE, Reason.ON_BACKUP}
    assert scene.state.failover.failovers == ()
    await scene.stop()


# ---------------------------------------------------------------- many Rollouts


@virtually
async def test_a_primary_of_many_routes_is_asked_once_and_left_by_all() -> None:
    """Thirty-five Rollouts: one question to each backend, one health, thirty-five writes within two seconds."""
    scene = await world(*many(35, shared=True, signals={**ENDPOINTS, **PROBE}))
    for name in ALL:
        scene.health.put(backend(name), UP, *targets_of(name))
    await scene.start()
    ill: set[str] = set()
    answers = asyncio.create_task(answering(scene, ill))
    await asyncio.sleep(10)
    asks = list(scene.probes.wanted)
    ill.add(V1)
    took = await scene.until(lambda: len(scene.routes.writes) == 35, within=10)
    answers.cancel()
    since = {
        reading.since
        for place in range(35)
        for reading in scene.controller.look(Key("shop", f"shop-{place}")).failover.backends[V1].readings  # type: ignore[union-attr]
        if reading.signal == "probe"
    }

    assert sorted(ask.backend.name for ask in asks) == sorted(ALL)
    assert took < 1 + 2
    assert len(since) == 1
    assert all(stage(scene, Key("shop", f"shop-{place}")) is Stage.FAILED_OVER for place in range(35))
    await scene.stop()


@virtually
async def test_the_routes_of_one_rollout_are_written_together_and_told_once() -> None:
    """Thirty-five routes, each slow to write: one decision, one transition for people, no route behind another."""
    document = failing_over()
    spec = document["spec"]
    assert isinstance(spec, dict)
    spec["routes"] = [{"kind": "HTTPRoute", "name": f"route-{place}"} for place in range(35)]
    scene = await world((document, ROUTE))
    for place in range(35):
        scene.routes.put(RouteKey("HTTPRoute", "shop", f"route-{place}"), {V1: 100, V2: 0, DR: 0})
    scene.routes.slow_seconds = 0.5
    await scene.start()
    await scene.until(lambda: bool(scene.state.stable))
    lose(scene)
    took = await scene.until(lambda: len(scene.routes.writes) == 35)
    await asyncio.sleep(10)
    told = [told for told in scene.told if told.transition is not None and told.transition.reason == Reason.FAILED_OVER]

    assert took < 1 + 2
    assert len(told) == 1
    await scene.stop()


@virtually
async def test_only_so_many_primaries_fail_over_at_once() -> None:
    """Twenty die in one moment, seen by one signal: a share of them goes, and time alone lets no more go."""
    limit = {"maxPercent": 30, "within": "60s", "atLeast": 5}
    signals = {**ENDPOINTS, **METRICS}
    scene = await world(*many(20, signals=signals, fleetLimit=limit))
    scene.routes.slow_seconds = 0.2
    await scene.start()
    await asyncio.sleep(5)
    for place in range(20):
        lose(scene, f"{V1}-{place}")
    await asyncio.sleep(20)
    keys = [Key("shop", f"shop-{place}") for place in range(20)]
    gone = [key for key in keys if stage(scene, key) is Stage.FAILED_OVER]
    waiting = {state_of(scene, key).failover.reason for key in keys if key not in gone}
    await asyncio.sleep(60)
    later = [key for key in keys if stage(scene, key) is Stage.FAILED_OVER]

    assert len(gone) == 6
    assert waiting == {Reason.SUSPECT_OBSERVER}
    assert later == gone
    await scene.stop()


@virtually
async def test_failover_goes_before_the_first_passes_of_others() -> None:
    """Three hundred Rollouts are new to a slow store; the one whose primary was down before is not behind them."""
    scene = await watching(confirmFor="5s")
    lose(scene)
    await scene.until(lambda: stage(scene) is Stage.CONFIRMING)
    await scene.stop()
    for document, route in many(300, signals=ENDPOINTS):
        await world((document, route), scene=scene)
    record = scene.store.record

    async def slow_record(key: Key, **written: object) -> str:
        await asyncio.sleep(1.0 if key != KEY else 0.0)
        return await record(key, **written)  # type: ignore[arg-type]

    scene.store.record = slow_record  # type: ignore[method-assign]
    keys = scene.store.keys
    scene.store.keys = lambda: reversed(tuple(keys()))  # type: ignore[method-assign]
    began = scene.clock.now()
    await scene.start()
    await failed_over(scene)

    assert scene.clock.now() - began < 5.1
    await scene.stop()


# ---------------------------------------------------------------- what is slow, old or gone


@virtually
async def test_a_store_that_fails_does_not_hold_the_weights_up() -> None:
    """The write comes first then, and the record when it can."""
    scene = await watching(confirmFor="0s")
    scene.store.down = True
    lose(scene)
    took = await failed_over(scene)
    scene.store.down = False
    await scene.until(lambda: scene.store.records[-1][1].get("failover", {}).get("phase") == "FailedOver")

    assert took < 0.5
    await scene.stop()


@virtually
async def test_nothing_is_written_on_what_is_not_known() -> None:
    """Caches that are not synced yet, or have not heard anything for long, speak for nobody."""
    scene = await world((failing_over(), ROUTE))
    scene.health.put(backend(V1), DOWN)
    scene.health.heard_at = scene.clock.now() - 31
    await scene.start()
    await asyncio.sleep(60)
    before = list(scene.routes.writes)
    scene.health.heard_at = None
    scene.health.put(backend(V2), DOWN)
    took = await failed_over(scene)

    assert before == []
    assert took < 1.1
    await scene.stop()


@virtually
async def test_silence_that_ends_is_noticed_though_nothing_changed() -> None:
    """Nobody tells of it; until then nobody knows, and the condition says so."""
    scene = await watching()
    scene.health.heard_at = scene.clock.now()
    await asyncio.sleep(32)
    silent = scene.state.failover.reason
    scene.health.heard_at = None
    took = await scene.until(lambda: scene.state.failover.reason == Reason.WATCHING)

    assert silent == Reason.BLIND
    assert took < 6
    await scene.stop()


@virtually
async def test_at_rest_there_are_no_passes() -> None:
    """What is heard again and again, and says the same, is no reason for one."""
    scene = await watching()
    await asyncio.sleep(60)
    passes = scene.controller.counts.passes
    await asyncio.sleep(3600)

    assert scene.controller.counts.passes == passes
    await scene.stop()


@virtually
async def test_a_failback_goes_on_where_it_was_after_a_restart() -> None:
    """The second step of the way back is not the first once more."""
    back = {"stableFor": "10s", "steps": [10, 50, 100], "stepInterval": "30s"}
    scene = await watching(failback=back, damping={"cooldown": "0s"})
    lose(scene)
    await failed_over(scene)
    scene.health.put(backend(V1), UP)
    await scene.until(lambda: scene.weights() == (50, 0, 50), within=120)
    await scene.stop()
    written = len(scene.routes.writes)
    await scene.start()
    await scene.until(lambda: stage(scene) is Stage.NORMAL, within=90)

    assert len(scene.routes.writes) == written + 1
    assert scene.weights() == (100, 0, 0)
    await scene.stop()


@virtually
async def test_the_switch_stops_and_wakes() -> None:
    """What waits for the operator goes on as soon as that is over, and not with the next event."""
    switch = HandSwitch()
    scene = Scene(switch=switch)
    await watching(scene=scene)
    switch.turn("olga stopped all automatic failover.")
    lose(scene)
    await asyncio.sleep(30)
    stopped = scene.weights()
    switch.turn("")
    took = await failed_over(scene)

    assert stopped == (100, 0, 0)
    assert took < 0.1
    await scene.stop()


@virtually
async def test_whoever_may_not_act_probes_nothing() -> None:
    """With the Lease the questions go, and nothing is told as if it were still looked at."""
    elector = FakeElector(everything=True)
    scene = await watching({**ENDPOINTS, **PROBE, **METRICS}, scene=Scene(elector=elector))
    await asyncio.sleep(1)
    wanted = {ask.backend.name for ask in scene.probes.wanted}
    elector.lose()
    await asyncio.sleep(1)
    asked = len(scene.measurements.asks)
    await asyncio.sleep(60)
    look = scene.controller.look(KEY)

    assert wanted == set(ALL)
    assert (scene.probes.wanted, len(scene.measurements.asks)) == ({}, asked)
    assert look is not None
    assert look.failover is None
    await scene.stop()


@virtually
async def test_a_look_has_what_each_signal_says() -> None:
    """With the evidence, for those who ask why."""
    scene = await watching({**ENDPOINTS, **PROBE})
    await asyncio.sleep(1)
    look = scene.controller.look(KEY)
    assert look is not None
    assert look.failover is not None
    told = {name: [reading.evidence for reading in seen.readings] for name, seen in look.failover.backends.items()}

    assert sorted(told) == sorted(ALL)
    assert told[DR][0] == "2 of 2 ready"
    assert "targets healthy" in told[DR][1]
    await scene.stop()


@virtually
async def test_targets_are_probed_where_they_are_now() -> None:
    """Other endpoints are other targets, at once."""
    scene = await watching({**ENDPOINTS, **PROBE})
    scene.health.put(backend(V1), UP, *targets_of(V1))
    await asyncio.sleep(0.1)
    (ask,) = [ask for ask in scene.probes.wanted if ask.backend.name == V1]

    assert scene.probes.wanted[ask] == targets_of(V1)
    await scene.stop()


@virtually
async def test_a_rollout_without_failover_looks_at_nothing() -> None:
    """Taken out of the spec, its probes end with it."""
    scene = await watching({**ENDPOINTS, **PROBE})
    document = failing_over()
    spec = document["spec"]
    assert isinstance(spec, dict)
    del spec["failover"]
    await scene.store.apply(document)
    await asyncio.sleep(1)
    look = scene.controller.look(KEY)

    assert scene.probes.wanted == {}
    assert look is not None
    assert look.failover is None
    await scene.stop()


@pytest.mark.parametrize("signals", [ENDPOINTS, {**ENDPOINTS, **PROBE}])
def test_deletion_lets_go_of_everything(signals: dict[str, object]) -> None:
    """Of a Rollout that is gone nothing is asked any more."""

    @virtually
    async def play() -> None:
        scene = await watching(signals)
        await scene.store.mark_deleting(KEY)
        await scene.until(lambda: scene.store.read(KEY) is None)
        await asyncio.sleep(1)

        assert scene.probes.wanted == {}
        await scene.stop()

    play()
