"""What a restart of the controller does to a step: nothing to its hold time, nor to the changes of others."""

from dataclasses import replace

import pytest

from rollout.engine.decide import Decision, decide
from rollout.engine.observation import Acceptance, Observation
from rollout.engine.reasons import Reason
from rollout.engine.settling import SETTLE_SECONDS
from rollout.engine.state import Hold, State
from rollout.engine.table import Phase
from rollout.spec.resource import Rollout
from tests.engine.builders import DOWN, NOW, ROUTE, UP, V1, V2, command, rollout, seen, weighing

ROLLOUT, NEXT = rollout(), rollout(revision="2")
AT_STEP_1 = weighing(95, 5)


@pytest.fixture
def entered() -> State:
    """The state as it is recorded on entering step 1, before its weights are written."""
    adopted = decide(ROLLOUT, State(), seen()).state
    return decide(NEXT, adopted, seen()).state


def passed(
    state: State, observation: Observation, *, seconds: float, started: float, wanted: Rollout = NEXT
) -> Decision:
    """Return what a pass decides so long after the step was entered, of a controller that started so long after it."""
    return decide(wanted, state, replace(observation, now=NOW + seconds, session_started_at=NOW + started))


def test_hold_time_counts_from_the_move_when_the_controller_ended_right_after_it(entered: State) -> None:
    """Weights that were written by a controller that had no time to note it have been in force since then."""
    state = passed(entered, seen(AT_STEP_1), seconds=3, started=2.9).state

    assert state.hold == Hold(0.0, NOW)


def test_hold_time_counts_from_now_when_the_weights_were_not_written(entered: State) -> None:
    """Weights that a killed controller did not write are written first; until then nothing counts."""
    before = passed(entered, seen(), seconds=3, started=2.9)
    state = passed(before.state, seen(AT_STEP_1), seconds=4, started=2.9).state

    assert before.writes
    assert before.state.hold == Hold()
    assert state.hold == Hold(0.0, NOW + 4)


def test_hold_time_counts_from_the_write_when_a_second_controller_ended_right_after_it(entered: State) -> None:
    """Killed before the write, and again after it: the time between the two does not count, the time after does."""
    written = passed(entered, seen(), seconds=3, started=2.9)
    state = passed(written.state, seen(AT_STEP_1), seconds=5, started=4.9).state

    assert written.significant
    assert state.hold == Hold(0.0, NOW + 3)


def test_hold_time_does_not_count_from_a_write_that_failed(entered: State) -> None:
    """A write that the gateway refused is not one that was in force before the restart."""
    failed = passed(entered, seen(write_problem="refused"), seconds=1, started=-3600)
    state = passed(failed.state, seen(AT_STEP_1), seconds=60, started=59).state

    assert failed.significant
    assert state.hold == Hold(0.0, NOW + 60)


def test_hold_time_that_stood_still_before_a_restart_counts_from_now(entered: State) -> None:
    """Time in which the step was known to wait for something else is not given back by a restart."""
    unaccepted = replace(AT_STEP_1, acceptance=Acceptance.PENDING)
    written = passed(entered, seen(), seconds=0.1, started=-3600).state
    first = passed(written, seen(unaccepted), seconds=0.2, started=-3600).state
    waiting = passed(first, seen(unaccepted), seconds=0.2 + SETTLE_SECONDS, started=-3600)
    state = passed(waiting.state, seen(AT_STEP_1), seconds=60, started=59).state

    assert waiting.significant
    assert waiting.state.reason == Reason.WAITING_FOR_ROUTES
    assert state.hold == Hold(0.0, NOW + 60)


@pytest.mark.parametrize(
    "stopped",
    [
        {"routes": {ROUTE: replace(AT_STEP_1, acceptance=Acceptance.REFUSED)}},
        {"endpoints": {V1: DOWN, V2: UP}},
        {"command": command("pause", at=NOW + 7004)},
        {"problems": ("policy default does not exist",)},
    ],
    ids=["refused", "stable down", "paused", "invalid"],
)
def test_hold_time_that_only_memory_knew_is_kept_by_what_stops_it(entered: State, stopped: dict[str, object]) -> None:
    """A step that went on course for two hours has them still where the first look after a restart is a bad one."""
    held = passed(entered, seen(AT_STEP_1), seconds=0.1, started=-3600)
    state = passed(entered, replace(seen(AT_STEP_1), **stopped), seconds=7004, started=7003).state  # type: ignore[arg-type]

    assert not held.significant
    assert state.hold == Hold(7004.0)


def test_hold_time_counts_from_the_first_pass_in_one_session(entered: State) -> None:
    """Without a restart hold time begins when the weights are seen in the route."""
    state = passed(entered, seen(AT_STEP_1), seconds=0.1, started=-3600).state

    assert state.hold == Hold(0.0, NOW + 0.1)


def told(decision: Decision) -> str:
    """Return what the condition for drift says."""
    return next(one.status for one in decision.state.conditions if one.type == "DriftDetected")


def test_weights_changed_by_hand_while_the_controller_was_away_pause_where_that_is_asked_for(entered: State) -> None:
    """That the step's weights were written is in no record; those found are neither these nor the ones before."""
    by_hand = seen(weighing(30, 70))
    decision = passed(entered, by_hand, seconds=60, started=59, wanted=rollout(revision="2", drift="Pause"))

    assert (decision.state.phase, decision.state.reason) == (Phase.PAUSED, Reason.DRIFT_DETECTED)
    assert decision.writes == ()


def test_weights_changed_by_hand_while_the_controller_was_away_are_put_back_and_told(entered: State) -> None:
    """With Correct they are written over as any other drift, not as an unfinished write of our own."""
    decision = passed(entered, seen(weighing(30, 70)), seconds=60, started=59)

    assert [write.weights for write in decision.writes] == [((V1, 95), (V2, 5))]
    assert (told(decision), decision.state.drift.repairs) == ("True", (NOW + 60,))


def test_weights_from_before_the_step_are_our_unfinished_write(entered: State) -> None:
    """A controller that was killed between the record and the write blames nobody."""
    decision = passed(entered, seen(), seconds=60, started=59, wanted=rollout(revision="2", drift="Pause"))

    assert [write.weights for write in decision.writes] == [((V1, 95), (V2, 5))]
    assert told(decision) == "False"


def test_weights_that_were_known_when_the_step_began_are_written_over() -> None:
    """What somebody had left there is what the start was to end, also where a restart comes before its write."""
    paused = rollout(drift="Pause")
    adopted = decide(paused, State(), seen()).state
    left = decide(paused, adopted, seen(weighing(30, 70))).state
    started = decide(paused, left, seen(weighing(30, 70), command=command("start", revision="2"))).state
    decision = passed(started, seen(weighing(30, 70)), seconds=60, started=59, wanted=paused)

    assert left.drift.hands_off
    assert [write.weights for write in decision.writes] == [((V1, 95), (V2, 5))]


def test_an_abort_is_written_over_weights_that_were_changed_while_the_controller_was_away(entered: State) -> None:
    """Also where changes are to be ignored: nobody knows that its weights have been there yet."""
    ignored = rollout(revision="2", drift="Ignore")
    aborting = decide(ignored, entered, seen(AT_STEP_1, command=command("abort"))).state
    decision = passed(aborting, seen(weighing(30, 70)), seconds=60, started=59, wanted=ignored)

    assert aborting.phase is Phase.ABORTING
    assert [write.weights for write in decision.writes] == [((V1, 100), (V2, 0))]
