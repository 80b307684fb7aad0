"""The results of queries as values: series of samples, or one number. Pure; runs in the client's threads.

NaN comes as the text ``NaN``, nothing as an empty list, a scalar as a pair of time and text.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SCALAR_PARTS = 2


@dataclass(frozen=True, slots=True)
class Raw:
    """One series as it came: its labels with its name, and its samples (Unix seconds, value) that are numbers."""

    labels: Mapping[str, str]
    samples: tuple[tuple[float, float], ...]


def series_in(result: Sequence[Any]) -> tuple[Raw, ...]:
    """Return the series of a range of raw samples; those without a single number are left out.

    Raises:
        ValueError, TypeError, KeyError, AttributeError: it is none.
    """
    found = (Raw(_labels(one["metric"]), _samples(one.get("values", ()))) for one in result)
    return tuple(raw for raw in found if raw.samples)


def labels_in(result: Sequence[Any]) -> tuple[Mapping[str, str], ...]:
    """Return the labels of each series of an instant vector.

    Raises:
        TypeError, KeyError, AttributeError: it is none.
    """
    return tuple(_labels(one["metric"]) for one in result)


def _labels(metric: Mapping[str, Any]) -> dict[str, str]:
    return {str(name): str(value) for name, value in metric.items()}


def _samples(values: Sequence[Any]) -> tuple[tuple[float, float], ...]:
    pairs = ((float(at), float(value)) for at, value in values)
    return tuple((at, value) for at, value in pairs if math.isfinite(value))


def number_in(result: Sequence[Any]) -> float | str:
    """Return the one number that the result is, or one sentence why it is none.

    Raises:
        ValueError, TypeError, KeyError, IndexError: it is no result at all.
    """
    if len(result) == SCALAR_PARTS and isinstance(result[1], str):
        return _finite(result[1])
    if len(result) != 1:
        return f"the answer has {len(result)} series; one is needed" if result else "the answer is empty"
    if "value" not in result[0]:
        return f"the answer is {'a range of samples' if 'values' in result[0] else 'a histogram'}; a number is needed"
    return _finite(result[0]["value"][1])


def _finite(text: str) -> float | str:
    try:
        value = float(text)
    except ValueError:
        return "the answer is text; a number is needed"
    return value if math.isfinite(value) else f"the answer is {'NaN' if math.isnan(value) else 'infinite'}"
