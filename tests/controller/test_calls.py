"""Facts about calls of gates and hooks beside the passes: their ids, what they tell, and that none waits."""

from __future__ import annotations

import asyncio

from structlog.testing import capture_logs

from rollout.controller.calls import Calls
from rollout.controller.entry import Entry
from rollout.controller.outside import Ports
from rollout.controller.turns import Turns
from rollout.engine.hooks import GateAnswer, GateKey, Hook
from rollout.engine.reasons import Reason
from rollout.engine.state import GateSeen, State
from rollout.engine.table import Phase
from rollout.ports import GateCall
from tests.controller.builders import KEY, FailingGates, Scene, prepared, standing, under_way, virtually

NO = GateAnswer(agrees=False, message="answered 403")


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
    plan(entry, (), moved=True)
    kept = set(entry.gates)
    seen = (GateSeen(key, agrees=False, message="", at=NO.at) for key in kept)
    entry.state = State(attempt=1, step=1, gates=tuple(seen))
    plan(entry, (), moved=False)

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
