"""Facts about the wait after a failure."""

from rollout.controller.backoff import FIRST_BACKOFF_SECONDS, LONGEST_BACKOFF_SECONDS, backoff


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
