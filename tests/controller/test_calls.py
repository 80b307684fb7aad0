"""Facts about calls of gates and hooks beside the passes: their ids, what they tell, and that none waits."""

from __future__ import annotations

import asyncio

from structlog.testing import capture_logs

from rollout.controller.calls import Calls, call_of
from rollout.controller.entry import Entry
from rollout.controller.outside import Ports
from rollout.controller.turns import Turns
from rollout.engine.decide import Wants
from rollout.engine.gates import Call
from rollout.engine.hooks import Fault, GateAnswer, GateKey, Hook
from rollout.engine.reasons import Reason
from rollout.engine.state import GateSeen, State
from rollout.engine.table import Phase
from rollout.ports import GateCall
from rollout.spec.resource import Gate
from tests.controller.builders import KEY, FailingGates, Scene, manifest, prepared, standing, under_way, virtually

NO = GateAnswer(agrees=False, message="answered 403")
NOBODY = Wants(measurement=False)


def steps(**fields: object) -> list[dict[str, object]]:
    """Return steps of which the first has the gate `ci`."""
    return [{"weight": 10, "gates": [gate("ci", **fields)]}, {"weight": 50, "hold": "1h"}]


def gate(name: str, **fields: object) -> dict[str, object]:
    """Return a gate of a spec."""
    return {"url": f"https://ci.example/{name}", "name": name, **fields}


def calls(scene: Scene, name: str) -> list[GateCall]:
    """Return the calls of the gate."""
    return [call for call in scene.gates.calls if call.gate.name == name]


class DeafGate(FailingGates):
    """Gates of which one never answers."""

    async def ask(self, call: GateCall) -> GateAnswer:
        """Answer, unless it is the deaf one."""
        if call.gate.name == "deaf":
            await asyncio.sleep(1e9)
        return await super().ask(call)


@virtually
async def test_a_gate_is_told_where_the_rollout_stands() -> None:
    """Which Rollout and attempt, which step with which weights, for what it is asked, and under which id."""
    scene = await under_way(steps=[{"weight": 10, "gates": [gate("ci")]}, {"weight": 50, "hold": "1h"}])
    await scene.until(lambda: bool(scene.gates.calls))
    [call] = scene.gates.calls[:1]

    assert call.body == {
        "id": call.id,
        "hook": "step",
        "gate": "ci",
        "namespace": "shop",
        "name": "checkout",
        "phase": "Progressing",
        "attempt": 1,
        "step": 1,
        "revision": "2",
        "weight": 10.0,
        "weights": {"checkout-v1": 90, "checkout-v2": 10},
        "stable": "checkout-v1",
        "canary": "checkout-v2",
        "reason": "Started",
        "message": "Attempt 1 for revision 2 was started. Step 1 of 2: 10 % to the canary.",
    }
    await scene.stop()


@virtually
async def test_a_gate_that_is_asked_again_is_asked_under_the_same_id() -> None:
    """So that it knows the question; another step is another question."""
    scene = await standing(steps=[{"weight": 10, "gates": [gate("ci")]}, {"weight": 50, "gates": [gate("ci")]}])
    scene.gates.answers["https://ci.example/ci"] = NO
    await scene.tell("start", revision="2")
    await scene.until(lambda: bool(calls(scene, "ci")))
    await scene.tell("promote")
    await scene.until(lambda: len({call.id for call in calls(scene, "ci")}) == 2)
    before = len(calls(scene, "ci"))
    await scene.until(lambda: len(calls(scene, "ci")) >= before + 3)

    assert [call.body["step"] for call in calls(scene, "ci")][-3:] == [2, 2, 2]
    assert len({call.id for call in calls(scene, "ci")}) == 2
    await scene.stop()


@virtually
async def test_a_silent_gate_keeps_no_other_answer_waiting() -> None:
    """One that ends the attempt does so although another has not answered."""
    scene = await prepared(
        steps=[{"weight": 10, "gates": [gate("deaf"), gate("ci", onFailure="Abort")]}, {"weight": 50}]
    )
    scene.gates = DeafGate()
    scene.gates.answers["https://ci.example/ci"] = NO
    await scene.start()
    await scene.until(lambda: bool(scene.state.stable))
    await scene.tell("start", revision="2")
    took = await scene.until_phase(Phase.ABORTED)

    assert (scene.state.reason, scene.weights()) == (Reason.GATE_REFUSED, (100, 0))
    assert took < 5
    await scene.stop()


@virtually
async def test_a_hook_of_a_step_is_called_once_also_over_a_restart() -> None:
    """That it has answered is recorded."""
    scene = await under_way(steps=[{"weight": 10, "hold": "1h"}], hooks={"onStep": [gate("load")]})
    await scene.until(lambda: scene.state.hold.since is not None)
    await scene.stop()
    await scene.start()
    await asyncio.sleep(600)

    assert [call.body["step"] for call in calls(scene, "load")] == [1]
    await scene.stop()


@virtually
async def test_a_hook_that_was_cut_off_is_called_again_under_the_same_id() -> None:
    """At least once: nobody knows whether the first call arrived."""
    scene = await standing(steps=[{"weight": 10, "hold": "1h"}], hooks={"onStep": [gate("load")]})
    scene.gates.hold = asyncio.Event()
    await scene.tell("start", revision="2")
    await scene.until(lambda: bool(scene.gates.calls))
    await scene.stop()
    scene.gates.hold = None
    await scene.start()
    await scene.until(lambda: scene.state.hold.since is not None)

    assert len({call.id for call in calls(scene, "load")}) == 1
    assert len(calls(scene, "load")) == 2
    await scene.stop()


@virtually
async def test_a_rollback_that_nobody_was_told_of_is_told_after_a_restart() -> None:
    """The hooks of a rollback are called until they have answered, under one id, and their answer is in the status."""
    scene = await under_way(hooks={"onRollback": [gate("pager")]})
    scene.gates.hold = asyncio.Event()
    await scene.tell("abort")
    await scene.until(lambda: bool(calls(scene, "pager")))
    await scene.stop()
    scene.gates.hold = None
    scene.gates.answers["https://ci.example/pager"] = NO
    await scene.start()
    await scene.until(lambda: bool(scene.state.gates))
    await asyncio.sleep(120)

    assert len({call.id for call in calls(scene, "pager")}) == 1
    assert len(calls(scene, "pager")) == 2
    stored = scene.store.read(KEY)
    assert stored is not None
    assert [(one["name"], one["agrees"]) for one in stored.status["gates"]] == [("pager", False)]  # type: ignore[attr-defined]
    await scene.stop()


@virtually
async def test_an_answer_that_comes_in_the_middle_of_a_pass_is_not_lost() -> None:
    """What a transition takes away are agreements; a hook that is called once would be called again."""
    scene = await prepared()
    ports = Ports(scene.store, scene.routes, scene.health, scene.measurements, scene.gates, scene.clock)
    turns = Turns(asyncio.create_task, lambda _: None, lambda *_: None, lambda _: True, lambda: 1)
    entry = Entry(KEY, state=State(attempt=1, step=1))
    keys = [
        GateKey(hook, "ci", attempt, 1) for hook in (Hook.STEP, Hook.ON_STEP, Hook.ON_ROLLBACK) for attempt in (1, 2)
    ]
    entry.gates = dict.fromkeys(keys, NO)
    plan = Calls(ports, 10.0, turns).plan
    plan(entry, NOBODY, moved=True)
    kept = set(entry.gates)
    seen = (GateSeen(key, agrees=False, message="", at=NO.at) for key in kept)
    entry.state = State(attempt=1, step=1, gates=tuple(seen))
    plan(entry, NOBODY, moved=False)

    assert kept == {GateKey(Hook.ON_STEP, "ci", 1, 1), GateKey(Hook.ON_ROLLBACK, "ci", 1, 1)}
    assert entry.gates == {}


@virtually
async def test_repeated_answers_are_not_written_again() -> None:
    """A gate that says no all day costs no write."""
    scene = await standing(steps=[{"weight": 10, "gates": [gate("ci")]}, {"weight": 50, "hold": "1h"}])
    scene.gates.answers["https://ci.example/ci"] = NO
    await scene.tell("start", revision="2")
    await scene.until(lambda: any(not one.agrees for one in scene.state.gates))
    await asyncio.sleep(30)
    before = scene.store.read(KEY)
    asked = len(scene.gates.calls)
    await asyncio.sleep(3600)
    after = scene.store.read(KEY)

    assert before is not None
    assert after is not None
    assert (after.version, len(scene.gates.calls) - asked >= 300) == (before.version, True)
    await scene.stop()


@virtually
async def test_the_log_tells_an_answer_once() -> None:
    """With its gate, and nothing of the URL; as long as it comes again, for who debugs only."""
    scene = await standing(steps=[{"weight": 10, "gates": [gate("ci")]}, {"weight": 50, "hold": "1h"}])
    scene.gates.answers["https://ci.example/ci"] = NO
    with capture_logs() as lines:
        await scene.tell("start", revision="2")
        await scene.until(lambda: len(scene.gates.calls) == 4)
        await asyncio.sleep(1)
    told = [line for line in lines if line["event"] == "gate called"]

    assert [line["log_level"] for line in told] == ["info", "debug", "debug", "debug"]
    assert [(told[0][name]) for name in ("gate", "hook", "agrees", "answer")] == ["ci", "step", False, "answered 403"]
    assert "https://" not in str(told)
    await scene.stop()


@virtually
async def test_a_call_ends_whose_gate_was_edited() -> None:
    """What the old URL says, yes or no, stands for nothing; the new one is called at once and under its own id."""
    scene = await standing(steps=steps(url="https://ci.example/old"))
    scene.gates.answers["https://ci.example/old"] = NO
    scene.gates.hold = asyncio.Event()
    await scene.tell("start", revision="2")
    await scene.until(lambda: bool(scene.gates.calls))
    await scene.store.apply(manifest(steps=steps(url="https://ci.example/new", onFailure="Abort")))
    await scene.until(lambda: len(scene.gates.calls) == 2, within=5)
    made = [(call.gate.url, call.id) for call in scene.gates.calls]
    scene.gates.hold.set()
    await asyncio.sleep(1)

    assert [url for url, _ in made] == ["https://ci.example/old", "https://ci.example/new"]
    assert made[0][1] != made[1][1]
    assert (scene.state.phase, scene.state.step) == (Phase.PROGRESSING, 2)
    await scene.stop()


@virtually
async def test_a_refusal_of_before_an_edit_ends_nothing() -> None:
    """The repair of a typing mistake is no refusal, also where the corrected gate may end the attempt."""
    scene = await standing(steps=steps(url="https://ci.example/wrong"))
    scene.gates.answers["https://ci.example/wrong"] = NO
    await scene.tell("start", revision="2")
    await scene.until(lambda: any(not one.agrees for one in scene.state.gates))
    await scene.store.apply(manifest(steps=steps(url="https://ci.example/right", onFailure="Abort")))
    await asyncio.sleep(5)

    assert (scene.state.phase, scene.state.step) == (Phase.PROGRESSING, 2)
    await scene.stop()


@virtually
async def test_an_answer_of_before_a_pause_ends_nothing() -> None:
    """The gate is asked anew when the attempt goes on."""
    scene = await standing(steps=steps(onFailure="Abort"))
    scene.gates.hold = asyncio.Event()
    scene.gates.answers["https://ci.example/ci"] = NO
    await scene.tell("start", revision="2")
    await scene.until(lambda: bool(scene.gates.calls))
    await scene.tell("pause")
    await asyncio.sleep(1)
    scene.gates.answers.clear()
    await scene.tell("resume")
    await scene.until(lambda: len(scene.gates.calls) == 2)
    scene.gates.hold.set()
    await asyncio.sleep(5)

    assert (scene.state.phase, scene.state.step) == (Phase.PROGRESSING, 2)
    await scene.stop()


@virtually
async def test_an_error_of_our_own_ends_nothing() -> None:
    """The gate was not asked: it is, a tick later, also where its no ends the attempt."""
    scene = await standing(steps=steps(onFailure="Abort"))
    scene.gates.error = RuntimeError("a fault in an adapter")
    await scene.tell("start", revision="2")
    await scene.until(lambda: bool(scene.state.gates))
    said = scene.state.gates[0]
    phase, reason = scene.state.phase, scene.state.reason
    scene.gates.error = None
    await asyncio.sleep(15)

    assert (phase, reason, said.fault) == (Phase.PROGRESSING, Reason.WAITING_FOR_GATE, Fault.OURS)
    assert scene.state.step == 2
    await scene.stop()


@virtually
async def test_a_hook_of_a_rollback_that_was_down_is_called_until_it_is_reached() -> None:
    """A tick later, and once more only."""
    scene = await under_way(hooks={"onRollback": [gate("pager")]})
    down = GateAnswer(agrees=False, message="cannot be called: refused", tries=3, fault=Fault.UNREACHABLE)
    scene.gates.answers["https://ci.example/pager"] = down
    await scene.tell("abort")
    await scene.until(lambda: bool(scene.state.gates))
    scene.gates.answers.clear()
    await asyncio.sleep(280)

    assert len(calls(scene, "pager")) == 2
    assert [one.agrees for one in scene.state.gates] == [True]
    await scene.stop()


def test_the_id_of_a_call_does_not_come_again_after_a_lost_status() -> None:
    """Attempts are counted from 1 again then; when the attempt began and its revision tell them apart."""
    call = Call(GateKey(Hook.STEP, "ci", 1, 1), Gate(url="https://ci.example", name="ci"))
    states = (
        State(attempt=1, started_at=1.5, revision="2"),
        State(attempt=1, started_at=1.5, revision="2", share=10.0),
        State(attempt=1, started_at=9.5, revision="2"),
        State(attempt=1, started_at=1.5, revision="9"),
    )
    ids = [call_of(Entry(KEY, state=state), call, "life").id for state in states]

    assert ids[0] == ids[1]
    assert len(set(ids)) == 3
