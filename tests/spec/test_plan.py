"""Steps, ramps, and steps that run out of requests."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.spec.plan import ramp_length, steps_of, too_few_requests
from rollout.spec.traffic import Ramp, Step
from tests.spec.builders import rollout


def step(weight: float, hold: float = 60.0, min_requests: int = 0) -> Step:
    """Return a step with a hold time in seconds."""
    return Step.model_construct(weight=weight, hold=hold, min_requests=min_requests)


@pytest.mark.parametrize(
    ("start", "end", "by", "weights"),
    [
        (20, 50, 20, (20, 40, 50)),
        (5, 95, 30, (5, 35, 65, 95)),
        (10, 10, 5, (10,)),
        (0.1, 0.5, 0.1, (0.1, 0.2, 0.3, 0.4, 0.5)),
        (5, 6, 50, (5, 6)),
    ],
)
def test_a_ramp_is_steps(start: float, end: float, by: float, weights: tuple[float, ...]) -> None:
    """A ramp ends exactly at its end, never beyond."""
    spec = rollout(steps=None, ramp={"from": start, "to": end, "by": by, "every": "1m"}).spec

    assert tuple(found.weight for found in steps_of(spec)) == weights
    assert {found.hold for found in steps_of(spec)} == {60.0}


@given(
    st.floats(min_value=0.5, max_value=100),
    st.floats(min_value=0.5, max_value=100),
    st.floats(min_value=0.5, max_value=100),
)
def test_a_ramp_only_goes_up(one: float, other: float, by: float) -> None:
    """Whatever its numbers, a ramp rises from its start to its end and has as many steps as it says."""
    start, end = sorted((one, other))
    ramp = Ramp.model_validate({"from": start, "to": end, "by": by, "every": "1m"})
    spec = rollout().spec.model_copy(update={"steps": (), "ramp": ramp})
    weights = [found.weight for found in steps_of(spec)]

    assert weights == sorted(weights)
    assert weights[0] == pytest.approx(start)
    assert weights[-1] == pytest.approx(end)
    assert weights[-1] <= end
    assert len(weights) == ramp_length(ramp)


def test_steps_are_taken_as_they_are() -> None:
    """Steps of the spec are the plan."""
    spec = rollout().spec

    assert steps_of(spec) == spec.steps


def test_enough_traffic_is_no_shortage() -> None:
    """A step that gets its requests within its hold time is not short."""
    assert too_few_requests([step(10)], min_requests=20, requests_per_second=10) == ()


def test_the_first_step_waits_for_the_requests_of_the_attempt() -> None:
    """1 request/s at 5 % for a minute gives 3 of 20: it takes 400 s, or a weight of 34; later steps have them."""
    (short,) = too_few_requests([step(5), step(10)], min_requests=20, requests_per_second=1)

    assert (short.step, short.expected, short.seconds, short.weight) == (0, 3.0, 400.0, 34.0)
    assert short.sentence() == (
        "about 3 of analysis.minRequests 20 canary requests come in its hold time, so it takes 6m40s; "
        "a weight of 34 would do"
    )


def test_requests_of_earlier_steps_count_for_the_attempt() -> None:
    """With 9 requests from the first step, the second needs only the rest."""
    shorts = too_few_requests([step(50, 18), step(50, 22)], min_requests=20, requests_per_second=1)

    assert [short.step for short in shorts] == [0]


def test_a_step_counts_its_own_requests_by_itself() -> None:
    """A step's own minRequests are counted against its own hold time."""
    (short,) = too_few_requests([step(50, 600), step(50, 60, 100)], min_requests=20, requests_per_second=2)

    assert (short.step, short.of_attempt, short.expected, short.weight) == (1, False, 60.0, 84.0)


def test_a_step_without_weight_never_gets_requests() -> None:
    """At weight 0 the canary is never asked, so the step never ends."""
    (short,) = too_few_requests([step(0)], min_requests=20, requests_per_second=1)

    assert short.seconds is None
    assert "it never ends" in short.sentence()


def test_no_weight_helps_without_hold_time() -> None:
    """A step without hold time waits at any weight."""
    (short,) = too_few_requests([step(100, 0)], min_requests=20, requests_per_second=10)

    assert short.weight is None
    assert short.sentence().endswith("no weight would do within this hold time")


def test_a_small_weight_is_told_in_fractions() -> None:
    """Where less than 1 % would do, the advice has three digits."""
    (short,) = too_few_requests([step(0.01, 60)], min_requests=20, requests_per_second=1000)

    assert short.weight == 0.034
