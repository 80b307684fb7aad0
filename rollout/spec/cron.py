"""Cron expressions of five fields, read as cron reads them: minute, hour, day of month, month, weekday.

A value of each field is a number, a name (``jan``, ``mon``), a range, ``*``, with a step or without, or a list of
them. Sunday is 0 or 7. Where both days are restricted either of them will do, as in cron. When an expression is true
at a moment is worked out elsewhere: here is no time and no time zone, only what is written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, Field

CRON_ALLOWED = "five fields: minute, hour, day of month, month, weekday (0 or 7 is Sunday), such as * 9-17 * * mon-fri"
ZONE_PATTERN = r"^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$"
ZONE_ALLOWED = "the name of a time zone, such as Europe/Berlin or UTC"

SUNDAY = 7
_PART = re.compile(r"(?:\*|([0-9a-z]+)(?:-([0-9a-z]+))?)(?:/([0-9]{1,4}))?")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_LONGEST_MONTHS = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}


@dataclass(frozen=True, slots=True)
class _Column:
    """One of the five fields: what it is called, its least and greatest number, and the names of numbers."""

    name: str
    low: int
    high: int
    names: Mapping[str, int]


_COLUMNS = (
    _Column("minute", 0, 59, {}),
    _Column("hour", 0, 23, {}),
    _Column("day of month", 1, 31, {}),
    _Column("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    _Column("weekday", 0, SUNDAY, {name: number for number, name in enumerate(_WEEKDAYS)}),
)


@dataclass(frozen=True, slots=True)
class Moments:
    """The minutes at which all five hold; ``weekdays`` are counted from Monday, which is 0."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]


EVERY_DAY = frozenset(range(1, 32))
EVERY_WEEKDAY = frozenset(range(7))


def parse_cron(text: str) -> tuple[Moments, ...]:
    """Return the moments that the expression names: one entry, or two where either day will do; all of them come.

    Raises:
        ValueError: it is no cron expression, or is never true.
    """
    fields = text.lower().split()
    if len(fields) != len(_COLUMNS):
        raise ValueError(f"has {len(fields)} fields, and a cron expression has {len(_COLUMNS)}")
    read = [_values(field, column) for field, column in zip(fields, _COLUMNS, strict=True)]
    minutes, hours, days, months, numbers = read
    weekdays = frozenset((number - 1) % 7 for number in numbers)
    found: tuple[Moments, ...]
    if fields[2].startswith("*") or fields[4].startswith("*"):
        found = (Moments(minutes, hours, days, months, weekdays),)
    else:
        by_day = Moments(minutes, hours, days, months, EVERY_WEEKDAY)
        found = (by_day, Moments(minutes, hours, EVERY_DAY, months, weekdays))
    possible = tuple(each for each in found if _comes(each))
    if not possible:
        raise ValueError("is never true: none of its months has such a day")
    return possible


def _comes(moments: Moments) -> bool:
    return min(moments.days) <= max(_LONGEST_MONTHS.get(month, 31) for month in moments.months)


def _values(field: str, column: _Column) -> frozenset[int]:
    return frozenset(number for part in field.split(",") for number in _range(part, column))


def _range(part: str, column: _Column) -> range:
    match = _PART.fullmatch(part)
    if match is None:
        raise ValueError(f"cannot be read in its {column.name}: {part or 'nothing'}")
    low, high, step = match[1], match[2], int(match[3] or 1)
    if step == 0:
        raise ValueError(f"has a step of 0 in its {column.name}")
    if low is None:
        return range(column.low, _last(column) + 1, step)
    first = _number(low, column)
    open_end = _last(column) if match[3] else first
    last = _number(high, column) if high is not None else open_end
    if last == 0 < first and column.high == SUNDAY:
        last = SUNDAY  # sat-sun and 5-0 end with the Sunday that follows
    if last < first:
        raise ValueError(f"ends before it begins in its {column.name}: {part}")
    return range(first, last + 1, step)


def _last(column: _Column) -> int:
    return column.high - 1 if column.high == SUNDAY else column.high


def _number(word: str, column: _Column) -> int:
    number = column.names.get(word, -1) if not word.isdecimal() else int(word)
    if not column.low <= number <= column.high:
        known = f"{column.low} to {column.high}{', or a name of three letters' if column.names else ''}"
        raise ValueError(f"has the {column.name} {word}, and there is {known}")
    return number


def _sound(text: str) -> str:
    parse_cron(text)
    return text


Cron = Annotated[
    str,
    Field(
        max_length=128,
        pattern=r"^ *[0-9A-Za-z*,/-]+( +[0-9A-Za-z*,/-]+){4} *$",
        json_schema_extra={"allowed": CRON_ALLOWED},
    ),
    AfterValidator(_sound),
]
"""A cron expression of five fields."""

TimeZone = Annotated[
    str,
    Field(
        min_length=1,
        max_length=64,
        pattern=ZONE_PATTERN,
        json_schema_extra={"allowed": ZONE_ALLOWED},
    ),
]
"""The IANA name of a time zone; whether there is such a one is known to who has the files of them."""
