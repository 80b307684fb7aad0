"""The almanac: what the cron expressions of failover come to at a moment, for windows of failback and for drills.

Handed to the controller as ``calendar_of``. Each page is worked out once and holds until the next time at which it
would say something else, so that a pass only looks it up; Rollouts with the same expressions share one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from rollout.controller.timetable import MINUTE, Timetable
from rollout.controller.zones import zone_of
from rollout.failover.seen import Calendar
from rollout.spec.failover import Failover

DUE_SECONDS = 180.0
"""So long after its time a drill is still due; what was missed for longer, as by a restart, is not made up for."""

MOST_PAGES = 2000
"""How many pages are kept before all are forgotten; those in use are soon back."""

_EMPTY = Calendar()
_Asked = tuple[str, str, tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class _Page:
    """What the calendar says from ``begins`` until ``ends`` (Unix seconds)."""

    calendar: Calendar
    begins: float
    ends: float


class _Book:
    """The timetables of one time zone, schedule, windows of failback and windows without drills."""

    __slots__ = ("_blocked", "_drills", "_windows", "_zone")

    def __init__(self, zone: str, schedule: str, windows: Iterable[str], blocked: Iterable[str]) -> None:
        found = zone_of(zone) or ZoneInfo("UTC")
        self._zone = zone
        self._drills = Timetable((schedule,) if schedule else (), found)
        self._windows = Timetable(windows, found)
        self._blocked = Timetable(blocked, found)

    def page(self, now: float) -> _Page:
        """Return the page of this moment."""
        due_at = self._due_at(now)
        calendar = Calendar(
            window_until=self._windows.until(now),
            window_opens_at=_opens_at(self._windows, now),
            blocked_until=self._blocked.until(now),
            drill_due=self._named(due_at) if due_at is not None else "",
            next_drill_at=self._drills.next(_after(now)),
        )
        ends = (
            calendar.window_until,
            calendar.window_opens_at,
            calendar.blocked_until,
            _opens_at(self._blocked, now),
            calendar.next_drill_at,
            due_at + DUE_SECONDS if due_at is not None else None,
        )
        return _Page(calendar, now, min((end for end in ends if end is not None), default=float("inf")))

    def _due_at(self, now: float) -> float | None:
        """Return the last time of the schedule that is not longer ago than a drill stays due."""
        last, at = None, self._drills.next(now - DUE_SECONDS + 1e-3)
        while at is not None and at <= now:
            last, at = at, self._drills.next(at + MINUTE)
        return last

    def _named(self, at: float) -> str:
        """Return the id of the drill of this time: an hour that comes twice has one."""
        return f"{self._drills.wall(at):%Y-%m-%d %H:%M} {self._zone}"


class Almanac:
    """Says what the calendar of failover says; a ``CalendarOf``."""

    def __init__(self, *, most_pages: int = MOST_PAGES) -> None:
        """Begin with no page; keep so many at most."""
        self._most_pages = most_pages
        self._books: dict[_Asked, _Book] = {}
        self._pages: dict[_Asked, _Page] = {}

    def __call__(self, settings: Failover, now: float) -> Calendar:
        """Return what the expressions of ``settings`` come to at ``now`` (Unix seconds)."""
        drill, windows = settings.drill, settings.failback.windows
        if drill is None and not windows:
            return _EMPTY
        schedule, blocked = (drill.schedule, drill.blocked_windows) if drill is not None else ("", ())
        asked = (settings.time_zone, schedule, windows, blocked)
        page = self._pages.get(asked)
        if page is None or not page.begins <= now < page.ends:
            page = self._book(asked).page(now)
            self._pages[asked] = page
        return page.calendar

    @property
    def kept(self) -> int:
        """Return how many pages are kept."""
        return len(self._pages)

    def _book(self, asked: _Asked) -> _Book:
        if len(self._books) >= self._most_pages and asked not in self._books:
            self._books.clear()
            self._pages.clear()
        if asked not in self._books:
            self._books[asked] = _Book(*asked)
        return self._books[asked]


def _after(at: float) -> float:
    """Return the beginning of the minute after the one of ``at``."""
    return at - at % MINUTE + MINUTE


def _opens_at(timetable: Timetable, now: float) -> float | None:
    """Return when the next window opens: after the present one, where one is open."""
    until = timetable.until(now)
    return timetable.next(until if until is not None else _after(now))
