"""What each answer of an API server means."""

import json

import pytest

from rollout.errors import ConflictError, NotOursError, PermanentError, RolloutError
from rollout.kube.faults import (
    LONGEST_MESSAGE,
    LONGEST_WAIT_SECONDS,
    MOST_CAUSES,
    Busy,
    Expired,
    Forbidden,
    Refused,
    fault,
)

WHAT = "PATCH /apis/x"
CAUSE = {"field": "spec.replicas", "message": "must be positive"}


def told(status: int, body: object = None, *, retry_after: str = "") -> RolloutError:
    """Return what an answer with this JSON means."""
    return fault(status, json.dumps(body or {}).encode(), what=WHAT, retry_after=retry_after)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, PermanentError),
        (401, Forbidden),
        (403, Forbidden),
        (404, NotOursError),
        (405, PermanentError),
        (409, ConflictError),
        (410, Expired),
        (413, PermanentError),
        (415, PermanentError),
        (422, ConflictError),
        (429, Busy),
        (500, Busy),
        (502, Busy),
        (503, Busy),
        (504, Busy),
        (302, PermanentError),
    ],
)
def test_a_code_has_a_meaning(status: int, expected: type[RolloutError]) -> None:
    """One for each, and never none."""
    assert type(told(status)) is expected


def test_a_refusal_says_which_fields_are_wrong() -> None:
    """An object that breaks a rule is refused; a `test` of a patch that failed has no causes."""
    error = told(422, {"message": "invalid", "details": {"causes": [CAUSE, "no cause", {}]}})

    assert isinstance(error, Refused)
    assert error.causes == (("spec.replicas", "must be positive"), ("", ""))
    assert str(error) == "PATCH /apis/x: the API server answered 422 (invalid)"


def test_what_an_api_server_says_is_bounded() -> None:
    """Its sentence, the number of causes, and each of them."""
    causes = [{"field": "f" * 1000, "message": "m" * 1000}] * 1000
    error = told(422, {"message": "x" * 10_000, "details": {"causes": causes}})

    assert isinstance(error, Refused)
    assert len(str(error)) < LONGEST_MESSAGE + 100
    assert error.causes == (("f" * LONGEST_MESSAGE, "m" * LONGEST_MESSAGE),) * MOST_CAUSES


@pytest.mark.parametrize("body", [b"<html>Bad Gateway</html>", b"", b"[]", b"null", b"\xff\xfe", b'{"message": null}'])
def test_an_answer_of_somebody_else_is_told_by_its_code(body: bytes) -> None:
    """A proxy's page says nothing to anybody."""
    assert str(fault(502, body, what=WHAT)) == "PATCH /apis/x: the API server answered 502"


@pytest.mark.parametrize("details", [None, "no", {"causes": None}, {"causes": {"a": "b"}}, {"causes": []}])
def test_details_of_any_shape_are_no_causes(details: object) -> None:
    """They are read as far as they are what they should be."""
    assert isinstance(told(422, {"details": details}), ConflictError)


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        ("", 0.0),
        ("3", 3.0),
        ("3600", LONGEST_WAIT_SECONDS),
        ("-1", 0.0),
        ("Wed, 21 Oct 2026 07:28:00 GMT", 0.0),
        ("²", 0.0),
    ],
)
def test_how_long_to_wait_is_obeyed_within_reason(retry_after: str, seconds: float) -> None:
    """In seconds, as API servers say it; up to ten of them."""
    for status in (429, 503):
        error = told(status, retry_after=retry_after)

        assert isinstance(error, Busy)
        assert error.after_seconds == seconds
