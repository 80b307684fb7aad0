"""Thresholds: a value against its limits, so many times in a row.

For what has no counts (queries), and for who wants the rules of other tools. Used by
``rollout.analysis.streams``; it must not know where a value comes from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

from rollout.spec.analysis import ThresholdRule


@dataclass(frozen=True, slots=True)
class Breaches:
    """How many looks in a row broke the limit, the last value, and when (Unix seconds) it was counted."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    in_a_row: int = 0
    value: float | None = None
    counted_at: float | None = None


def count_value(breaches: Breaches, rule: ThresholdRule, *, value: float, at: float) -> Breaches:
    """Return the breaches after one new value at ``at``: one more in a row, or none."""
    broken = breaks(rule, value)
    return Breaches(in_a_row=breaches.in_a_row + 1 if broken else 0, value=value, counted_at=at)


def breaks(rule: ThresholdRule, value: float) -> bool:
    """Return whether ``value`` is above ``fail_above`` or below ``fail_below``."""
    above = rule.fail_above is not None and value > rule.fail_above
    below = rule.fail_below is not None and value < rule.fail_below
    return above or below


def is_broken(breaches: Breaches, rule: ThresholdRule) -> bool:
    """Return whether the limit was broken as often in a row as the rule asks for."""
    return breaches.in_a_row >= rule.failures
