"""Durations, percentages and plain numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from rollout.spec.quantities import (
    Flag,
    Number,
    Whole,
    format_duration,
    format_fraction,
    parse_duration,
    parse_fraction,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("0s", 0.0),
        ("500ms", 0.5),
        ("1.5s", 1.5),
        ("2m", 120.0),
        ("1h30m", 5400.0),
        ("1d", 86400.0),
        ("366d", 366 * 86400.0),
    ],
)
def test_a_duration_is_read_in_seconds(text: str, seconds: float) -> None:
    """Numbers with units add up to seconds."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("value", ["", "5", "s", "-5s", "5 s", "1y", "١s", "9" * 70 + "s", "367d", None, True, [], {}])
def test_what_is_no_duration_is_refused(value: object) -> None:
    """Anything but numbers with units is refused."""
    with pytest.raises(ValueError, match="duration"):
        parse_duration(value)


@pytest.mark.parametrize("value", [0, 5, 2.5])
def test_a_bare_number_is_no_duration(value: float) -> None:
    """A number without unit is refused with that reason, zero too."""
    with pytest.raises(ValueError, match="unit, not a bare number"):
        parse_duration(value)


@given(st.integers(min_value=0, max_value=366 * 86_400_000))
def test_a_duration_survives_writing_and_reading(milliseconds: int) -> None:
    """What is written for a duration is read back as the same duration, to the millisecond."""
    seconds = milliseconds / 1000

    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds, abs=1e-6)


@given(st.text(max_size=80))
def test_any_text_is_a_duration_or_refused(text: str) -> None:
    """No text makes the reader fail in another way than refusing it."""
    try:
        seconds = parse_duration(text)
    except ValueError:
        return

    assert 0 <= seconds <= 366 * 86400


@pytest.mark.parametrize(("text", "fraction"), [("0%", 0.0), ("0.5%", 0.005), ("99 %", 0.99), ("100%", 1.0)])
def test_a_percentage_is_read_as_a_fraction(text: str, fraction: float) -> None:
    """A percentage is a fraction of 1."""
    assert parse_fraction(text) == fraction


@pytest.mark.parametrize("value", ["", "99", "101%", "-1%", "%", "9" * 70 + "%", 0.99, 99, None, True])
def test_what_is_no_percentage_is_refused(value: object) -> None:
    """Anything but a number from 0 to 100 with a percent sign is refused."""
    with pytest.raises(ValueError, match="percentage"):
        parse_fraction(value)


@given(st.integers(min_value=0, max_value=100_000_000))
def test_a_percentage_survives_writing_and_reading(millionths_of_a_percent: int) -> None:
    """What is written for a fraction is read back as the same fraction."""
    fraction = round(millionths_of_a_percent / 100_000_000, 12)

    assert parse_fraction(format_fraction(fraction)) == pytest.approx(fraction, abs=1e-12)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Whole, "5"),
        (Whole, True),
        (Whole, 5.0),
        (Number, "5"),
        (Number, True),
        (Number, float("nan")),
        (Flag, 1),
        (Flag, "yes"),
    ],
)
def test_a_number_or_flag_is_only_what_it_looks_like(kind: type, value: object) -> None:
    """Text is no number, a boolean is no number, a number is no boolean, and 5.0 is not whole."""
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(value)
