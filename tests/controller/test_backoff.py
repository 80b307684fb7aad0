"""Facts about the wait after a failure."""

import pytest

from rollout.controller.backoff import (
    FIRST_BACKOFF_SECONDS,
    LONGEST_BACKOFF_SECONDS,
    LONGEST_REFUSED_SECONDS,
    backoff,
    longest_after,
    record_wait,
)
from rollout.engine.state import State
from rollout.engine.table import Phase
from rollout.errors import PermanentError, RolloutError, Unavailable


def test_the_wait_doubles_with_each_failure_up_to_a_bound() -> None:
    """Without luck the whole of it is waited."""
    waits = [backoff(failures, 1.0) for failures in (1, 2, 3, 10, 10_000)]

    assert waits == [2 * FIRST_BACKOFF_SECONDS, 0.4, 0.8, LONGEST_BACKOFF_SECONDS, LONGEST_BACKOFF_SECONDS]


def test_chance_takes_up_to_half_of_it_away() -> None:
    """Those that failed together do not come back together."""
    assert (backoff(2, 0.0), backoff(2, 0.5)) == (0.2, 0.4 * 0.75)


def test_another_bound_may_be_longer() -> None:
    """Where nobody waits for the next try."""
    assert backoff(20, 1.0, longest=30.0) == 30.0


@pytest.mark.parametrize(
    ("error", "phase", "longest"),
    [
        (Unavailable("down"), Phase.IDLE, LONGEST_BACKOFF_SECONDS),
        (PermanentError("forbidden"), Phase.IDLE, LONGEST_REFUSED_SECONDS),
        (PermanentError("forbidden"), Phase.PROGRESSING, LONGEST_REFUSED_SECONDS),
        (PermanentError("forbidden"), Phase.ABORTING, LONGEST_BACKOFF_SECONDS),
    ],
)
def test_what_fails_for_good_is_tried_rarely_unless_it_is_an_abort(
    error: RolloutError, phase: Phase, longest: float
) -> None:
    """Only what takes traffic from a canary is tried every few seconds for as long as it is refused."""
    assert longest_after(error, State(phase=phase)) == longest


def test_the_record_of_an_abort_is_tried_soon_for_a_minute() -> None:
    """What is refused for longer is tried every few minutes; what may come back by itself every few seconds."""
    first = [record_wait(tries, 1.0, refused=True) for tries in range(1, 21)]

    assert sum(first) == 60
    assert (record_wait(1000, 1.0, refused=True), record_wait(1000, 0.0, refused=True)) == (240, 120)
    assert record_wait(1000, 1.0, refused=False) == 3
