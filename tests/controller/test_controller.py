"""Facts about the controller as a whole: the shipped one over fakes, in virtual time."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from rollout.controller.controller import LONGEST_BACKOFF_SECONDS
from rollout.engine.observation import Acceptance, BackendKey, GateAnswer
from rollout.engine.reasons import Reason
from rollout.engine.table import Phase
from rollout.errors import SourceTimeout, Unavailable
from rollout.ports import Key
from tests.controller.builders import (
    DOWN,
    ERRORS_ONLY,
    KEY,
    ROUTE,
    UP,
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

GATE = {"url": "https://ci.example/ok", "name": "ci"}
NO = GateAnswer(agrees=False, message="answered 403")
TWO_ROUTES = [{"kind": "HTTPRoute", "name": "checkout"}, {"kind": "HTTPRoute", "name": "checkout-web"}]


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

    assert [told.refused.reason for told in scene.told if told.refused] == ["IllegalInPhase"]
    assert stored.command is None
    await scene.stop()


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


# ---------------------------------------------------------------- stopping and removal


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
    await scene.store.remove(KEY)
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
    await scene.store.remove(KEY)
    scene.controller.wake(KEY)
    await asyncio.sleep(120)

    assert scene.controller.state(KEY) is None
    await scene.stop()


# ---------------------------------------------------------------- measurements


@virtually
async def test_counters_are_asked_for_once_in_a_cadence() -> None:
    """While the canary has weight there is one question for each new sample, and no burst."""
    scene = await under_way(analysis=ERRORS_ONLY)
    await beside(counting(scene), scene, lambda: len(scene.measurements.asks) >= 20, within=300)

    assert scene.clock.now() - scene.state.started_at >= 180
    await scene.stop()


@virtually
async def test_a_dead_source_is_not_asked_in_a_hurry() -> None:
    """A source without new samples is asked once in a cadence, not more."""
    scene = await under_way(analysis=ERRORS_ONLY)
    scene.count(1, 1)
    await asyncio.sleep(600)

    assert len(scene.measurements.asks) <= 62
    await scene.stop()


@virtually
async def test_a_look_comes_just_after_the_sample() -> None:
    """The question follows the newest sample by well under a second, whatever the moment of the first one."""
    scene = await under_way(analysis=ERRORS_ONLY)
    counter = asyncio.create_task(counting(scene))
    await asyncio.sleep(57)
    sampled = scene.measurements
    before = len(sampled.asks)
    newest = max(at for samples in sampled._samples.values() for at, _ in samples)  # noqa: SLF001 - the fake's own
    await scene.until(lambda: len(sampled.asks) > before, within=15)
    late = (scene.clock.now() - newest) % 10
    counter.cancel()

    assert late < 1
    await scene.stop()


@virtually
async def test_evidence_of_errors_aborts() -> None:
    """A canary that fails a third of its requests is rolled back within a few samples."""
    scene = await under_way(analysis=ERRORS_ONLY)
    await beside(counting(scene, bad=4), scene, lambda: scene.weights() == (100, 0), within=120)

    assert scene.state.reason == "EvidenceOfErrors"
    await scene.stop()


@pytest.mark.parametrize(
    ("error", "reason"), [(Unavailable("refused"), "SourceDown"), (SourceTimeout("too slow"), "SourceSlow")]
)
def test_a_source_that_fails_holds_with_its_reason(error: Exception, reason: str) -> None:
    """A source that is down or slow moves nothing: the step holds, and says why."""

    @virtually
    async def story() -> None:
        scene = await under_way(analysis=ERRORS_ONLY, steps=[{"weight": 10, "hold": "60s"}, {"weight": 50}])
        scene.measurements.error = error
        await asyncio.sleep(600)

        assert (scene.state.reason, scene.weights()) == (reason, (90, 10))
        await scene.stop()

    story()


@virtually
@quietly
async def test_a_source_with_a_fault_of_its_own_is_asked_again() -> None:
    """An error that nobody named is logged, holds like a source that is down, and ends with it."""
    scene = await under_way(analysis=ERRORS_ONLY)
    scene.measurements.error = RuntimeError("a fault in an adapter")
    await asyncio.sleep(120)
    assert scene.state.reason == "SourceDown"
    scene.measurements.error = None

    await beside(counting(scene, bad=4), scene, lambda: scene.weights() == (100, 0), within=120)
    await scene.stop()


@virtually
async def test_another_canary_in_the_middle_breaks_nothing() -> None:
    """An edit to another canary during an attempt is Invalid; the canary at work is still judged."""
    scene = await under_way(analysis=ERRORS_ONLY)
    scene.routes.put(ROUTE, {V1: 90, V2: 10, "checkout-v3": 0})
    await scene.store.apply(
        manifest(analysis=ERRORS_ONLY, backends={"stable": {"name": V1}, "canary": {"name": "checkout-v3"}})
    )
    await scene.until_phase(Phase.INVALID)

    await beside(counting(scene, bad=4), scene, lambda: scene.weights()[1] == 0, within=120)
    assert scene.measurements.asks[-1].canary == backend(V2)
    await scene.stop()


@virtually
async def test_a_source_that_cannot_be_asked_again_is_kept_with_the_store() -> None:
    """For a source without a past, the judge's state is kept after each sample."""
    scene = await prepared(analysis=ERRORS_ONLY)
    scene.measurements = type(scene.measurements)(replays=False)
    await scene.start()
    await scene.tell("start", revision="2")
    await scene.until(lambda: scene.weights() == (90, 10))
    await beside(counting(scene), scene, lambda: len(scene.store.checkpoints) >= 3, within=60)
    await scene.stop()


@virtually
async def test_a_checkpoint_that_fails_stops_nothing() -> None:
    """When the checkpoint cannot be kept, the pass goes on."""
    scene = await prepared(analysis=ERRORS_ONLY)
    scene.measurements = type(scene.measurements)(replays=False)
    await scene.start()
    await scene.tell("start", revision="2")
    await scene.until(lambda: scene.weights() == (90, 10))
    counter = asyncio.create_task(counting(scene, bad=4))
    await asyncio.sleep(2)
    scene.store.down = True
    await scene.until(lambda: scene.weights() == (100, 0), within=120)
    counter.cancel()
    await scene.stop()


# ---------------------------------------------------------------- gates


@virtually
async def test_gates_are_asked_when_nothing_else_is_left() -> None:
    """As long as hold time is left no gate is called; then it is, once, and the step is left."""
    scene = await under_way(steps=[{"weight": 10, "hold": "60s", "gates": [GATE]}, {"weight": 50, "hold": "1h"}])
    await asyncio.sleep(50)
    assert scene.gates.calls == []
    await scene.until(lambda: scene.weights() == (50, 50))

    assert len(scene.gates.calls) == 1
    assert {"name": "checkout", "step": 1, "weight": 10}.items() <= scene.gates.calls[0][1].items()
    await scene.stop()


@virtually
async def test_no_gate_is_asked_while_the_judge_holds() -> None:
    """As long as the source is down or the requests are too few, no gate is called."""
    steps = [{"weight": 10, "gates": [GATE]}, {"weight": 50, "hold": "1h"}]
    scene = await under_way(steps=steps, analysis=ERRORS_ONLY)
    scene.measurements.error = Unavailable("refused")
    await asyncio.sleep(300)
    assert scene.state.reason == "SourceDown"
    asked = len(scene.gates.calls)
    await asyncio.sleep(3600)
    assert len(scene.gates.calls) == asked
    scene.measurements.error = None

    await beside(counting(scene, canary=30), scene, lambda: scene.weights() == (50, 50), within=120)
    await scene.stop()


@virtually
async def test_a_gate_that_refuses_is_asked_once_in_a_cadence() -> None:
    """A no is not the end: the gate is asked again and again, and a yes is heard within a cadence."""
    scene = await under_way(steps=[{"weight": 10, "gates": [GATE]}, {"weight": 50, "hold": "1h"}])
    scene.gates.answers[GATE["url"]] = NO
    await asyncio.sleep(1)
    before = len(scene.gates.calls)
    await asyncio.sleep(100)
    asked = len(scene.gates.calls) - before
    scene.gates.answers.clear()

    assert asked == pytest.approx(10, abs=1) or scene.weights() == (50, 50)
    await scene.stop()


@virtually
async def test_a_refusal_is_told_with_its_answer() -> None:
    """The message says which gate and what it answered."""
    scene = await standing(hooks={"beforeStart": [GATE]})
    scene.gates.answers[GATE["url"]] = NO
    await scene.tell("start", revision="2")
    await asyncio.sleep(5)

    assert (scene.state.reason, scene.state.message) == (Reason.WAITING_FOR_GATE, "Gate ci: answered 403.")
    await scene.stop()


@virtually
async def test_an_agreement_is_not_kept_for_later() -> None:
    """A yes that was given before something else held the step up is asked for again."""
    scene = await standing(steps=[{"weight": 10, "gates": [GATE]}, {"weight": 50, "hold": "1h"}])
    scene.gates.answers[GATE["url"]] = NO
    await scene.tell("start", revision="2")
    await scene.until(lambda: bool(scene.gates.calls))
    scene.gates.answers.clear()
    calls = len(scene.gates.calls)
    scene.gates.hold = asyncio.Event()
    await scene.until(lambda: len(scene.gates.calls) > calls)
    scene.routes.accept(ROUTE, Acceptance.PENDING)
    await asyncio.sleep(1)
    scene.gates.hold.set()
    await asyncio.sleep(3600)
    scene.gates.answers[GATE["url"]] = NO
    scene.routes.accept(ROUTE, Acceptance.ACCEPTED)
    await asyncio.sleep(60)

    assert scene.weights() == (90, 10)
    await scene.stop()


@virtually
@quietly
async def test_a_gate_with_a_fault_of_its_own_says_no() -> None:
    """An error that nobody named is logged and holds; the gate is asked again."""
    scene = await standing(hooks={"beforeStart": [GATE]})
    scene.gates.error = RuntimeError("a fault in an adapter")
    await scene.tell("start", revision="2")
    await asyncio.sleep(60)
    assert scene.weights() == (100, 0)
    scene.gates.error = None

    await scene.until(lambda: scene.weights() == (90, 10))
    await scene.stop()


@virtually
async def test_the_rollback_hook_is_called_once() -> None:
    """An abort calls the gates of `onRollback` once, with the reason."""
    scene = await under_way(hooks={"onRollback": [GATE]})
    await scene.tell("abort")
    await scene.until_phase(Phase.ABORTED)
    await asyncio.sleep(60)

    assert [(url, body["reason"]) for url, body in scene.gates.calls] == [(GATE["url"], "AbortedByCommand")]
    await scene.stop()


@virtually
async def test_a_rollback_waits_for_no_hook() -> None:
    """A hook that does not answer delays no weight."""
    scene = await under_way(hooks={"onRollback": [GATE]})
    scene.gates.hold = asyncio.Event()
    await scene.tell("abort")
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


def test_a_backend_key_is_what_fakes_use() -> None:
    """The builders name backends as the controller does."""
    assert backend(V1) == BackendKey("shop", V1, 0)
    assert replace(UP, ready=0) == DOWN
