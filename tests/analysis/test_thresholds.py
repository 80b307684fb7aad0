"""Thresholds: limits, and how often in a row."""

from __future__ import annotations

import pytest

from rollout.analysis.thresholds import Breaches, breaks, count_value, is_broken
from rollout.spec.analysis import QueryCheck


def rule(**fields: object) -> QueryCheck:
    """Return a query check with these limits."""
    return QueryCheck.model_validate({"name": "queue", "kind": "Query", "query": "up", **fields})


@pytest.mark.parametrize(
    ("fields", "value", "broken"),
    [
        ({"failAbove": 100}, 100.0, False),
        ({"failAbove": 100}, 100.1, True),
        ({"failBelow": 1}, 1.0, False),
        ({"failBelow": 1}, 0.9, True),
        ({"failBelow": 1, "failAbove": 2}, 1.5, False),
        ({}, 1e9, False),
    ],
)
def test_a_limit_is_broken_only_beyond_it(fields: dict[str, object], value: float, broken: bool) -> None:  # noqa: FBT001 - a row
    """The limit itself is still within."""
    assert breaks(rule(**fields), value) is broken


def test_failures_count_in_a_row() -> None:
    """A value within the limits starts the count again."""
    check, breaches, said = rule(failAbove=10, failures=2), Breaches(), []
    for at, value in enumerate([11, 9, 11, 12, 13]):
        breaches = count_value(breaches, check, value=value, at=float(at))
        said.append(is_broken(breaches, check))

    assert said == [False, False, False, True, True]
    assert breaches == Breaches(in_a_row=3, value=13, counted_at=4.0)
