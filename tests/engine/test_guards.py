"""Facts about the guards, one by one: when each speaks, what it says, and that it is silent otherwise."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollout.analysis.judge import Judgement, JudgeState, Verdict, begin_attempt
from rollout.engine import guards
from rollout.engine.guards import At
from rollout.engine.hooks import GateAnswer, GateKey
from rollout.engine.observation import Acceptance, Endpoints, Observation
from rollout.engine.reasons import Reason
from rollout.engine.state import Hold, State
from rollout.spec.resource import Gateway
from tests.engine.builders import DOWN, NOW, ROUTE, UP, V1, V2, answered, context, rollout, seen, under_way, weighing

ERRORS = {"checks": [{"name": "errors", "kind": "Errors"}]}
GATE = {"url": "https://ci.example/ok", "name": "load-test"}
UNKNOWN = Endpoints(ready=0, total=0, known=False)
STATE = under_way().state
JUDGE = begin_attempt(NOW - 100)


def _at(
    state: State = STATE, observation: Observation | None = None, word: Judgement | None = None, **spec: object
) -> At:
    """Return what guards look at: step 1 of 2 at 5 %, its weights written, unless said otherwise."""
    found = observation if observation is not None else seen(weighing(95, 5))
    return At(state, context(rollout(**spec), found), word)


def _word(verdict: Verdict, reason: str, message: str = "it is so") -> Judgement:
    return Judgement(JUDGE, verdict, reason, message, ())


def test_a_sound_step_is_only_holding() -> None:
    """Of all guards, the hold time alone speaks of a step that has just been written."""
    speaking = [guard.__name__ for guard in guards.LEAVING if guard(_at())]

    assert speaking == ["hold_time"]


# ---------------------------------------------------------------- routes


def test_weights_that_are_not_there_are_waited_for() -> None:
    """A route that says something else than intended is not written yet."""
    assert guards.unwritten(_at(observation=seen(weighing(100, 0)))) == (
        Reason.WAITING_FOR_WRITE,
        "The intended weights are not in every route yet.",
    )


def test_why_a_write_failed_is_told() -> None:
    """What the last write met stands in the sentence."""
    said = guards.unwritten(_at(observation=seen(weighing(100, 0), write_problem="refused")))

    assert said == (Reason.WAITING_FOR_WRITE, "The intended weights are not in every route yet: refused.")


@pytest.mark.parametrize(
    ("acceptance", "message", "sentence"),
    [
        (Acceptance.PENDING, "", f"The gateway has not accepted {ROUTE}."),
        (Acceptance.REFUSED, "no such backend", f"The gateway refuses {ROUTE}: no such backend."),
    ],
)
def test_a_route_that_is_not_accepted_is_waited_for(acceptance: Acceptance, message: str, sentence: str) -> None:
    """Pending and refused differ in their sentence, not in what they do."""
    view = replace(weighing(95, 5), acceptance=acceptance, message=message)

    assert guards.unaccepted(_at(observation=seen(view))) == (Reason.WAITING_FOR_ROUTES, sentence)


def test_acceptance_is_not_asked_for_where_it_means_nothing() -> None:
    """With verifyRouteStatus false a gateway that never answers stops nothing."""
    state = replace(STATE, gateway=Gateway.model_validate({"verifyRouteStatus": False}))
    view = replace(weighing(95, 5), acceptance=Acceptance.PENDING)

    assert guards.unaccepted(_at(state, seen(view))) is None


def test_a_route_that_is_gone_is_not_waited_for() -> None:
    """A missing route is told as Invalid, not as one that is not accepted."""
    assert guards.unaccepted(_at(observation=seen(routes={ROUTE: None}))) is None


# ---------------------------------------------------------------- endpoints


@pytest.mark.parametrize(("found", "speaks"), [(UP, False), (DOWN, True), (UNKNOWN, False)])
def test_a_stable_that_is_known_to_be_down_holds(found: Endpoints, speaks: bool) -> None:  # noqa: FBT001 - a row
    """Only what is known to be down: endpoints that nobody has seen yet are no evidence."""
    said = guards.stable_down(_at(observation=seen(weighing(95, 5), endpoints={V1: found, V2: UP})))

    assert bool(said) is speaks
    assert said is None or said[0] == Reason.CANARY_CARRIES_ALL


@pytest.mark.parametrize(
    ("found", "sentence"),
    [(DOWN, f"{V2} has 0 of 2 endpoints ready."), (UNKNOWN, f"{V2} has not been seen yet.")],
)
def test_a_canary_gets_weight_only_when_it_is_known_to_be_ready(found: Endpoints, sentence: str) -> None:
    """Here not knowing is reason enough: a step needs a ready endpoint."""
    said = guards.canary_not_ready(_at(observation=seen(weighing(95, 5), endpoints={V1: UP, V2: found})))

    assert said == (Reason.CANARY_NOT_READY, sentence)


# ---------------------------------------------------------------- the judge


def test_a_hold_of_the_judge_is_passed_on() -> None:
    """Its reason is unchanged, its message is a sentence."""
    assert guards.verdict_holds(_at(word=_word(Verdict.HOLD, "NoData", "no new samples"))) == (
        "NoData",
        "No new samples.",
    )


@pytest.mark.parametrize("verdict", [Verdict.PASS, Verdict.CONTINUE])
def test_no_other_verdict_holds(verdict: Verdict) -> None:
    """Pass and Continue let the step go on."""
    assert guards.verdict_holds(_at(word=_word(verdict, "WithinTolerance"))) is None


def test_too_few_requests_are_waited_for() -> None:
    """The judge's word that there are too few keeps the step, with its sentence."""
    word = _word(Verdict.CONTINUE, "TooFewRequests", "3 of 20 requests")

    assert guards.too_few_requests(_at(word=word)) == ("TooFewRequests", "3 of 20 requests.")


def test_without_weight_no_requests_can_come() -> None:
    """A step of 0 % does not wait for requests for ever."""
    state = replace(STATE, share=0.0)

    assert guards.too_few_requests(_at(state, word=_word(Verdict.CONTINUE, "TooFewRequests"))) is None


def _rated(rate: float | None) -> State:
    return replace(STATE, judge=replace(JUDGE, requests_per_second=rate))


FEW = _word(Verdict.CONTINUE, "TooFewRequests")


def test_a_plan_that_is_too_short_is_told_with_a_weight_that_would_do() -> None:
    """2 requests a second at 5 % for two minutes are 12: 20 would need 9 %."""
    said = guards.plan_too_short(_at(_rated(2.0), word=FEW, analysis=ERRORS))
    assert said is not None

    assert said[0] == "TooFewRequests"
    assert said[1].startswith("At 2 requests a second about 12 of analysis.minRequests 20")
    assert "a weight of 9 would do" in said[1]


@pytest.mark.parametrize("rate", [None, 100.0])
def test_nothing_is_said_of_a_plan_that_may_do(rate: float | None) -> None:
    """Traffic that is not known yet, or that suffices, is not complained about."""
    assert guards.plan_too_short(_at(_rated(rate), word=FEW, analysis=ERRORS)) is None


def test_a_later_step_that_is_too_short_is_not_told_now() -> None:
    """The sentence is of the step that the attempt is in."""
    state = replace(_rated(2.0), step=2, share=50.0)

    assert guards.plan_too_short(_at(state, word=FEW, analysis=ERRORS)) is None


@pytest.mark.parametrize(("effective", "speaks"), [("Blocks", True), ("Differs", False), ("Unknown", False)])
def test_weights_that_are_far_from_what_is_served_hold(effective: str, speaks: bool) -> None:  # noqa: FBT001 - a row
    """Only a share under a third or over three times the weight blocks a step."""
    judge = replace(JUDGE, changed_canary=300, changed_stable=700)
    said = guards.ineffective(_at(replace(STATE, effective=effective, judge=judge)))

    assert bool(said) is speaks
    assert said is None or said[1] == "The canary got 300 of 1000 requests at a weight of 5 %."


def test_a_share_without_counts_is_still_told() -> None:
    """Also where the judge's state is gone there is a sentence."""
    assert guards.ineffective(_at(replace(STATE, effective="Blocks", judge=None))) == (
        Reason.WEIGHTS_INEFFECTIVE,
        "The canary got none requests at a weight of 5 %.",
    )


# ---------------------------------------------------------------- time


def test_hold_time_is_told_with_what_is_left() -> None:
    """The sentence has the step, its weight and the rest."""
    state = replace(STATE, hold=Hold(30.0))

    assert guards.hold_time(_at(state)) == (
        Reason.HOLDING,
        "Step 1 of 2 at 5 %: 1m30s of 2m hold time left.",
    )


@pytest.mark.parametrize("state", [replace(STATE, hold=Hold(120.0)), replace(STATE, hold_over=True)])
def test_hold_time_that_is_over_or_skipped_is_silent(state: State) -> None:
    """Neither the last second nor a skip leaves anything to wait for."""
    assert guards.hold_time(_at(state)) is None


def test_before_the_first_step_there_is_no_hold_time() -> None:
    """Step 0 has no hold, no approval and no requests of its own."""
    state = replace(STATE, step=0, judge=JUDGE)

    assert [guard(_at(state)) for guard in (guards.hold_time, guards.approval, guards.step_requests)] == [None] * 3


@pytest.mark.parametrize(("held", "speaks"), [(29.0, True), (30.0, False)])
def test_an_early_pass_takes_a_quarter_of_the_hold_time(held: float, speaks: bool) -> None:  # noqa: FBT001 - a row
    """However early the evidence is there, a step takes a quarter of its time."""
    state = replace(STATE, hold=Hold(held))
    said = guards.hold_time(_at(state, word=_word(Verdict.PASS, "EarlyPass")))

    assert bool(said) is speaks


# ---------------------------------------------------------------- samples

STARTED = NOW - 50


def _looked(**judge: object) -> State:
    known: JudgeState = replace(JUDGE, **judge)  # type: ignore[arg-type]
    return replace(STATE, judge=known, step_at=NOW - 100, looked_at=STARTED + 1)


def _restarted() -> Observation:
    return seen(weighing(95, 5), session_started_at=STARTED)


def test_a_fresh_sample_since_the_start_is_enough() -> None:
    """One sample that was judged since the controller began, and is not old."""
    assert guards.fresh_tick(_at(_looked(last_tick_at=NOW - 5), _restarted(), analysis=ERRORS)) is None


@pytest.mark.parametrize("last", [None, NOW - 40])
def test_without_a_fresh_sample_the_step_is_not_left(last: float | None) -> None:
    """Nothing since the start, or something old that was asked for again, is not fresh."""
    said = guards.fresh_tick(_at(_looked(last_tick_at=last), _restarted(), analysis=ERRORS))

    assert said is not None
    assert said[0] == Reason.WAITING_FOR_FRESH_TICK


@pytest.mark.parametrize(
    ("state", "spec"),
    [
        (_looked(), {}),
        (replace(_looked(), share=0.0), {"analysis": ERRORS}),
        (replace(_looked(), judge=None), {"analysis": ERRORS}),
        (replace(_looked(), step_at=NOW - 10), {"analysis": ERRORS}),
    ],
    ids=["no checks", "no weight", "nothing judged", "a step of this controller"],
)
def test_no_fresh_sample_is_asked_for_where_none_is_needed(state: State, spec: dict[str, object]) -> None:
    """Without checks or weight, and in a step that this controller began, there is nothing to wait for."""
    assert guards.fresh_tick(_at(state, _restarted(), None, **spec)) is None


@pytest.mark.parametrize(("age", "speaks"), [(9.0, False), (10.0, True), (10.9, True), (11.0, False)])
def test_a_sample_that_is_due_is_waited_for(age: float, speaks: bool) -> None:  # noqa: FBT001 - a row
    """For a tenth of the cadence after it should be there, and no longer."""
    assert bool(guards.sample_due(_at(_looked(last_tick_at=NOW - age)))) is speaks


# ---------------------------------------------------------------- requests, people, gates


def test_the_steps_own_requests_are_waited_for() -> None:
    """What the step asks for is compared with what it got."""
    steps = [{"weight": 5, "minRequests": 500}, {"weight": 50}]
    at = _at(replace(STATE, judge=replace(JUDGE, step_canary_requests=499)), steps=steps)

    assert guards.step_requests(at) == (
        Reason.WAITING_FOR_REQUESTS,
        "499 of 500 requests that step 1 asks for.",
    )


def test_an_approval_is_waited_for() -> None:
    """Until it has come for this very step."""
    steps = [{"weight": 5, "approval": True}, {"weight": 50}]

    assert guards.approval(_at(steps=steps)) == (Reason.WAITING_FOR_APPROVAL, "Step 1 of 2 needs an approval.")
    assert guards.approval(_at(replace(STATE, approved_step=1), steps=steps)) is None


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ({}, "Gate load-test: has not answered yet."),
        (answered(GATE, message="answered 403"), "Gate load-test: answered 403."),
    ],
)
def test_a_gate_that_has_not_agreed_is_waited_for(answers: dict[GateKey, GateAnswer], sentence: str) -> None:
    """No answer is no agreement."""
    steps = [{"weight": 5, "gates": [GATE]}, {"weight": 50}]
    said = guards.exit_gates(_at(observation=seen(weighing(95, 5), gates=answers), steps=steps))

    assert said == (Reason.WAITING_FOR_GATE, sentence)


def test_a_gate_that_agrees_is_silent() -> None:
    """An agreement of this pass lets the step be left."""
    steps = [{"weight": 5, "gates": [GATE]}, {"weight": 50}]

    assert guards.exit_gates(_at(observation=seen(weighing(95, 5), gates=answered(GATE)), steps=steps)) is None


def test_the_first_that_speaks_is_heard() -> None:
    """Of several guards the first in the list gives the reason."""
    observation = seen(weighing(100, 0), endpoints={V1: DOWN, V2: DOWN})

    assert guards.first(guards.LEAVING, _at(observation=observation)) == guards.unwritten(_at(observation=observation))
    assert guards.first((), _at()) is None
