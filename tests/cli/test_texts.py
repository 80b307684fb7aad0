"""How times, weights and foreign text are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.cli.texts import age, percent, safe, span


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0s"),
        (0, "0s"),
        (119.9, "119s"),
        (120, "2m"),
        (7199, "119m"),
        (7200, "2h"),
        (172_799, "47h"),
        (172_800, "2d"),
        (63_072_000, "2y"),
    ],
)
def test_an_age_is_written_as_kubernetes_does(seconds: float, text: str) -> None:
    """In its largest unit, but no sooner than at two of it."""
    assert age(seconds) == text


@pytest.mark.parametrize(("seconds", "text"), [(-1, "0s"), (0.4, "0s"), (59, "59s"), (245, "4m05s"), (3720, "1h02m")])
def test_a_countdown_has_two_units(seconds: float, text: str) -> None:
    """So that a person sees it move."""
    assert span(seconds) == text


@pytest.mark.parametrize(
    ("weight", "text"), [(0, "0%"), (25.0, "25%"), (0.5, "0.5%"), (33.33333, "33.33%"), (100, "100%")]
)
def test_a_weight_has_the_digits_that_it_needs(weight: float, text: str) -> None:
    """And no more."""
    assert percent(weight) == text


@given(st.text())
def test_a_terminal_takes_no_orders(text: str) -> None:
    """Whatever others wrote, only printable characters are left."""
    assert safe(text).isprintable()


def test_what_can_be_printed_stays() -> None:
    """Also beyond ASCII."""
    assert safe("Größe · 50 %") == "Größe · 50 %"
