"""Texts from outside become lines that can be counted and cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.notify.texts import cut, escaped, in_words, lines, one_line, rfc3339, width
from tests.notify.made import texts


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a  b\r\n\tc\x00d\x1b[31m\x85e\u2028f", "a b c d [31m e f"),
        ("\u202elive\u202c \u200bx\ufeff", "live x"),
        ("\ud800x", "\ufffdx"),
        ("👩\u200d🚀 می\u200cخواهم", "👩\u200d🚀 می\u200cخواهم"),
        (" \n ", ""),
    ],
)
def test_a_text_becomes_one_line(text: str, line: str) -> None:
    """Control characters are spaces, what turns or hides text is gone, and joiners stay."""
    assert one_line(text) == line


def test_lines_stay_lines() -> None:
    """The line breaks of a template stay, less empty lines."""
    assert lines("a \n\n\x00\n  b\tc") == "a\nb c"


@given(text=texts, most=st.integers(1, 200))
def test_a_text_is_cut_to_what_may_be(text: str, most: int) -> None:
    """A text that is too long ends in an ellipsis, one that is not stays whole."""
    made = cut(text, most)

    assert width(made) <= most
    assert made == text if width(text) <= most else made.endswith("…") and text.startswith(made[:-1])


@given(text=texts, most=st.integers(1, 200))
def test_nothing_escaped_is_cut_in_two(text: str, most: int) -> None:
    """A text is cut before it is escaped, so that no half of an escape is left."""
    made = escaped(text, most, escape=lambda said: said.replace("&", "&amp;"))

    assert width(made) <= most
    assert made.replace("&amp;", "").count("&") == 0


def test_width_counts_what_a_sink_may_count() -> None:
    """A character beyond the basic plane counts two."""
    assert (width("a😀"), width("\ud800")) == (3, 1)


@pytest.mark.parametrize(
    ("name", "words"), [("StepStarted", "Step started"), ("Paused", "Paused"), ("", ""), ("noData", "no data")]
)
def test_a_name_is_read_in_words(name: str, words: str) -> None:
    """Each capital letter begins a word."""
    assert in_words(name) == words


@pytest.mark.parametrize(
    ("at", "told"),
    [
        (1_767_000_000.25, "2025-12-29T09:20:00.250Z"),
        (0.0, "1970-01-01T00:00:00.000Z"),
        (-5.0, "1970-01-01T00:00:00.000Z"),
        (1e300, "9999-12-31T23:59:59.000Z"),
    ],
)
def test_a_time_is_told_in_utc(at: float, told: str) -> None:
    """A time is RFC 3339 to the millisecond; one that no calendar has is the nearest that it has."""
    assert rfc3339(at) == told
