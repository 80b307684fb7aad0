"""Facts about a decision: its order, when the next look is due, what must be recorded, and what to fetch."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollout.engine.decide import Wants, acknowledge, decide, wants
from rollout.engine.observation import Acceptance
from rollout.engine.reasons import Reason
from rollout.engine.recording import is_significant
from rollout.engine.state import State
from rollout.engine.table import Phase
from tests.engine.builders import (
    DOWN,
    V1,
    V2,
    World,
    aborted,
    answered,
    at_rest,
    batch,
    rollout,
    seen,
    under_way,
    weighing,
)

ERRORS = {"checks": [{"name": "errors", "kind": "Errors"}], "warmUp": "0s", "minRequests": 0}
GATE = {"url": "https://ci.example/ok", "name": "load-test"}
GATED = [{"weight": 5, "hold": "60s", "gates": [GATE]}, {"weight": 50, "hold": "1h"}]


def _wants(world: World) -> Wants:
    return wants(world.wanted, world.state, world.observation())


# ---------------------------------------------------------------- order


def test_harm_wins_over_a_command() -> None:
    """A promotion and lost endpoints in the same pass: the weights go back."""
    world = under_way()
    world.endpoints[V2] = DOWN
    world.tell("promote")

    assert world.weights() == (100, 0)


def test_an_abort_by_command_wins_over_a_step_that_is_done() -> None:
    """A hold time that ends in the moment of an abort moves nothing forward."""
    world = under_way()
    world.look(after=119)
    world.now += 1
    world.tell("abort")

    assert world.weights() == (100, 0)


def test_only_an_abort_is_urgent() -> None:
    """What may not wait for a record is the way back, until its weights are there."""
    world = under_way()
    promoted = replace(world)
    assert not promoted.tell("promote").urgent
    assert world.tell("abort").urgent


# ---------------------------------------------------------------- what is told


def test_transitions_of_this_pass_are_told() -> None:
    """Each transition is in exactly one decision."""
    world = at_rest()
    first = world.tell("start", revision="2")
    second = world.look(after=1)

    assert [made.reason for made in first.transitions] == [Reason.STARTED]
    assert second.transitions == ()


def test_what_became_of_a_command_is_told() -> None:
    """The answer to a command is told once, refused or done."""
    world = under_way()
    refused = world.tell("resume")
    done = world.tell("pause")

    assert [(one.action, one.done) for one in refused.handled] == [("resume", False)]
    assert [(one.action, one.done) for one in done.handled] == [("pause", True)]


# ---------------------------------------------------------------- the next look


def test_at_rest_nothing_is_due() -> None:
    """An idle or aborted Rollout waits for events only."""
    assert at_rest().look(after=60).next_at is None
    assert aborted().look(after=60).next_at is None


def test_the_end_of_the_hold_time_is_due() -> None:
    """When nothing else comes before, the next look is when the step can be left."""
    world = under_way(analysis=ERRORS, steps=[{"weight": 5, "hold": "90s"}, {"weight": 50}])

    assert world.look(after=30).next_at == world.now + 60


def test_without_measurements_the_next_look_is_a_cadence_away() -> None:
    """An attempt that nothing measures is looked at by the clock."""
    assert under_way().look(after=1).next_at == 1_000_001 + 10


def test_skipped_hold_time_is_not_waited_for() -> None:
    """After a skip that leaves an approval to wait for, no end of a hold time is due."""
    steps = [{"weight": 5, "hold": "90s", "approval": True}, {"weight": 50}]
    world = under_way(analysis=ERRORS, steps=steps)
    world.tell("skip")

    assert world.look(after=1).next_at is None


def test_unknown_roles_are_not_polled() -> None:
    """A Rollout whose roles are unknown waits for the routes to change."""
    world = World(views={key: weighing(70, 30) for key in World().views})

    assert world.look().next_at is None


def test_the_deadline_of_a_canary_that_is_not_ready_is_due() -> None:
    """Shortly before the end of the deadline the next look is at its end."""
    world = at_rest(progressDeadline="1m")
    world.endpoints[V2] = DOWN
    world.tell("start", revision="2")

    assert world.look(after=55).next_at == world.now + 5


def test_a_sample_that_is_due_is_looked_for_soon() -> None:
    """When the next sample should be there, the step waits for it a tenth of the cadence and no longer."""
    world = under_way(analysis=ERRORS, steps=[{"weight": 5, "hold": "10s"}, {"weight": 50, "hold": "1h"}])
    world.look(after=5, batch=batch((world.now, 0, 0), (world.now + 5, 1900, 100)))
    world.look(after=10)
    assert (world.state.step, world.look().next_at) == (1, world.now + 1)
    world.look(after=1)

    assert world.state.step == 2


def test_an_abort_that_is_not_done_is_looked_at_again() -> None:
    """Weights that could not be written are looked at each cadence."""
    world = under_way()
    world.lost = True
    world.tell("abort")

    assert world.look(after=1).next_at == world.now + 10


# ---------------------------------------------------------------- what must be recorded


def test_time_alone_is_nothing_to_record() -> None:
    """Hold time that goes on rides along with the next record."""
    world = under_way()
    world.look()

    assert not world.look(after=30).significant


def test_sentences_alone_are_nothing_to_record() -> None:
    """Another message at the same reason is no write."""
    before = State(reason="Holding", message="a minute left")

    assert not is_significant(before, replace(before, message="half a minute left"))


@pytest.mark.parametrize(
    "changed",
    [
        {"reason": "NoData"},
        {"phase": Phase.PAUSED},
        {"number": 1},
        {"observed": ((V1, 95), (V2, 5))},
        {"share": 5.0},
        {"ready": ((V1, "Healthy"),)},
        {"hold_over": True},
        {"approved_step": 1},
        {"seen_revision": "2"},
        {"observed_generation": 2},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_what_people_and_the_next_controller_need_is_recorded(changed: dict[str, object]) -> None:
    """A transition, a reason, a condition, health, a weight, or what a restart must not lose."""
    assert is_significant(State(), replace(State(), **changed))  # type: ignore[arg-type]


def test_a_step_that_goes_as_it_should_is_recorded_once() -> None:
    """That its weights are written and taken in, and that its hold time runs, follows from the record of its begin."""
    world = under_way(steps=[{"weight": 5, "hold": "1m"}, {"weight": 50, "hold": "5m"}])
    entered = world.look(after=60)
    world.accept(Acceptance.PENDING)
    pending = world.look(after=1)
    world.accept(Acceptance.ACCEPTED)
    held = world.look(after=1)

    assert (entered.state.step, held.state.reason) == (2, Reason.HOLDING)
    assert [decision.significant for decision in (entered, pending, held)] == [True, False, False]


def test_a_gateway_that_does_not_follow_is_recorded_once() -> None:
    """After some seconds it is told that the gateway is waited for, by reason and by condition."""
    world = under_way(steps=[{"weight": 5, "hold": "1m"}, {"weight": 50, "hold": "5m"}])
    world.look(after=60)
    world.accept(Acceptance.PENDING)
    told = [world.look(after=1).significant for _ in range(6)]

    assert told == [False, False, False, True, False, False]
    assert world.state.reason == Reason.WAITING_FOR_ROUTES


def test_a_gateway_that_refuses_is_told_of_at_once() -> None:
    """There is nothing to settle where the gateway has said no."""
    world = under_way(steps=[{"weight": 5, "hold": "1m"}, {"weight": 50, "hold": "5m"}])
    world.look(after=60)
    world.accept(Acceptance.REFUSED)

    assert world.look(after=1).significant
    assert world.state.reason == Reason.WAITING_FOR_ROUTES


# ---------------------------------------------------------------- what is fetched


def test_counters_are_fetched_while_the_canary_has_weight() -> None:
    """Not at rest, not without checks, not while suspended; also while paused or promoting."""
    judged, paused = under_way(analysis=ERRORS), under_way(analysis=ERRORS)
    paused.tell("pause")
    suspended = under_way(analysis=ERRORS)
    suspended.wanted = rollout(analysis=ERRORS, suspend=True)

    assert [_wants(world).measurement for world in (judged, paused)] == [True, True]
    assert [_wants(world).measurement for world in (at_rest(analysis=ERRORS), under_way(), suspended)] == [False] * 3


def test_counters_are_fetched_before_the_judge_has_said_anything() -> None:
    """From the first weight on, also where the step has a gate."""
    world = at_rest(steps=GATED, analysis=ERRORS)
    world.tell("start", revision="2")

    assert (world.state.word, _wants(world).measurement, _wants(world).gates) == (None, True, ())


def test_nothing_is_fetched_for_what_cannot_be_read() -> None:
    """An invalid spec has no checks and no gates."""
    world = under_way(analysis=ERRORS)
    world.wanted = None

    assert _wants(world) == Wants(measurement=False)


def test_counters_are_not_fetched_before_the_first_weight() -> None:
    """A canary without traffic has nothing to measure."""
    world = at_rest(analysis=ERRORS)
    world.endpoints[V2] = DOWN
    world.tell("start", revision="2")

    assert not _wants(world).measurement


def test_gates_are_asked_when_nothing_else_is_left() -> None:
    """Neither before the hold time is over, nor while paused."""
    world = under_way(steps=GATED)
    world.look(after=59)
    assert _wants(world).gates == ()
    world.look(after=1)

    assert [call.gate.url for call in _wants(world).gates] == [GATE["url"]]
    world.tell("pause")
    assert _wants(world).gates == ()


def test_gates_are_not_asked_while_the_judge_holds() -> None:
    """The last word of the judge counts, too."""
    world = under_way(steps=GATED, analysis=ERRORS)
    world.look(after=60, ask="skip", source_problem=("SourceDown", "refused"))

    assert world.state.reason == "SourceDown"
    assert (_wants(world).measurement, _wants(world).gates) == (True, ())


def test_an_answer_of_this_pass_lets_the_step_be_left() -> None:
    """What the gate said is in the observation."""
    world = under_way(steps=GATED)
    world.look(after=60, gates=answered(GATE))

    assert world.state.step == 2


# ---------------------------------------------------------------- after the write


def test_a_write_that_was_taken_is_acknowledged() -> None:
    """The rules that were written know it, and the time of the write."""
    world = at_rest()
    world.lost = True
    decision = world.tell("start", revision="2")
    state = acknowledge(decision.state, decision.writes, world.now + 1)

    assert [rule.acknowledged for rule in state.owned] == [((V1, 95), (V2, 5))]
    assert state.last_write_at == world.now + 1


def test_requests_are_compared_with_the_weights_from_the_write_on() -> None:
    """What was counted before a write says nothing about the weights after it."""
    world = under_way(analysis=ERRORS)
    assert world.state.judge is not None
    state = replace(
        world.state, judge=replace(world.state.judge, changed_canary=5, changed_stable=95), effective="Agrees"
    )
    after = acknowledge(state, (), world.now)
    assert after.judge is not None

    assert (after.judge.changed_canary, after.judge.changed_stable, after.effective) == (0, 0, "Unknown")


def test_the_same_input_gives_the_same_decision() -> None:
    """Nothing but its arguments goes into a decision."""
    state, observation = under_way().state, seen(weighing(95, 5))

    assert decide(rollout(), state, observation) == decide(rollout(), state, observation)
