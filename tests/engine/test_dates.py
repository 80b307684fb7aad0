"""Facts about dates: they are those of the calendar, and nothing is lost on the way."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.engine.dates import rfc3339, unix_seconds

ROWS = [
    (0.0, "1970-01-01T00:00:00Z"),
    (1.0, "1970-01-01T00:00:01Z"),
    (951782400.0, "2000-02-29T00:00:00Z"),
    (951868799.0, "2000-02-29T23:59:59Z"),
    (951868800.0, "2000-03-01T00:00:00Z"),
    (4107542400.0, "2100-03-01T00:00:00Z"),
    (1800000001.25, "2027-01-15T08:00:01.25Z"),
    (1800000001.1, "2027-01-15T08:00:01.1Z"),
    (1735689599.999, "2024-12-31T23:59:59.999Z"),
]


@pytest.mark.parametrize(("seconds", "text"), ROWS, ids=[text for _, text in ROWS])
def test_seconds_are_written_as_a_date(seconds: float, text: str) -> None:
    """Leap days, ends of years and fractions are those of the calendar."""
    assert rfc3339(seconds) == text


@pytest.mark.parametrize(("seconds", "text"), ROWS, ids=[text for _, text in ROWS])
def test_a_date_is_read_as_seconds(seconds: float, text: str) -> None:
    """And back."""
    assert unix_seconds(text) == seconds


@given(st.integers(0, 250_000_000_000))
def test_every_second_is_that_of_the_calendar(seconds: int) -> None:
    """Up to the year 9892 the arithmetic agrees with the standard library."""
    expected = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    assert rfc3339(float(seconds)) == expected.rjust(len("2027-01-15T08:00:01Z"), "0")


@given(st.floats(10_000_000, 250_000_000_000, allow_nan=False))
def test_a_time_comes_back_to_the_last_bit(seconds: float) -> None:
    """What was decided at a time is the same after a restart."""
    assert unix_seconds(rfc3339(seconds)) == seconds


def test_no_more_than_nanoseconds_are_written() -> None:
    """Programs that read dates know no smaller part of a second."""
    assert rfc3339(0.123456789123) == "1970-01-01T00:00:00.123456789Z"


@pytest.mark.parametrize("text", ["", "soon", "2027-01-15", "2027-01-15T08:00:01", "2027-01-15T08:00:01+01:00", "1.5"])
def test_what_is_no_date_is_refused(text: str) -> None:
    """A text without zone, with another one, or of another kind is not guessed at."""
    with pytest.raises(ValueError, match="RFC 3339"):
        unix_seconds(text)
