"""Strings with units: durations (``1m30s``) and percentages (``99%``).

Used by the models as annotated field types. A value in Python is a plain number in one unit
(seconds, or a fraction of 1); the string form is what people write and what is written back.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*%")
_LONGEST_SECONDS = 366 * 86400.0


def parse_duration(value: object) -> float:
    """Return the seconds of a Kubernetes-style duration such as ``500ms``, ``2m`` or ``1h30m``.

    Raises:
        ValueError: the value is not such a string, or is longer than 366 days.
    """
    if not isinstance(value, str) or not (value == "0" or _DURATION.fullmatch(value)):
        message = "must be a duration: numbers with the units ms, s, m, h or d, such as 500ms, 30s or 1h30m"
        raise ValueError(message)
    seconds = sum(float(number) * _UNIT_SECONDS[unit] for number, unit in _PART.findall(value))
    if seconds > _LONGEST_SECONDS:
        message = "must be at most 366d"
        raise ValueError(message)
    return round(seconds, 6)


def format_duration(seconds: float) -> str:
    """Return the shortest duration string for ``seconds`` (at least 0, rounded to the millisecond)."""
    milliseconds = round(seconds * 1000)
    if milliseconds == 0:
        return "0s"
    parts = []
    for unit, size in (("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, milliseconds = divmod(milliseconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)


def parse_fraction(value: object) -> float:
    """Return the fraction (0 to 1) of a percentage string such as ``99.5%``.

    Raises:
        ValueError: the value is not a percentage from 0% to 100%.
    """
    match = _PERCENT.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None or float(match[1]) > 100:  # noqa: PLR2004 - a percentage
        message = "must be a percentage from 0% to 100%, such as 99% or 0.5%"
        raise ValueError(message)
    return round(float(match[1]) / 100, 12)


def format_fraction(fraction: float) -> str:
    """Return ``fraction`` as a percentage string without needless zeros."""
    return f"{round(fraction * 100, 10):g}%"


Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": rf"^(0|{_DURATION.pattern})$"}),
]
"""Seconds, written as a duration string."""

Fraction = Annotated[
    float,
    BeforeValidator(parse_fraction),
    PlainSerializer(format_fraction, return_type=str),
    WithJsonSchema({"type": "string", "pattern": rf"^{_PERCENT.pattern}$"}),
]
"""A fraction from 0 to 1, written as a percentage string."""
