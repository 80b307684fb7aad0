"""Facts about reasons: CamelCase words, each with its meaning in one sentence."""

import re

import pytest

from rollout.engine.reasons import MEANING, Reason, Refusal

EVERY = (*Reason, *Refusal)


@pytest.mark.parametrize("reason", EVERY)
def test_every_reason_has_a_meaning(reason: str) -> None:
    """Whatever a status, an event or an answer says can be looked up."""
    assert reason in MEANING


@pytest.mark.parametrize("reason", EVERY)
def test_a_reason_is_a_camel_case_word(reason: str) -> None:
    """Kubernetes asks this of the reason of a condition."""
    assert re.fullmatch(r"[A-Z][A-Za-z]+", reason)


@pytest.mark.parametrize("sentence", sorted(set(MEANING.values())))
def test_a_meaning_is_one_sentence(sentence: str) -> None:
    """It begins with a capital and ends with its only full stop."""
    assert re.fullmatch(r"[A-Z][^.]+\.", sentence)


def test_nothing_has_a_meaning_that_is_never_said() -> None:
    """The reference lists reasons that exist."""
    assert set(MEANING) == set(EVERY)


def test_reasons_are_distinct() -> None:
    """No two reasons are the same word."""
    assert len(set(Reason)) == len(Reason.__members__)
