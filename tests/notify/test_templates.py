"""Templates know their placeholders, and put in their place what is known."""

from __future__ import annotations

import pytest

from rollout.notify.notices import values_of
from rollout.notify.templates import PLACEHOLDERS, fill, refuse_unknown
from tests.notify.made import notice


@pytest.mark.parametrize(
    "text", ["plain", "{{ rollout.name }} {{reason}} { } }}", *(f"{{{{ {name} }}}}" for name in PLACEHOLDERS)]
)
def test_known_placeholders_are_taken(text: str) -> None:
    """A text with placeholders that exist is taken as it is."""
    assert refuse_unknown(text) == text


@pytest.mark.parametrize("text", ["{{ secret }}", "{{ }}", "{{ rollout.name", "{{{{ reason }}"])
def test_other_braces_are_refused(text: str) -> None:
    """A placeholder that does not exist, or is not closed, is refused where the file is read."""
    with pytest.raises(ValueError, match="placeholder"):
        refuse_unknown(text)


def test_a_placeholder_is_replaced_by_its_value() -> None:
    """Spaces in braces mean nothing, a value is never read as a template, and what has none is left out."""
    assert fill("{{reason}}-{{ message }}-{{ link }}", {"reason": "a", "message": "{{ reason }}"}) == "a-{{ reason }}-"


def test_every_placeholder_has_a_value() -> None:
    """A notice has a value for each placeholder that there is."""
    assert set(values_of(notice())) == set(PLACEHOLDERS)
