"""What is shown of what people wrote."""

import pytest

from rollout.spec.fields import either, path_of, printable
from rollout.spec.sentences import guess, shown, value_at


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "nothing"),
        ({"a": 1}, "a mapping"),
        ([1, 2], "a list of 2"),
        ("5", '"5"'),
        (5.0, "5.0"),
        (True, "true"),
        ("\x1b[31m\u202e", '"\\u001b[31m\\u202e"'),
        ("https://me:secret@ci.example/", '"https://***@ci.example/"'),
        ("x" * 200, '"' + "x" * 76 + "..."),
    ],
)
def test_what_was_given_is_shown_short_and_safe(value: object, text: str) -> None:
    """A value is shown on one short line, without control characters and without passwords."""
    assert shown(value) == text


def test_a_lone_surrogate_can_be_shown() -> None:
    """Text that no encoding takes is escaped."""
    assert printable("\ud83d") == "\\ud83d"


def test_nothing_stands_inside_a_number() -> None:
    """A location that leads through something that holds nothing has no value."""
    assert value_at({"a": [1]}, ("a", 0)) == 1
    assert value_at({"a": [1]}, ("a", 0, "b")) is None
    assert value_at({"a": [1]}, ("a", 7)) is None


def test_odd_names_stand_in_quotes() -> None:
    """A path stays readable whatever somebody calls a field."""
    assert path_of(("a", 0, "b c", "d")) == 'a[0]["b c"].d'


def test_a_near_word_is_guessed_and_a_far_one_is_not() -> None:
    """Only a word that is nearly known is worth a guess."""
    assert guess("min_request", ["minRequests", "hold"]) == "minRequests"
    assert guess("xyz", ["minRequests", "hold"]) == ""


def test_choices_are_joined_as_in_speech() -> None:
    """One, one or two, one, two or three."""
    assert [either(["A"]), either(["A", "B"]), either(["A", "B", "C"])] == ["A", "A or B", "A, B or C"]
