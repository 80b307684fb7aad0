"""Facts about gates and hooks: who is called when, what an answer means, and what is kept of it."""

from dataclasses import replace

import pytest

from rollout.engine import gates
from rollout.engine.decide import Wants, wants
from rollout.engine.gates import MOST_KEPT, MOST_MESSAGE, ROLLBACK_SECONDS
from rollout.engine.hooks import Fault, GateAnswer, GateKey, Hook
from rollout.engine.observation import Acceptance
from rollout.engine.reasons import Reason
from rollout.engine.recording import is_significant
from rollout.engine.state import GateSeen, State
from rollout.engine.status import from_status, to_status
from rollout.engine.table import Phase
from tests.engine.builders import (
    DOWN,
    NOW,
    V1,
    World,
    aborted,
    answered,
    at_rest,
    context,
    key_of,
    rollout,
    seen,
    under_way,
)

NO = "answered 403: not today"
LOAD = Hook.ON_STEP


def gate(name: str = "load-test", **fields: object) -> dict[str, object]:
    """Return a gate of a spec."""
    return {"url": f"https://ci.example/{name}", "name": name, **fields}


STEPS = [{"weight": 5, "hold": "60s", "gates": [gate()]}, {"weight": 50, "hold": "60s"}]
ABORTING = [{"weight": 5, "hold": "60s", "gates": [gate(onFailure="Abort")]}, {"weight": 50, "hold": "60s"}]
ON_STEP = {"onStep": [gate("load")]}


def wanted(world: World) -> list[tuple[str, str, int]]:
    """Return the calls that are wanted now: hook, name and step."""
    calls = wants(world.wanted, world.state, world.observation()).gates
    return [(call.key.hook.value, call.gate.name, call.key.step) for call in calls]


# ---------------------------------------------------------------- who is called when


@pytest.mark.parametrize(
    ("step", "names"),
    [(0, [("beforeStart", "first")]), (1, [("step", "load-test")]), (2, [("beforePromotion", "last")]), (3, [])],
)
def test_which_gates_must_agree_depends_on_the_step(step: int, names: list[tuple[str, str]]) -> None:
    """Those before the start, those of the step, and with the last step those before the promotion."""
    hooks = {"beforeStart": [gate("first")], "beforePromotion": [gate("last")]}
    state = State(attempt=1, step=step, share=5.0 * step)
    calls = gates.to_leave(state, context(rollout(steps=STEPS, hooks=hooks)))

    assert [(call.key.hook.value, call.gate.name) for call in calls] == names


def test_the_same_name_in_two_lists_is_two_calls() -> None:
    """What the gate before promotion says is not taken for what the last step's says."""
    hooks = {"beforePromotion": [gate("same")]}
    world = under_way(steps=[{"weight": 5, "gates": [gate("same")]}], hooks=hooks)
    world.look(after=1, gates=answered(gate("same"), hook=Hook.BEFORE_PROMOTION))

    assert (world.state.step, world.state.phase) == (1, Phase.PROGRESSING)
    world.look(after=1, gates={**answered(gate("same"), hook=Hook.BEFORE_PROMOTION), **answered(gate("same"))})
    assert world.state.phase is Phase.PROMOTING


def test_an_answer_to_another_step_or_attempt_counts_for_nothing() -> None:
    """A late answer of the first step does not let the second be left."""
    steps = [{"weight": 5, "gates": [gate()]}, {"weight": 50, "gates": [gate()]}]
    world = under_way(steps=steps)
    world.look(after=1, gates=answered(gate()))
    world.look(after=1, gates=answered(gate()))

    assert world.state.step == 2


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (GateAnswer(agrees=True, message=""), "agrees"),
        (GateAnswer(agrees=False, message=""), "refuses"),
        (GateAnswer(agrees=False, message="", fault=Fault.UNREACHABLE), "unreachable"),
        (GateAnswer(agrees=False, message="", fault=Fault.OURS), "failed"),
    ],
)
def test_an_answer_is_of_one_kind(said: GateAnswer, kind: str) -> None:
    """As it is counted: who was not reached has not refused."""
    assert said.kind == kind


def test_an_invalid_rollout_has_no_gates() -> None:
    """What cannot be read asks nobody."""
    invalid = replace(context(), rollout=None)

    assert gates.to_leave(State(), invalid) == gates.of_step(State(step=1, share=5), invalid) == ()
    assert gates.after_rollback(State(phase=Phase.ABORTED), invalid) == ()


# ---------------------------------------------------------------- hooks of a step


def test_a_hook_of_a_step_is_called_when_its_weights_are_accepted() -> None:
    """Not before: load that meets the old weights tests nothing."""
    world = under_way(hooks=ON_STEP)
    world.accept(Acceptance.PENDING)
    before = wanted(world)
    world.accept(Acceptance.ACCEPTED)

    assert (before, wanted(world)) == ([], [("onStep", "load", 1)])


def test_hold_time_counts_from_the_hooks_answer() -> None:
    """The load is what the step is about."""
    world = under_way(hooks=ON_STEP)
    world.look(after=30, gates=answered(gate("load"), hook=LOAD, message="answered 503"))
    assert (world.state.hold.since, world.state.message) == (None, "Hook load: answered 503.")
    world.look(after=30, gates=answered(gate("load"), hook=LOAD))

    assert world.state.hold.since == world.now
    assert wanted(world) == []


def test_a_hook_is_called_once_in_each_step() -> None:
    """That it was stands in the status, so that no restart calls it again."""
    world = under_way(hooks=ON_STEP)
    world.look(after=1, gates=answered(gate("load"), hook=LOAD))
    back = from_status(to_status(world.state))
    assert back is not None
    world.state = back
    assert wanted(world) == []
    world.tell("promote")
    world.look(after=1)

    assert wanted(world) == [("onStep", "load", 2)]


def test_the_judges_hold_does_not_keep_a_hook_from_being_called() -> None:
    """Without its load there may be nothing to judge."""
    errors = {"checks": [{"name": "errors", "kind": "Errors"}], "warmUp": "0s"}
    world = under_way(hooks=ON_STEP, analysis=errors)
    world.look(after=60, source_problem=("SourceDown", "refused"))

    assert world.state.reason == "SourceDown"
    assert wanted(world) == [("onStep", "load", 1)]


def test_a_restart_while_a_hook_is_waited_for_brings_no_hold_time() -> None:
    """Hold time is known again after a restart only where nothing else stopped it."""
    world = at_rest(hooks=ON_STEP)
    world.tell("start", revision="2")
    world.look(after=600, session_started_at=world.now + 599)

    assert world.state.hold.at(world.now) == 0.0


def test_hooks_are_not_waited_for_silently() -> None:
    """One that has not answered yet is about to; who says no is told of."""
    world = under_way(hooks=ON_STEP)
    quiet = world.look(after=1).state.reason
    world.look(after=1, gates=answered(gate("load"), hook=LOAD, message=NO))

    assert (quiet, world.state.reason) == (Reason.STARTED, Reason.WAITING_FOR_GATE)


# ---------------------------------------------------------------- failure: wait or abort


def test_a_gate_that_aborts_ends_the_attempt_in_its_step() -> None:
    """At once, with its name and its answer."""
    world = under_way(steps=ABORTING)
    world.look(after=60, gates=answered(gate(onFailure="Abort"), message=NO))
    world.look()

    assert (world.state.phase, world.state.reason) == (Phase.ABORTED, Reason.GATE_REFUSED)
    assert world.state.message == "Rolled back: gate load-test of step 1: answered 403: not today."
    assert world.weights() == (100, 0)


def test_a_gate_that_waits_is_asked_again() -> None:
    """The attempt stays where it is."""
    world = under_way(steps=STEPS)
    world.look(after=60, gates=answered(gate(), message=NO))

    assert (world.state.phase, world.state.reason) == (Phase.PROGRESSING, Reason.WAITING_FOR_GATE)
    assert wanted(world) == [("step", "load-test", 1)]


@pytest.mark.parametrize(
    ("hooks", "answers", "message"),
    [
        (
            "beforeStart",
            answered(gate("ci", onFailure="Abort"), hook=Hook.BEFORE_START, step=0, message=NO),
            "Aborted before the first step: ",
        ),
        (
            "onStep",
            answered(gate("ci", onFailure="Abort"), hook=Hook.ON_STEP, message=NO),
            "Rolled back: hook ci of step 1: ",
        ),
        (
            "beforePromotion",
            answered(gate("ci", onFailure="Abort"), hook=Hook.BEFORE_PROMOTION, message=NO),
            "Rolled back: gate ci before pro",
        ),
    ],
)
def test_each_hook_may_end_the_attempt(hooks: str, answers: dict[GateKey, GateAnswer], message: str) -> None:
    """Before the start, as a step begins, and before promotion."""
    world = at_rest(steps=[{"weight": 5}], hooks={hooks: [gate("ci", onFailure="Abort")]})
    world.tell("start", revision="2")
    world.look()
    world.look(after=1, gates=answers)
    world.look()

    assert (world.state.phase, world.state.reason) == (Phase.ABORTED, Reason.GATE_REFUSED)
    assert world.state.message.startswith(message)
    assert world.state.message.endswith("answered 403: not today.")
    assert world.state.aborted_revision == "2"


def test_an_abort_by_a_gate_moves_nothing_to_a_stable_that_is_down() -> None:
    """As any abort that nobody ordered."""
    world = under_way(steps=ABORTING)
    world.endpoints[V1] = DOWN
    world.look(after=60, gates=answered(gate(onFailure="Abort"), message=NO))

    assert (world.state.phase, world.state.reason) == (Phase.PROGRESSING, Reason.CANARY_CARRIES_ALL)


@pytest.mark.parametrize(
    ("fault", "phase"),
    [(Fault.OURS, Phase.PROGRESSING), (Fault.UNREACHABLE, Phase.ABORTED), (Fault.NONE, Phase.ABORTED)],
)
def test_only_who_was_asked_can_have_failed(fault: Fault, phase: Phase) -> None:
    """A gate that is down has; one that we could not ask, as without a secret to sign with, is waited for."""
    world = under_way(steps=ABORTING)
    world.look(after=60, gates=answered(gate(onFailure="Abort"), message="cannot be called", fault=fault))
    world.look()

    assert world.state.phase is phase
    assert "ate load-test" in world.state.message
    assert world.state.gates[0].fault is fault


@pytest.mark.parametrize("before", [gate(url="https://ci.example/wrong", onFailure="Abort"), gate(onFailure="Wait")])
@pytest.mark.parametrize("message", [NO, "answered 200"])
def test_an_answer_counts_for_what_was_asked(before: dict[str, object], message: str) -> None:
    """Neither its no nor its yes stands for a gate with another URL or another word on failure."""
    world = under_way(steps=ABORTING)
    world.look(after=60, gates=answered(before, message=message))

    assert (world.state.phase, world.state.step) == (Phase.PROGRESSING, 1)
    assert wanted(world) == [("step", "load-test", 1)]


def test_a_hook_of_a_step_whose_url_was_edited_is_called_anew() -> None:
    """The other load generator has brought no load."""
    world = under_way(hooks={"onStep": [gate("load", url="https://ci.example/old")]})
    world.look(after=1, gates=answered(gate("load", url="https://ci.example/old"), hook=LOAD))
    before = wanted(world)
    world.wanted = rollout(hooks=ON_STEP)

    assert (before, wanted(world)) == ([], [("onStep", "load", 1)])


def test_the_last_asked_answer_is_kept_of_two_under_one_name() -> None:
    """The late one of before an edit does not take the place of the one of after it."""
    old, new = gate(url="https://ci.example/old"), gate()
    late = {**answered(new, at=NOW + 61), **answered(old, message=NO, at=NOW + 60)}
    world = under_way(steps=STEPS)
    world.look(after=60, gates=late)

    assert [one.key for one in world.state.gates] == [key_of(new)]


def test_a_gate_whose_turn_is_over_ends_nothing() -> None:
    """It was asked when nothing else was left to wait for; meanwhile the hold time was made longer."""
    world = under_way(steps=ABORTING)
    world.wanted = rollout(steps=[{**ABORTING[0], "hold": "1h"}, ABORTING[1]])
    world.look(after=60, gates=answered(gate(onFailure="Abort"), message=NO))

    assert (world.state.phase, world.state.reason) == (Phase.PROGRESSING, Reason.HOLDING)


def test_a_call_may_go_on_while_its_attempt_is_where_it_was() -> None:
    """Also when something else is waited for again for a moment; not over a pause."""
    world = under_way(steps=STEPS)
    running = wants(world.wanted, world.state, world.observation())
    world.tell("pause")
    paused = wants(world.wanted, world.state, world.observation())

    assert (running.gates, running.under_way) == ((), frozenset({key_of(gate())}))
    assert paused.under_way == frozenset()


# ---------------------------------------------------------------- rollback


def test_the_hooks_of_a_rollback_are_called_until_they_have_answered() -> None:
    """Whatever they say changes nothing, and once is enough, also over a restart."""
    world = aborted(hooks={"onRollback": [gate("pager", onFailure="Abort")]})
    assert wanted(world) == [("onRollback", "pager", 0)]
    before = world.state
    world.look(after=1, gates=answered(gate("pager", onFailure="Abort"), hook=Hook.ON_ROLLBACK, step=0, message=NO))
    back = from_status(to_status(world.state))

    assert (world.state.phase, world.state.number) == (before.phase, before.number)
    assert back is not None
    assert wants(world.wanted, back, world.observation()) == Wants(measurement=False)


def test_a_hook_of_a_rollback_that_was_not_reached_is_called_again() -> None:
    """The pager that was down for a moment is told, as long as that is news."""
    world = aborted(hooks={"onRollback": [gate("pager")]})
    down = answered(gate("pager"), hook=Hook.ON_ROLLBACK, step=0, message="refused", fault=Fault.UNREACHABLE)
    world.look(after=1, gates=down)
    back = from_status(to_status(world.state))
    assert back is not None
    world.state = back

    assert wanted(world) == [("onRollback", "pager", 0)]
    world.look(after=10, gates=answered(gate("pager"), hook=Hook.ON_ROLLBACK, step=0))
    assert wanted(world) == []


def test_an_old_rollback_is_no_news() -> None:
    """After a long absence nobody is told of it any more."""
    world = aborted(hooks={"onRollback": [gate("pager")]})
    world.now += ROLLBACK_SECONDS + 1

    assert wanted(world) == []


def test_a_suspended_rollout_calls_nobody() -> None:
    """Neither gates nor hooks."""
    world = under_way(hooks=ON_STEP, suspend=False)
    world.wanted = rollout(hooks=ON_STEP, suspend=True)

    assert wanted(world) == []


# ---------------------------------------------------------------- what is kept


def test_the_last_answer_of_each_gate_is_kept() -> None:
    """With what it said, when, and after how many calls."""
    world = under_way(steps=STEPS)
    key = key_of(gate())
    world.look(after=60, gates={key: GateAnswer(agrees=False, message="x" * 300, tries=3, at=NOW + 60)})

    assert world.state.gates == (GateSeen(key, agrees=False, message="x" * MOST_MESSAGE, at=NOW + 60, tries=3),)
    assert from_status(to_status(world.state)) == world.state


def test_what_others_write_has_little_room() -> None:
    """Also where each of its letters takes six bytes."""
    world = under_way(steps=STEPS)
    world.look(after=60, gates=answered(gate(), message="ü" * 300))

    assert world.state.gates[0].message == "ü" * 33


def test_the_status_tells_of_gates_by_name() -> None:
    """Flat, for people."""
    world = under_way(steps=STEPS)
    world.look(after=60, gates=answered(gate(), message=NO, at=NOW + 60))

    assert to_status(world.state)["gates"] == [
        {
            "hook": "step",
            "name": "load-test",
            "attempt": 1,
            "step": 1,
            "asked": key_of(gate()).asked,
            "agrees": False,
            "message": NO,
            "at": NOW + 60,
            "tries": 1,
        }
    ]


def test_a_status_from_before_there_were_gates_is_read() -> None:
    """As one of a Rollout without any, which has no place for them."""
    status = to_status(under_way().state)
    state = from_status(status)

    assert "gates" not in status
    assert state is not None
    assert state.gates == ()


def test_a_new_attempt_begins_without_answers() -> None:
    """Those of the one before were about another revision."""
    world = under_way(steps=STEPS)
    world.look(after=60, gates=answered(gate(), message=NO))
    world.tell("abort")
    world.look()
    world.tell("start", revision="3")

    assert world.state.gates == ()


def test_only_a_change_of_answer_is_news() -> None:
    """When it came again, and its details, ride along with the next record."""
    world = under_way(steps=STEPS)
    first = world.look(after=60, gates=answered(gate(), message="answered 403: 9 left", at=NOW + 60))
    again = world.look(after=10, gates=answered(gate(), message="answered 403: 8 left", at=NOW + 70))
    other = world.look(after=10, gates=answered(gate(), message="no answer within 5 s", at=NOW + 80))

    assert [first.significant, again.significant, other.significant] == [True, False, True]
    assert world.state.gates[0].at == NOW + 80


def test_the_newest_answers_are_kept_and_all_of_hooks_that_are_called_once() -> None:
    """More than fit: a hook whose call was forgotten would be called again."""
    hooks = {
        GateKey(Hook.ON_STEP, f"hook-{n}", 1, 1): GateAnswer(agrees=True, message="answered 200") for n in range(8)
    }
    others = {
        GateKey(Hook.STEP, f"gate-{n}", 1, 1): GateAnswer(agrees=True, message="answered 200", at=NOW + n)
        for n in range(20)
    }
    kept = gates.noted(State(attempt=1, step=1), context(observation=seen(gates={**hooks, **others}))).gates
    names = [one.key.name for one in kept]

    assert len(kept) == MOST_KEPT
    assert {f"hook-{n}" for n in range(8)} < set(names)
    assert names[-8:] == [f"gate-{n}" for n in range(12, 20)]


def test_answers_change_nothing_that_is_recorded_but_themselves() -> None:
    """A pass that brings the same answer once more leaves the record as it is."""
    world = under_way(steps=STEPS)
    world.look(after=60, gates=answered(gate(), message=NO))
    before = world.state
    world.look(gates=answered(gate(), message=NO))

    assert not is_significant(before, world.state)
