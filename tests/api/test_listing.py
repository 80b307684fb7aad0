"""Places in a list as opaque texts, and labels in a query."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.api.listing import cursor_of, labels_in, place_of
from rollout.api.problems import Refused
from rollout.ports import Key

NAMES = st.from_regex(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,250}[A-Za-z0-9])?", fullmatch=True)


def _place(text: str) -> tuple[Key | None, str]:
    try:
        return place_of(text), ""
    except Refused as refused:
        return None, refused.problems[0].field


@given(NAMES, NAMES)
def test_a_place_is_read_back(namespace: str, name: str) -> None:
    """Whatever the names are, the text that stands for a place gives the place back."""
    key = Key(namespace, name)

    assert place_of(cursor_of(key)) == key


@given(st.text(max_size=60))
def test_any_other_text_is_refused(text: str) -> None:
    """A text is the place that it stands for, or is refused; nothing else ever comes of it."""
    found, problem = _place(text)

    assert problem == "continue" if found is None else cursor_of(found) == text


@pytest.mark.parametrize("text", ["", "=", "YQ", "YS9i=", "YS9i ", "Li4vYQ", "YS9iL2M", "YS9i\n", "\xe4", "YS9iAA"])
def test_broken_places_are_refused(text: str) -> None:
    """Neither padding, nor other names, nor a third part is let through."""
    with pytest.raises(Refused):
        place_of(text)


def test_labels_are_names_and_values() -> None:
    """The value may be empty or have an equals sign; the same label twice is one."""
    assert labels_in(["a=", "b=c=d", "a="]) == {"a": "", "b": "c=d"}


@pytest.mark.parametrize("given_labels", [["a"], ["=a"], [""], ["a=1", "a=2"], ["a=1"] * 21])
def test_what_is_no_label_is_refused(given_labels: list[str]) -> None:
    """No name, two values, or too many of them are refused."""
    with pytest.raises(Refused) as raised:
        labels_in(given_labels)

    assert (raised.value.status, raised.value.problems[0].field) == (422, "label")
