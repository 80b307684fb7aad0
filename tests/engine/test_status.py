"""Facts about the status: what people read of it, and that nothing which matters is lost on the way."""

import json
from dataclasses import replace

import pytest

from rollout.engine.decide import decide
from rollout.engine.fitting import SHORTEST_TEXT
from rollout.engine.gates import MOST_KEPT
from rollout.engine.gates import MOST_MESSAGE as MOST_ANSWERED
from rollout.engine.hooks import GateKey, Hook
from rollout.engine.moves import MOST_MESSAGE
from rollout.engine.state import MOST_TRANSITIONS, GateSeen, Scaling, State
from rollout.engine.status import from_status, to_status
from tests.engine.builders import NOW, V1, V2, World, aborted, at_rest, batch, under_way, with_long_names
from tests.engine.tiered import away

ERRORS = {"checks": [{"name": "errors", "kind": "Errors"}], "warmUp": "0s"}


def _again(state: State) -> State | None:
    return from_status(json.loads(json.dumps(to_status(state))))


def _judged() -> World:
    world = under_way(analysis=ERRORS)
    start = world.now
    world.look(after=10, batch=batch((start + 1, 1000, 50), (start + 9, 2000, 100)))
    return world


def test_a_state_comes_back_from_its_status_as_it_was() -> None:
    """Through JSON and back, the state of an attempt is equal to what it was."""
    state = under_way().state

    assert _again(state) == state


def test_the_judge_comes_back_as_it_was() -> None:
    """What the judge remembers, its last word and the evidence are equal to what they were."""
    state = _judged().state

    assert state.evidence
    assert _again(state) == state


def test_drift_and_conditions_come_back_as_they_were() -> None:
    """A foreign change that was noticed is known after a restart, too."""
    world = aborted()
    world.meddle(30, 70, by="helm")
    world.look(after=1)

    assert _again(world.state) == world.state


def test_a_new_state_comes_back_as_it_was() -> None:
    """A Rollout of which nothing is known yet has a status, too."""
    assert _again(State()) == State()


def test_a_status_from_before_there_were_workloads_is_read() -> None:
    """What it lacks is as in the beginning, and what is not there any more is left out."""
    state = under_way().state
    status = json.loads(json.dumps(to_status(state)))
    for name in ("templates", "copying_at", "copied", "scaling"):
        del status["engine"][name]
    status["engine"]["seen_template"] = None

    assert from_status(status) == state


def test_templates_and_a_copy_come_back_as_they_were() -> None:
    """Which pod templates were seen, which one is copied and since when, and what is to be scaled."""
    state = replace(
        under_way().state, templates=((V1, "one"), (V2, "two")), copying_at=7.5, copied="two", scaling=Scaling.DOWN
    )

    assert _again(state) == state


def test_the_next_decision_is_the_same_after_a_restart() -> None:
    """A state read from its status leads to the very same decision."""
    world = _judged()
    read = _again(world.state)
    assert read is not None
    later = replace(world.observation(), now=world.now + 60)

    assert decide(world.wanted, read, later) == decide(world.wanted, world.state, later)


def test_people_find_the_weights_by_backend() -> None:
    """The status says what is intended, observed and acknowledged by the names of the backends."""
    status = to_status(under_way().state)

    assert status["weights"] == {
        "intended": {V1: 95, V2: 5},
        "observed": {V1: 95, V2: 5},
        "acknowledged": {V1: 95, V2: 5},
        "effective": "Unknown",
    }


def test_a_rollout_without_rules_has_no_acknowledged_weights() -> None:
    """Before any rule is owned, the weights are empty and not absent."""
    status = to_status(State())

    assert status["weights"] == {"intended": {}, "observed": {}, "acknowledged": {}, "effective": "Unknown"}


def test_names_in_the_status_are_camel_case() -> None:
    """Evidence and conditions have the names that Kubernetes' tools know."""
    status = to_status(_judged().state)
    evidence, conditions = status["evidence"], status["conditions"]
    assert isinstance(evidence, list)
    assert isinstance(conditions, list)

    assert {"canaryTotal", "logEvidence", "dryRun"} <= set(evidence[0])
    assert "lastTransitionTime" in conditions[0]


def test_conditions_are_those_of_kubernetes() -> None:
    """Each has the generation that it was found for, and its time as a date."""
    state = replace(at_rest().state, observed_generation=3)
    conditions = to_status(state)["conditions"]
    assert isinstance(conditions, list)

    assert {condition["observedGeneration"] for condition in conditions} == {3}
    assert {condition["lastTransitionTime"] for condition in conditions} == {"1970-01-12T13:46:40Z"}


def test_conditions_of_earlier_versions_are_read() -> None:
    """Their times were Unix seconds; the state is the same."""
    state = at_rest().state
    status = to_status(state)
    conditions = status["conditions"]
    assert isinstance(conditions, list)
    older = [{**condition, "lastTransitionTime": 1_000_000.0} for condition in conditions]

    assert from_status({**status, "conditions": older}) == state


def test_the_weight_of_the_canary_stands_alone() -> None:
    """In percent, whatever the canary's name is, so that a table can show it."""
    assert to_status(under_way().state)["weight"] == 5


def test_a_rollout_without_failover_is_normal() -> None:
    """The column of the table shows it, and a Rollout at rest is one to the store."""
    status = to_status(at_rest().state)

    assert status["failover"] == {"phase": "Normal", "active": "", "epoch": 0}


def test_a_status_at_rest_has_no_judge() -> None:
    """Between attempts nothing is judged."""
    assert to_status(at_rest().state)["judge"] is None


def test_long_messages_do_not_make_the_status_too_large() -> None:
    """Twenty transitions with the longest messages there can be: the newest are whole, the status is below 32 KiB."""
    state = _judged().state
    long = tuple(replace(state.transitions[-1], number=n, message="x" * MOST_MESSAGE) for n in range(MOST_TRANSITIONS))
    status = to_status(replace(state, transitions=long, message="x" * MOST_MESSAGE))
    read = from_status(json.loads(json.dumps(status)))
    assert read is not None

    assert len(json.dumps(status)) <= 32 * 1024
    assert read.transitions[-1] == long[-1]
    assert {len(made.message) for made in read.transitions} == {MOST_MESSAGE, SHORTEST_TEXT}


def test_many_answers_of_gates_do_not_make_the_status_too_large() -> None:
    """Sixteen with the longest names and answers, beside twenty long messages: below 32 KiB, and the newest stay."""
    state = under_way().state
    long = tuple(replace(state.transitions[-1], number=n, message="x" * MOST_MESSAGE) for n in range(MOST_TRANSITIONS))
    keys = [GateKey(Hook.STEP, f"{place}".rjust(253, "g"), 1, 1) for place in range(MOST_KEPT)]
    gates = tuple(GateSeen(key, agrees=False, message="m" * MOST_ANSWERED, at=NOW) for key in keys)
    status = to_status(replace(state, transitions=long, gates=gates, message="x" * MOST_MESSAGE))
    kept = status["transitions"]

    assert isinstance(kept, list)
    assert len(kept) >= 15
    assert len(json.dumps(status)) <= 32 * 1024


def _without(name: str) -> dict[str, object]:
    return {key: value for key, value in to_status(at_rest().state).items() if key != name}


READY = {"type": "Ready", "status": "True", "reason": "Valid", "message": "Routes, backends and policy are there."}

GARBAGE: list[dict[str, object]] = [
    {},
    {"phase": "Idle"},
    {"engine": 3},
    {**to_status(State()), "phase": "Flying"},
    {**to_status(State()), "weights": None},
    {**to_status(State()), "judge": {"beganAt": "soon"}},
    {**to_status(State()), "transitions": ["one"]},
    {**to_status(State()), "conditions": [None]},
    {**to_status(at_rest().state), "conditions": [{**READY, "lastTransitionTime": "soon"}]},
    {**to_status(State()), "evidence": [{"name": "errors"}]},
    *(_without(name) for name in ("engine", "weights", "transitions", "conditions", "stable")),
]


@pytest.mark.parametrize("status", GARBAGE, ids=range(len(GARBAGE)))
def test_a_status_that_cannot_be_read_is_none(status: dict[str, object]) -> None:
    """Nothing, a part, or a wrong kind of value: there is no state, and the Rollout is adopted anew."""
    assert from_status(status) is None


def test_many_long_names_do_not_make_the_status_too_large() -> None:
    """Ten backends of 63 letters, the longest messages and answers, a failover with them all: below 32 KiB."""
    names = [f"{place}".rjust(63, "b") for place in range(10)]
    weights = tuple((name, 1_000_000) for name in names)
    state = away().state
    made = replace(state.transitions[-1], weights=weights, message="m" * MOST_MESSAGE)
    wide = replace(
        with_long_names(state, names),
        transitions=tuple(replace(made, number=number) for number in range(1, 21)),
        conditions=tuple(
            replace(one, message="m" * MOST_MESSAGE) if one.type.startswith("Fail") else one for one in state.conditions
        ),
    )
    status = to_status(wide)
    kept = status["transitions"]

    assert isinstance(kept, list)
    assert kept[-1]["number"] == 20
    assert 5 <= len(kept) < 20
    assert len(json.dumps(status)) <= 32 * 1024
