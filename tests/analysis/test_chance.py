"""Chance: how often healthy canaries are aborted, and how soon bad ones are, over many seeded rollouts.

The plan is 5, 10, 25, 50 and 95 %, 60 s each, looked at every 10 s; 0.1 % of requests fail by themselves; stable has
four pods. The bounds are those that the judge was designed for.
"""

from __future__ import annotations

from statistics import mean, median

import pytest

from rollout.analysis.reasons import Reason
from tests.analysis.worlds import SLOW_BOUNDS, TWICE_AS_SLOW, Outcome, World, roll_out

pytestmark = pytest.mark.long

USUAL = 0.001


def canary(share: float, *, since: float = 0.0) -> World:
    """Return a world whose canary fails this share of requests from some second on."""
    return World(errors=lambda at, pod: share if pod == "c1" and at >= since else USUAL)


def rollouts(world: World, number: int = 25) -> list[Outcome]:
    """Return the outcomes of seeded rollouts in a world."""
    return [roll_out(world, seed) for seed in range(number)]


HEALTHY = {
    "1000 requests per second": World(rps=1000),
    "100 requests per second": World(),
    "10 requests per second": World(rps=10),
    "1 request per second": World(rps=1),
    "0.7 % fail everywhere": World(errors=lambda _at, _pod: 0.007),
    "an incident of 60 s in both arms": World(errors=lambda at, _pod: 0.2 if 100 <= at < 160 else USUAL),
    "the same, with stable one scrape late": World(
        errors=lambda at, pod: 0.2 if 100 <= (at if pod == "c1" else at - 10) < 160 else USUAL
    ),
    "a lasting incident in both arms": World(errors=lambda at, _pod: 0.2 if at >= 100 else USUAL),
    "errors in bursts of ten": World(burst=10),
    "pauses of one pod": World(slow=lambda at, _pod: {0.25: 0.2, 0.5: 0.15} if at % 70 == 10 else SLOW_BOUNDS),
    "a canary that is slow for 20 s": World(
        slow=lambda at, pod: {0.25: 0.6, 0.5: 0.4} if pod == "c1" and at < 20 else SLOW_BOUNDS
    ),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_canaries_are_not_aborted(name: str) -> None:
    """None of 25 is aborted (the design allows 3 of 1,000)."""
    aborted = [outcome for outcome in rollouts(HEALTHY[name]) if outcome.aborted_at is not None]

    assert aborted == []


def test_a_lasting_incident_in_both_arms_is_held() -> None:
    """All looks while both arms fail alike say Hold."""
    held = [outcome.held for outcome in rollouts(HEALTHY["a lasting incident in both arms"], 10)]

    assert min(held) >= 19


@pytest.mark.parametrize(
    ("world", "seconds", "failed"),
    [
        pytest.param(canary(0.05), 30, 10, id="5 % errors"),
        pytest.param(canary(0.01), 120, 13, id="1 % errors"),
        pytest.param(World(rps=1000, errors=lambda _, pod: 0.005 if pod == "c1" else USUAL), 80, 26, id="0.5 %"),
        pytest.param(World(rps=10, errors=lambda _, pod: 0.2 if pod == "c1" else USUAL), 50, 6, id="20 % at 10 rps"),
        pytest.param(canary(0.05, since=150), 180, 41, id="5 % errors from 150 s on"),
        pytest.param(World(errors=lambda _, pod: 0.5 if pod == "c1" else 0.05), 30, 90, id="50 % against 5 %"),
    ],
)
def test_failing_canaries_are_all_caught_in_time(world: World, seconds: float, failed: float) -> None:
    """Every one is aborted for its errors; the median time and the mean of failed requests stay within bounds."""
    found = rollouts(world, 60)
    times = [outcome.aborted_at for outcome in found if outcome.aborted_at is not None]

    assert len(times) == len(found)
    assert {outcome.judgement.reason for outcome in found} == {Reason.EVIDENCE_OF_ERRORS}
    assert median(times) <= seconds
    assert mean(outcome.failed for outcome in found) <= failed


def test_slow_canaries_are_all_caught_in_time() -> None:
    """Doubled latency is found in little over a minute, half of which is the warm-up."""
    found = rollouts(World(slow=lambda _, pod: TWICE_AS_SLOW if pod == "c1" else SLOW_BOUNDS), 50)
    times = [outcome.aborted_at for outcome in found if outcome.aborted_at is not None]

    assert len(times) == len(found)
    assert {outcome.judgement.reason for outcome in found} == {Reason.EVIDENCE_OF_SLOWNESS}
    assert median(times) <= 70
