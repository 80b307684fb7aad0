"""When a question is asked again, and how long that waits."""

import pytest

from rollout.api.models import ProblemView
from rollout.cli.failures import ApiProblem, NotUnderstood, ServerAway, TimedOut
from rollout.cli.retries import Limits, backoff, is_safe_again, retry_after, wait_before_again


def problem(status: int, wait: str = "") -> ApiProblem:
    """Return a problem of the server."""
    return ApiProblem(ProblemView(type="", title="", status=status, detail="no", instance=""), retry_after=wait)


@pytest.mark.parametrize("again", [True, False])
@pytest.mark.parametrize(
    "error",
    [ServerAway("away", sent=False), problem(429), problem(503), problem(503, "10")],
)
def test_what_was_not_done_is_asked_again(error: Exception, again: bool) -> None:  # noqa: FBT001 - a column
    """Whatever was asked."""
    assert is_safe_again(error, again=again)


def test_a_lost_answer_is_asked_for_again_only_where_twice_is_once() -> None:
    """The first may have been carried out."""
    lost = ServerAway("broken", sent=True)

    assert is_safe_again(lost, again=True)
    assert not is_safe_again(lost, again=False)


@pytest.mark.parametrize(
    "error",
    [
        TimedOut("late"),
        NotUnderstood("what"),
        problem(500),
        problem(409),
        problem(404),
        problem(503, "11"),
        ValueError(),
    ],
)
def test_all_else_is_not_asked_again(error: Exception) -> None:
    """A refusal, an answer that does not come, and a server that asks for a long wait."""
    assert not is_safe_again(error, again=True)


def test_a_backoff_doubles_up_to_its_bound() -> None:
    """With full chance; by chance it is down to half of that."""
    full, half = Limits(chance=lambda: 1.0), Limits(chance=lambda: 0.0)

    assert [backoff(tries, full) for tries in (1, 2, 3, 6, 400)] == [0.2, 0.4, 0.8, 5.0, 5.0]
    assert [backoff(tries, half) for tries in (1, 400)] == [0.1, 2.5]


def test_a_server_that_asks_for_a_wait_gets_it() -> None:
    """And a little more, so that not all come at once."""
    limits = Limits(chance=lambda: 0.5)

    assert wait_before_again(problem(429, "3"), 1, limits) == 3.1
    assert wait_before_again(problem(429), 1, limits) == backoff(1, limits)


@pytest.mark.parametrize("text", ["", "soon", "-1", "1.5", "Wed, 21 Oct 2026 07:28:00 GMT", "9999999", "²"])
def test_a_wait_that_cannot_be_read_is_none(text: str) -> None:
    """Only whole seconds are read, which is what rollout sends."""
    assert retry_after(problem(503, text)) is None
