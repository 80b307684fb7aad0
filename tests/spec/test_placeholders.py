"""Placeholders in queries."""

import pytest

from rollout.spec.placeholders import PLACEHOLDERS, fill, placeholders_in, refuse_unknown

VALUES = {"namespace": "shop", "route.name": "checkout", "backend.name": "v2", "backend.port": "8080"}


def test_every_placeholder_is_filled() -> None:
    """Each known placeholder is replaced by its value, with or without spaces."""
    text = 'x{a="{{ namespace }}/{{route.name}}/{{  backend.name }}:{{ backend.port }}"}'

    assert fill(text, VALUES) == 'x{a="shop/checkout/v2:8080"}'
    assert placeholders_in(text) == PLACEHOLDERS


@pytest.mark.parametrize("text", ["up", 'up{a="{b}"}', 'max(x{a="{{ backend.name }}"})'])
def test_known_placeholders_and_single_braces_pass(text: str) -> None:
    """A query without unknown placeholders comes back as it is."""
    assert refuse_unknown(text) == text


@pytest.mark.parametrize("text", ["{{ pod }}", "{{ Namespace }}", "{{}}", "{{ backend.name", "{{ {{ namespace }}"])
def test_other_placeholders_are_refused(text: str) -> None:
    """An unknown or unclosed placeholder is refused."""
    with pytest.raises(ValueError, match="placeholder"):
        refuse_unknown(text)
