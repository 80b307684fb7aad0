"""A timetable: the minutes in which one of some cron expressions holds, in a time zone with its changes of summer time.

APScheduler's ``CronTrigger`` does the arithmetic of months, days and weekdays. It is asked about the time on the wall
as if that were UTC: its own steps across a change of summer time land an hour off. What such a change leaves out does
not come, what it brings twice comes twice. Called by ``rollout.controller.almanac``; times are Unix seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger

from rollout.spec.cron import EVERY_DAY, EVERY_WEEKDAY, Moments, parse_cron

MINUTE = 60.0
DAY = 86_400.0
FAR_SECONDS = 5 * 366 * DAY
"""What comes later than this is not looked for; a leap day comes sooner."""

MOST_EDGES = 100
"""So many windows that touch are joined to one; where there are more, it is looked again at the end of these."""

_ALWAYS = Moments(frozenset(range(60)), frozenset(range(24)), EVERY_DAY, frozenset(range(1, 13)), EVERY_WEEKDAY)


class Timetable:
    """Minutes that are on, and those that are not."""

    __slots__ = ("_off", "_on", "_zone")

    def __init__(self, expressions: Iterable[str], zone: ZoneInfo) -> None:
        """Read the expressions as cron does, by the clocks of ``zone``.

        Raises:
            ValueError: one is no cron expression.
        """
        moments = [each for text in expressions for each in parse_cron(text)]
        self._on = [_trigger(each) for each in moments]
        self._off = [[_trigger(other) for other in _others(each)] for each in moments]
        self._zone = zone

    def next(self, at: float) -> float | None:
        """Return the beginning of the first minute from ``at`` on that is on, None when there is none for years."""
        return min(self._found(self._on, at), default=None)

    def until(self, at: float) -> float | None:
        """Return the end of the minutes in a row, from that of ``at`` on, that are on; None when that one is not."""
        began = end = at - at % MINUTE
        for _ in range(MOST_EDGES):
            ends = [self._end(off, end) for on, off in zip(self._on, self._off, strict=True) if self._is_on(on, end)]
            end = max(ends, default=end)
            if not ends or end - began >= FAR_SECONDS:
                break
        return end if end > began else None

    def wall(self, at: float) -> datetime:
        """Return the time on the wall."""
        return datetime.fromtimestamp(at, self._zone)

    def _is_on(self, trigger: CronTrigger, at: float) -> bool:
        return self._next(trigger, at) == at

    def _end(self, off: Sequence[CronTrigger], at: float) -> float:
        return min(self._found(off, at), default=at + FAR_SECONDS)

    def _found(self, triggers: Iterable[CronTrigger], at: float) -> Iterator[float]:
        return (found for trigger in triggers if (found := self._next(trigger, at)) is not None)

    def _next(self, trigger: CronTrigger, at: float) -> float | None:
        """Return when the trigger fires first from ``at`` on; from each change of summer time on it is asked anew."""
        limit = at + FAR_SECONDS
        while at < limit:
            offset = self._offset(at)
            fires = trigger.get_next_fire_time(None, datetime.fromtimestamp(at, UTC) + offset)
            found: float = (fires - offset).timestamp()
            change = self._change(at, min(found, limit))
            if change is None:
                return found if found < limit else None
            at = change
        return None

    def _offset(self, at: float) -> timedelta:
        return self.wall(at).utcoffset() or timedelta()

    def _change(self, since: float, until: float) -> float | None:
        """Return the minute, after ``since`` and up to ``until``, from which on clocks show another offset, or None."""
        offset, low, high = self._offset(since), since, since
        while high < until:
            low, high = high, min(high + DAY, until)
            if self._offset(high) != offset:
                break
        else:
            return None
        first, last = int(low // MINUTE), int(-(-high // MINUTE))
        while last - first > 1:
            middle = (first + last) // 2
            first, last = (middle, last) if self._offset(middle * MINUTE) == offset else (first, middle)
        return last * MINUTE


def _trigger(moments: Moments) -> CronTrigger:
    return CronTrigger(
        month=_listed(moments.months, _ALWAYS.months),
        day=_listed(moments.days, _ALWAYS.days),
        day_of_week=_listed(moments.weekdays, _ALWAYS.weekdays),
        hour=_listed(moments.hours, _ALWAYS.hours),
        minute=_listed(moments.minutes, _ALWAYS.minutes),
        second="0",
        timezone=UTC,
    )


def _listed(values: frozenset[int], every: frozenset[int]) -> str:
    return "*" if values == every else ",".join(map(str, sorted(values)))


def _others(moments: Moments) -> Iterator[Moments]:
    """Yield what holds whenever ``moments`` do not: for each column that is restricted, all other values of it."""
    for column in fields(Moments):
        rest = getattr(_ALWAYS, column.name) - getattr(moments, column.name)
        if rest:
            yield replace(_ALWAYS, **{column.name: rest})
