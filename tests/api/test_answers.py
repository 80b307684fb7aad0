"""What errors mean to the caller."""

import pytest
from structlog.testing import capture_logs

from rollout.api.answers import refusal_of
from rollout.api.feed import FeedClosed, TooManyReaders
from rollout.api.problems import MOST_PROBLEMS, invalid
from rollout.errors import (
    ConfigurationError,
    ConflictError,
    NotAllowedError,
    NotOursError,
    PermanentError,
    Problem,
    RolloutError,
    SourceTimeout,
    Unavailable,
)

PROBLEM = Problem("spec.steps", "is required", given="nothing", allowed="a list")


@pytest.mark.parametrize(
    ("error", "status", "retry"),
    [
        (ConfigurationError((PROBLEM,)), 422, ""),
        (ConflictError("other"), 409, ""),
        (NotOursError("gone"), 404, ""),
        (NotAllowedError("not granted"), 403, ""),
        (TooManyReaders("full"), 429, "1"),
        (FeedClosed("ends"), 503, "1"),
        (Unavailable("away"), 503, "1"),
        (SourceTimeout("late"), 503, "1"),
    ],
)
def test_each_error_has_its_status(error: RolloutError, status: int, retry: str) -> None:
    """The tree of errors decides about status and about coming back; the sentence is the error's."""
    refused = refusal_of(error)

    assert (refused.status, refused.headers.get("Retry-After", "")) == (status, retry)
    assert str(refused) == str(error)


def test_a_conflict_under_a_condition_is_a_failed_condition() -> None:
    """Whoever named a version is told that it is another one."""
    assert refusal_of(ConflictError("other"), conditional=True).status == 412


def test_what_cannot_be_helped_is_logged() -> None:
    """An error that is nobody's input is 500, and stands in the log."""
    with capture_logs() as logs:
        refused = refusal_of(PermanentError("the database is damaged"))

    assert refused.status == 500
    assert [entry["why"] for entry in logs] == ["the database is damaged"]


def test_many_problems_are_one_sentence_and_a_list_with_a_bound() -> None:
    """The detail says how many there are and the first; the list has the first hundred."""
    many = [Problem(f"spec.f{number}", "is not a known field") for number in range(500)]
    refused = invalid(*many)

    assert refused.detail == "500 things are wrong, the first: spec.f0: is not a known field"
    assert len(refused.problems) == MOST_PROBLEMS


def test_the_problem_of_another_document_names_it() -> None:
    """Where the policy is at fault, the field says so."""
    refused = invalid(Problem("spec.steps", "is required", source="RolloutPolicy shop/house"))

    assert refused.problems[0].field == "RolloutPolicy shop/house: spec.steps"
