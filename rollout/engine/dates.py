"""Times as the API conventions of Kubernetes write them, by arithmetic: RFC 3339 in UTC, and back to Unix seconds.

The engine knows no calendar and needs none to decide; only a status is written with dates. Called
by ``rollout.engine.status``.
"""

from __future__ import annotations

import re

_DAY = 86_400
_MOST_DIGITS = 9
_WRITTEN = re.compile(r"([0-9]{4,})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(\.[0-9]+)?Z")

# Years are counted from the first of March, so that a leap day is the last of its year; 400 years are an era.
_ERA_DAYS, _ERA_YEARS = 146_097, 400
_EPOCH = 719_468
_MARCH = 3


def rfc3339(seconds: float) -> str:
    """Return Unix ``seconds`` (at least 0) as a date and time, with as many digits of a second as they have, at most 9.

    ``1800000001.25`` gives ``2027-01-15T08:00:01.25Z``.
    """
    texts = (f"{seconds:.{digits}f}" for digits in range(_MOST_DIGITS + 1))
    text = next((text for text in texts if float(text) == seconds), f"{seconds:.{_MOST_DIGITS}f}")
    whole, point, fraction = text.partition(".")
    days, rest = divmod(int(whole), _DAY)
    year, month, day = _date(days)
    hours, rest = divmod(rest, 3600)
    return f"{year:04}-{month:02}-{day:02}T{hours:02}:{rest // 60:02}:{rest % 60:02}{point}{fraction}Z"


def unix_seconds(text: str) -> float:
    """Return the Unix seconds of what ``rfc3339`` has written.

    Raises:
        ValueError: it is no such text.
    """
    match = _WRITTEN.fullmatch(text)
    if match is None:
        raise ValueError("is not a date and time in UTC, as RFC 3339 writes it")
    year, month, day, hours, minutes, rest = (int(part) for part in match.groups()[:6])
    whole = _days(year, month, day) * _DAY + hours * 3600 + minutes * 60 + rest
    return float(f"{whole}{match[7] or ''}")


def _date(days: int) -> tuple[int, int, int]:
    """Return year, month and day of the day that is so many after 1 January 1970."""
    era, of_era = divmod(days + _EPOCH, _ERA_DAYS)
    year = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    since_march = (5 * of_year + 2) // 153
    day = of_year - (153 * since_march + 2) // 5 + 1
    month = (since_march + _MARCH - 1) % 12 + 1
    return year + era * _ERA_YEARS + (month < _MARCH), month, day


def _days(year: int, month: int, day: int) -> int:
    """Return how many days lie between a date and 1 January 1970."""
    era, of_era = divmod(year - (month < _MARCH), _ERA_YEARS)
    of_year = (153 * ((month - _MARCH) % 12) + 2) // 5 + day - 1
    return era * _ERA_DAYS + of_era * 365 + of_era // 4 - of_era // 100 + of_year - _EPOCH
