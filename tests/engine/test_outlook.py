"""Facts about the outlook: all that is missing is told, with the time that it takes at present rates."""

from __future__ import annotations

from dataclasses import replace
from math import isfinite

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.analysis.judge import Verdict, begin_attempt
from rollout.analysis.reasons import Reason as Verdicts
from rollout.engine.decide import decide
from rollout.engine.outlook import Missing, Outlook, outlook
from rollout.engine.reasons import Reason
from rollout.engine.state import Hold, State, Word
from rollout.engine.table import Phase
from rollout.spec.resource import Rollout
from tests.engine.builders import DOWN, NOW, ROUTE, UP, V1, V2, at_rest, batch, rollout, seen, under_way, weighing

ERRORS = {"checks": [{"name": "errors", "kind": "Errors"}], "minRequests": 100}
JUDGE = begin_attempt(NOW - 100)
STATE = under_way().state


def _look(state: State = STATE, wanted: Rollout | None = None, **fields: object) -> Outlook:
    """Return the outlook of step 1 of 2 at 5 %, its weights written, unless said otherwise."""
    return outlook(wanted if wanted is not None else rollout(), state, seen(weighing(95, 5), **fields))  # type: ignore[arg-type]


def _judged(reason: str, verdict: Verdict = Verdict.CONTINUE, **fields: object) -> State:
    """Return the state in which the judge said this last, with these fields of what it remembers."""
    judge = replace(JUDGE, **fields)  # type: ignore[arg-type]
    return replace(STATE, judge=judge, word=Word(verdict, reason, "it is so"))


def _reasons(found: Outlook) -> list[str]:
    return [one.reason for one in found.missing]


def test_a_holding_step_has_its_hold_time_left() -> None:
    """Half a minute into a hold of two, a minute and a half are left until step 2 at 50 %."""
    found = _look(now=NOW + 30)

    assert (found.step, found.weight, found.seconds) == (2, 50, 90)
    assert _reasons(found) == [Reason.HOLDING]


def test_the_end_follows_the_last_step() -> None:
    """After the last step comes no step but full weight."""
    found = _look(wanted=rollout(steps=[{"weight": 5, "hold": "2m"}]))

    assert (found.step, found.weight) == (0, 100)


def test_everything_that_is_missing_is_told() -> None:
    """Hold time, an approval and a gate: all are told at once, and a person's time is not known."""
    gate = {"url": "https://ci.example/ok", "name": "load-test"}
    found = _look(wanted=rollout(steps=[{"weight": 5, "hold": "2m", "approval": True, "gates": [gate]}]))

    assert _reasons(found) == [Reason.HOLDING, Reason.WAITING_FOR_APPROVAL, Reason.WAITING_FOR_GATE]
    assert [one.seconds for one in found.missing] == [120, None, None]
    assert found.seconds is None


def test_requests_take_their_time_at_present_rates() -> None:
    """At 40 requests a second and a weight of 5 %, 80 canary requests take 40 seconds."""
    state = _judged(Verdicts.TOO_FEW_REQUESTS, canary_requests=20, requests_per_second=40.0)
    found = _look(state, rollout(analysis=ERRORS, steps=[{"weight": 5, "hold": "1s"}]), now=NOW + 60)

    assert (Verdicts.TOO_FEW_REQUESTS, 40) in [(one.reason, one.seconds) for one in found.missing]


def test_requests_of_the_step_take_their_time() -> None:
    """A step's own number of requests is foreseen in the same way."""
    state = _judged(Verdicts.WITHIN_TOLERANCE, step_canary_requests=30, requests_per_second=40.0)
    found = _look(state, rollout(steps=[{"weight": 5, "hold": "1s", "minRequests": 50}]), now=NOW + 60)

    assert [(one.reason, one.seconds) for one in found.missing] == [(Reason.WAITING_FOR_REQUESTS, 10)]
    assert found.seconds == 10


@pytest.mark.parametrize("rate", [None, 0.0, 1e-300])
def test_without_traffic_nobody_knows_when(rate: float | None) -> None:
    """Requests that do not come never come."""
    state = _judged(Verdicts.WITHIN_TOLERANCE, requests_per_second=rate)
    found = _look(state, rollout(steps=[{"weight": 5, "hold": "1s", "minRequests": 50}]), now=NOW + 60)

    assert found.seconds is None


def test_the_hold_time_of_a_held_step_is_not_known() -> None:
    """While the judge holds, hold time stands still: what is left of it says nothing about when it ends."""
    state = _judged(Verdicts.SOURCE_DOWN, Verdict.HOLD)
    found = _look(state, rollout(analysis=ERRORS))

    assert [(one.reason, one.seconds) for one in found.missing][:2] == [
        (Verdicts.SOURCE_DOWN, None),
        (Reason.HOLDING, None),
    ]


def test_a_fresh_sample_comes_within_the_cadence() -> None:
    """After a restart, one more sample is waited for: at most one cadence of 10 s."""
    state = replace(_judged(Verdicts.WITHIN_TOLERANCE), step_at=NOW - 100)
    found = _look(state, rollout(analysis=ERRORS), session_started_at=NOW)

    assert (Reason.WAITING_FOR_FRESH_TICK, 10) in [(one.reason, one.seconds) for one in found.missing]


def test_the_last_sample_of_a_step_is_foreseen() -> None:
    """A sample of every 10 s that is due right now is waited for one tenth of that."""
    state = _judged(Verdicts.WITHIN_TOLERANCE, last_tick_at=NOW - 10)
    found = _look(state, rollout(analysis=ERRORS))
    left = [one.seconds for one in found.missing if "its last sample is due" in one.message]

    assert left == [pytest.approx(1.0)]


def test_before_the_first_step_only_the_canary_is_missing() -> None:
    """A canary without ready endpoints is waited for, and nobody knows how long."""
    world = at_rest()
    world.endpoints = {V1: UP, V2: DOWN}
    world.tell("start", revision="2")
    found = outlook(world.wanted, world.state, world.observation())

    assert (found.step, found.weight, found.seconds) == (1, 5, None)
    assert _reasons(found) == [Reason.CANARY_NOT_READY]


def test_at_rest_nothing_is_missing() -> None:
    """An idle Rollout waits for nothing."""
    world = at_rest()

    assert outlook(world.wanted, world.state, world.observation()) == Outlook()


def test_a_pause_waits_for_a_person() -> None:
    """What a paused attempt waits for is what its pause says; its next step stays the next one."""
    world = under_way()
    world.tell("pause")
    found = outlook(world.wanted, world.state, world.observation())

    assert _reasons(found) == [Reason.PAUSED]
    assert (found.step, found.weight, found.seconds) == (2, 50, None)


def test_without_roles_no_step_is_next() -> None:
    """A Rollout whose roles are unknown waits for a person, and not for a step."""
    world = at_rest()
    world.state = State()
    world.views = {ROUTE: weighing(50, 50)}
    world.look()
    found = outlook(world.wanted, world.state, world.observation())

    assert world.state.phase is Phase.PAUSED
    assert found == Outlook(missing=(Missing(Reason.ROLES_UNKNOWN, world.state.message),))


@pytest.mark.parametrize(("ask", "phase"), [("abort", Phase.ABORTING), ("promote", Phase.PROMOTING)])
def test_ends_wait_for_the_routes(ask: str, phase: Phase) -> None:
    """Going back and going to the end wait until the weights are in every route."""
    world = under_way()
    world.lost = True
    world.tell(ask, **({"full": True} if ask == "promote" else {}))
    found = outlook(world.wanted, world.state, world.observation())

    assert world.state.phase is phase
    assert _reasons(found) == [Reason.WAITING_FOR_WRITE]


def test_an_invalid_rollout_waits_for_its_writer() -> None:
    """What is wrong with the manifest stands there."""
    state = replace(STATE, phase=Phase.INVALID, reason=Reason.INVALID, message="spec.steps: is wrong")
    found = outlook(None, state, seen())

    assert [(one.reason, one.message) for one in found.missing] == [(Reason.INVALID, "spec.steps: is wrong")]


def test_a_suspended_rollout_waits_for_its_writer() -> None:
    """While spec.suspend is true nothing else counts."""
    assert _reasons(_look(wanted=rollout(suspend=True))) == [Reason.SUSPENDED]


def test_a_plan_that_is_too_short_names_when_the_requests_would_be_there() -> None:
    """The hold time brings too few requests: how long the missing ones take is told with it."""
    state = _judged(Verdicts.WITHIN_TOLERANCE, canary_requests=20, requests_per_second=4.0, last_tick_at=NOW - 1)
    state = replace(state, word=Word(Verdict.CONTINUE, Verdicts.TOO_FEW_REQUESTS, "it is so"))
    found = _look(state, rollout(analysis=ERRORS, steps=[{"weight": 5, "hold": "10s"}]))

    assert {one.seconds for one in found.missing if one.reason == Verdicts.TOO_FEW_REQUESTS} == {400}


def test_a_state_without_judge_has_no_foresight() -> None:
    """Where nothing is remembered of an attempt, requests are not foreseen."""
    state = replace(STATE, judge=None, word=Word(Verdict.CONTINUE, Verdicts.TOO_FEW_REQUESTS, "it is so"))

    assert _reasons(_look(state, now=NOW + 30)) == [Reason.HOLDING]


def test_the_word_of_an_attempt_before_is_not_heard() -> None:
    """Before step 1 nothing was judged: what the judge said last was of another attempt."""
    judged = _judged(Verdicts.SOURCE_DOWN, Verdict.HOLD)
    state = replace(judged, step=0, share=0.0, hold=Hold())
    found = outlook(rollout(analysis=ERRORS), state, seen(weighing(100, 0), endpoints={V1: UP, V2: DOWN}))

    assert _reasons(found) == [Reason.CANARY_NOT_READY]


def test_edited_steps_that_begin_above_the_weight_have_no_hold_time() -> None:
    """Between two steps no hold time counts: the next one is waited for by what else holds."""
    state = replace(STATE, step=0)
    found = _look(state, rollout(steps=[{"weight": 50, "hold": "1m"}]), endpoints={V1: UP, V2: DOWN})

    assert _reasons(found) == [Reason.CANARY_NOT_READY]


def test_nothing_is_consumed() -> None:
    """The same look at the same things says the same, and the next decision is as it would have been without it."""
    world = under_way(analysis=ERRORS)
    observation = world.observation(batch=batch((NOW, 0, 0), (NOW + 10, 950, 50)))
    before = decide(world.wanted, world.state, observation)
    first = outlook(world.wanted, world.state, observation)

    assert outlook(world.wanted, world.state, observation) == first
    assert decide(world.wanted, world.state, observation) == before


@given(
    phase=st.sampled_from(Phase),
    said=st.none() | st.tuples(st.sampled_from(Verdicts), st.sampled_from(Verdict)),
    rate=st.none() | st.floats(min_value=0, max_value=1e9),
    now=st.floats(min_value=0, max_value=2 * NOW),
    step=st.integers(-1, 5),
    wanted=st.sampled_from([None, rollout(analysis=ERRORS), rollout()]),
)
def test_it_is_total(  # noqa: PLR0917 - as hypothesis gives them
    phase: Phase, said: tuple[str, Verdict] | None, rate: float | None, now: float, step: int, wanted: Rollout | None
) -> None:
    """Whatever the state, there is an outlook, and every number of seconds is finite and not negative."""
    judge = replace(JUDGE, requests_per_second=rate)
    word = Word(said[1], said[0], "it is so") if said else None
    state = replace(STATE, judge=judge, word=word, phase=phase, step=step)
    found = outlook(wanted, state, seen(weighing(95, 5), now=now))
    times = [one.seconds for one in found.missing] + [found.seconds]

    assert all(seconds is None or (seconds >= 0 and isfinite(seconds)) for seconds in times)
