"""Facts about what the controller asks: counters and gates, beside the passes."""

from __future__ import annotations

import asyncio

import pytest

from rollout.engine.hooks import GateAnswer
from rollout.engine.observation import Acceptance
from rollout.engine.reasons import Reason
from rollout.engine.table import Phase
from rollout.errors import SourceTimeout, Unavailable
from tests.controller.builders import (
    ERRORS_ONLY,
    ROUTE,
    V1,
    V2,
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
    assert {"name": "checkout", "step": 1, "weight": 10}.items() <= scene.gates.calls[0].body.items()
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

    assert [(call.gate.url, call.body["reason"]) for call in scene.gates.calls] == [(GATE["url"], "AbortedByCommand")]
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


@virtually
async def test_a_gate_that_refuses_for_long_runs_no_more_passes_than_it_must() -> None:
    """Beyond the progress deadline, too, a ready canary that waits for its gate is looked at each cadence only."""
    scene = await standing(hooks={"beforeStart": [GATE]})
    scene.gates.answers[GATE["url"]] = NO
    await scene.tell("start", revision="2")
    await asyncio.sleep(900)
    before = scene.controller.counts.passes
    await asyncio.sleep(600)

    assert scene.controller.counts.passes - before <= 4 * 60
    await scene.stop()
