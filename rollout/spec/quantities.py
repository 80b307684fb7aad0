"""Strings with units, and plain numbers that are what they look like.

Used by the models as annotated field types. A duration (``1m30s``) or percentage (``99%``) is a
plain number in one unit in Python (seconds, or a fraction of 1); the string form is what people
write and what is written back. Numbers and booleans are strict: ``"5"`` is not 5, ``true`` is not
1 and 5.0 is not a whole number, because a manifest that is read generously is read wrongly.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, AllowInfNan, BeforeValidator, Field, PlainSerializer, Strict, WithJsonSchema

_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h|d))+")
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
_MORE_THAN_ZERO = r"(?:[0-9]*[1-9][0-9]*(?:\.[0-9]+)?|[0-9]+\.[0-9]*[1-9][0-9]*)(?:ms|s|m|h|d)"
_PERCENT = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*%")
_LONGEST_SECONDS = 366 * 86400.0
_LONGEST_TEXT = 64
_SURE = (0.5, 0.999999)

DURATION_ALLOWED = "numbers with the units ms, s, m, h or d, such as 500ms, 30s or 1h30m, at most 366d"
FRACTION_ALLOWED = "a percentage from 0% to 100%, such as 99% or 0.5%"
SURE_ALLOWED = "a percentage from 50% to 99.9999%"


def parse_duration(value: object) -> float:
    """Return the seconds of a Kubernetes-style duration such as ``500ms``, ``2m`` or ``1h30m``.

    Raises:
        ValueError: the value is not such a string, or is longer than 366 days.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError("must be a duration with a unit, not a bare number")  # noqa: TRY004 - pydantic turns only ValueError into a problem
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT or not (value == "0" or _DURATION.fullmatch(value)):
        raise ValueError("must be a duration")
    seconds = sum(float(number) * _UNIT_SECONDS[unit] for number, unit in _PART.findall(value))
    if seconds > _LONGEST_SECONDS:
        raise ValueError("is too long a duration")
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
    if not isinstance(value, str):
        raise ValueError("must be a percentage, written with %")  # noqa: TRY004 - pydantic turns only ValueError into a problem
    match = _PERCENT.fullmatch(value.strip()) if len(value) <= _LONGEST_TEXT else None
    if match is None or float(match[1]) > 100:  # noqa: PLR2004 - a percentage
        raise ValueError("must be a percentage from 0% to 100%")
    return round(float(match[1]) / 100, 12)


def format_fraction(fraction: float) -> str:
    """Return ``fraction`` as a percentage string without needless zeros."""
    digits = f"{fraction * 100:.10f}".rstrip("0").rstrip(".")
    return f"{digits}%"


def _above_zero(seconds: float) -> float:
    if seconds <= 0:
        raise ValueError("must be longer than 0s")
    return seconds


def _brief(seconds: float) -> float:
    if not 0 < seconds <= LONGEST_BRIEF_SECONDS:
        raise ValueError("must be longer than 0s and at most 1m")
    return seconds


def _sure(fraction: float) -> float:
    low, high = _SURE
    if not low <= fraction <= high:
        raise ValueError("must leave room for chance")
    return fraction


Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "maxLength": _LONGEST_TEXT,
            "pattern": rf"^(0|{_DURATION.pattern})$",
            "allowed": DURATION_ALLOWED,
            "unit": "seconds",
        }
    ),
]
"""Seconds, written as a duration string."""

PositiveDuration = Annotated[
    float,
    BeforeValidator(parse_duration),
    AfterValidator(_above_zero),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "maxLength": _LONGEST_TEXT,
            "pattern": rf"^{_DURATION.pattern[:-1]}*{_MORE_THAN_ZERO}{_DURATION.pattern[:-1]}*$",
            "allowed": f"more than 0s: {DURATION_ALLOWED}",
            "unit": "seconds",
        }
    ),
]
"""Seconds above 0, written as a duration string."""

LONGEST_BRIEF_SECONDS = 60.0

BriefDuration = Annotated[
    float,
    BeforeValidator(parse_duration),
    AfterValidator(_brief),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "maxLength": _LONGEST_TEXT,
            "pattern": rf"^{_DURATION.pattern[:-1]}*{_MORE_THAN_ZERO}{_DURATION.pattern[:-1]}*$",
            "allowed": "more than 0s and at most 1m, with the units ms, s or m, such as 500ms or 30s",
            "unit": "seconds",
        }
    ),
]
"""Seconds above 0 and at most 60, written as a duration string: for what somebody waits for with an open connection."""

Fraction = Annotated[
    float,
    BeforeValidator(parse_fraction),
    PlainSerializer(format_fraction, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "maxLength": _LONGEST_TEXT,
            "pattern": r"^0*(100(\.0+)?|[0-9]{1,2}(\.[0-9]+)?)\s*%$",
            "allowed": FRACTION_ALLOWED,
            "unit": "fraction",
        }
    ),
]
"""A fraction from 0 to 1, written as a percentage string."""

SureFraction = Annotated[
    float,
    BeforeValidator(parse_fraction),
    AfterValidator(_sure),
    PlainSerializer(format_fraction, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "maxLength": _LONGEST_TEXT,
            "pattern": r"^0*[5-9][0-9](\.[0-9]+)?\s*%$",
            "allowed": SURE_ALLOWED,
            "unit": "fraction",
        }
    ),
]
"""A fraction from 0.5 to 0.999999: at 1 the judge's odds against it would be infinite."""

Whole = Annotated[int, Strict()]
"""A whole number, and nothing that could be turned into one."""

Number = Annotated[float, Strict(), AllowInfNan(allow_inf_nan=False)]
"""A finite number, whole or not."""

Flag = Annotated[bool, Strict()]
"""``true`` or ``false``, and nothing that could be turned into them."""

Port = Annotated[int, Strict(), Field(ge=1, le=65535)]
"""A TCP port."""

Percent = Annotated[int, Strict(), Field(ge=1, le=100)]
"""A whole percentage written as a number, 1 to 100."""
