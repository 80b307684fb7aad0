"""Timetables against clocks on the wall, in the nights on which these are changed too."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.controller.timetable import FAR_SECONDS, MOST_EDGES, Timetable
from rollout.spec.cron import Moments, parse_cron

BERLIN = "Europe/Berlin"


def at(text: str, zone: str = "UTC", *, fold: int = 0) -> float:
    """Return the Unix time of a time on the wall; ``fold`` 1 is the second of two."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


def table(*expressions: str, zone: str = "UTC") -> Timetable:
    """Return a timetable."""
    return Timetable(expressions, ZoneInfo(zone))


def shown(moment: float | None, zone: str = "UTC") -> str:
    """Return a Unix time as a time on the wall, with the offset."""
    return "" if moment is None else datetime.fromtimestamp(moment, ZoneInfo(zone)).isoformat(" ", "minutes")


@pytest.mark.parametrize(
    ("expression", "now", "expected"),
    [
        ("0 10 * * 2", "2026-11-21 12:00", "2026-11-24 10:00+00:00"),
        ("0 10 * * tue", "2026-11-24 10:00", "2026-11-24 10:00+00:00"),
        ("0 10 * * 2", "2026-11-24 10:00:01", "2026-12-01 10:00+00:00"),
        ("0 10 * * 0", "2026-11-21 12:00", "2026-11-22 10:00+00:00"),
        ("0 10 * * 7", "2026-11-21 12:00", "2026-11-22 10:00+00:00"),
        ("*/15 * * * *", "2026-11-21 12:01", "2026-11-21 12:15+00:00"),
        ("0 0 31 * *", "2026-11-21 12:00", "2026-12-31 00:00+00:00"),
        ("0 0 29 2 *", "2026-11-21 12:00", "2028-02-29 00:00+00:00"),
        ("0 0 1 * mon", "2026-11-21 12:00", "2026-11-23 00:00+00:00"),
        ("0 0 22 * mon", "2026-11-21 12:00", "2026-11-22 00:00+00:00"),
        ("59 23 31 12 *", "2026-11-21 12:00", "2026-12-31 23:59+00:00"),
    ],
)
def test_the_next_time_is_that_of_cron(expression: str, now: str, expected: str) -> None:
    """Numbers of weekdays count from Sunday, and of two days either will do."""
    assert shown(table(expression).next(at(now))) == expected


def test_the_clock_is_that_of_the_time_zone() -> None:
    """Ten o'clock is another moment in winter than in summer."""
    daily = table("0 10 * * *", zone=BERLIN)

    assert daily.next(at("2026-01-15 00:00")) == at("2026-01-15 09:00")
    assert daily.next(at("2026-07-15 00:00")) == at("2026-07-15 08:00")


def test_a_time_that_summer_time_leaves_out_does_not_come() -> None:
    """On the last Sunday of March there is no half past two in Berlin."""
    nightly = table("30 2 * * *", zone=BERLIN)

    assert shown(nightly.next(at("2026-03-28 12:00", BERLIN)), BERLIN) == "2026-03-30 02:30+02:00"


def test_a_time_that_winter_time_brings_twice_comes_twice() -> None:
    """On the last Sunday of October there are two of half past two in Berlin."""
    nightly = table("30 2 * * *", zone=BERLIN)
    first = nightly.next(at("2026-10-24 12:00", BERLIN))

    assert first is not None
    assert shown(first, BERLIN) == "2026-10-25 02:30+02:00"
    assert shown(nightly.next(first + 60), BERLIN) == "2026-10-25 02:30+01:00"


def test_the_first_quarter_of_a_month_is_not_lost_to_a_change_in_the_month_before() -> None:
    """From the winter part of March, the night to April is found in summer time."""
    monthly = table("15 0 1 * *", zone=BERLIN)

    assert shown(monthly.next(at("2026-03-15 12:00", BERLIN)), BERLIN) == "2026-04-01 00:15+02:00"


@pytest.mark.parametrize(
    ("zone", "night"),
    [("America/Santiago", "2026-09-06"), ("Australia/Lord_Howe", "2026-10-04"), ("Africa/Cairo", "2026-04-24")],
)
def test_a_day_that_begins_late_is_a_day(zone: str, night: str) -> None:
    """Where midnight or half an hour is left out, noon of that day comes all the same."""
    noon = table("0 12 * * *", zone=zone)

    assert shown(noon.next(at(f"{night} 04:00", zone)), zone).startswith(f"{night} 12:00")


def test_minutes_in_a_row_are_one_window() -> None:
    """A window is open from its first minute to the end of its last."""
    office = table("* 9-17 * * mon-fri", zone=BERLIN)

    assert office.until(at("2026-11-23 09:00", BERLIN)) == at("2026-11-23 18:00", BERLIN)
    assert office.until(at("2026-11-23 17:59:59", BERLIN)) == at("2026-11-23 18:00", BERLIN)
    assert office.until(at("2026-11-23 18:00", BERLIN)) is None
    assert office.until(at("2026-11-22 12:00", BERLIN)) is None


def test_windows_that_touch_are_one() -> None:
    """Friday's evening goes on into the weekend, which three expressions say together."""
    weekend = table("* 18-23 * * fri", "* * * * sat,sun", "* 0-5 * * mon")

    assert weekend.until(at("2026-11-20 18:30")) == at("2026-11-23 06:00")


def test_a_window_goes_on_over_the_hour_that_comes_twice() -> None:
    """From two to three it is two hours on the last Sunday of October."""
    night = table("* 2 * * *", zone=BERLIN)

    assert night.until(at("2026-10-25 02:10", BERLIN)) == at("2026-10-25 02:10", BERLIN) + 110 * 60
    assert night.until(at("2026-10-25 02:10", BERLIN, fold=1)) == at("2026-10-25 03:00", BERLIN)


def test_a_window_that_summer_time_leaves_out_does_not_open() -> None:
    """From two to three there is no minute on the last Sunday of March."""
    night = table("* 2 * * *", zone=BERLIN)

    assert night.until(at("2026-03-29 03:30", BERLIN)) is None
    assert shown(night.next(at("2026-03-29 00:00", BERLIN)), BERLIN) == "2026-03-30 02:00+02:00"


def test_a_window_without_end_is_open_for_years() -> None:
    """Every minute of every day has no end that is looked for."""
    now = at("2026-11-21 12:00")

    assert (table("* * * * *").until(now) or 0) >= now + FAR_SECONDS


def test_no_window_joins_more_than_so_many_pieces() -> None:
    """Where every other minute is another expression's, the end is looked for again later."""
    now = at("2026-11-21 12:00")

    assert table("*/2 * * * *", "1-59/2 * * * *").until(now) == now + MOST_EDGES * 60


def test_an_empty_timetable_has_no_time() -> None:
    """No expression is never."""
    assert table().next(0.0) is None
    assert table().until(0.0) is None


def test_what_comes_in_too_many_years_does_not_come() -> None:
    """A leap day that must be one of a weekday, too, is looked for a few years ahead only."""
    assert table("0 0 29 2 */6").next(at("2026-11-21 12:00")) is None


NIGHTS = {
    "Europe/Berlin": ("2026-03-28", "2026-10-24"),
    "America/New_York": ("2026-03-07", "2026-10-31"),
    "America/Santiago": ("2026-04-04", "2026-09-05"),
    "Australia/Lord_Howe": ("2026-04-04", "2026-10-03"),
    "Africa/Cairo": ("2026-04-23", "2026-10-29"),
    "Pacific/Chatham": ("2026-04-04", "2026-09-26"),
    "UTC": ("2026-03-28", "2026-10-24"),
}
MINUTES = st.sampled_from(["*", "0", "30", "15-45", "*/20", "59", "1-58"])
HOURS = st.sampled_from(["*", "0", "1", "2", "3", "23", "0-2", "2-22", "*/2", "9-17"])
DAYS = st.sampled_from(["*", "*", "1", "4-6", "25,29", "*/2"])
WEEKDAYS = st.sampled_from(["*", "*", "0", "sat-sun", "1-5"])
EXPRESSIONS = st.lists(
    st.tuples(MINUTES, HOURS, DAYS, st.just("*"), WEEKDAYS).map(" ".join), min_size=1, max_size=3, unique=True
)


def names(expressions: list[str]) -> list[Moments]:
    """Return what the expressions name."""
    return [each for text in expressions for each in parse_cron(text)]


def on_the_wall(named: list[Moments], zone: str, moment: float) -> bool:
    """Return whether one of these names this minute, by looking at the clock."""
    wall = datetime.fromtimestamp(moment, ZoneInfo(zone))
    return any(
        wall.minute in each.minutes
        and wall.hour in each.hours
        and wall.day in each.days
        and wall.month in each.months
        and wall.weekday() in each.weekdays
        for each in named
    )


MOMENTS = st.tuples(st.sampled_from(sorted(NIGHTS)), st.integers(0, 1), st.integers(0, 36 * 60 * 60))


def moment_of(zone: str, which: int, seconds: int) -> float:
    """Return a moment so many seconds after the beginning of the day before a change of clocks."""
    begin = datetime.fromisoformat(NIGHTS[zone][which]).replace(tzinfo=UTC)
    return (begin + timedelta(seconds=seconds)).timestamp()


@given(EXPRESSIONS, MOMENTS)
def test_the_next_minute_near_a_change_of_clocks_is_the_one_that_a_walk_finds(
    expressions: list[str], moment: tuple[str, int, int]
) -> None:
    """Whoever goes from minute to minute with an eye on the wall comes to the same one."""
    zone, now, named = moment[0], moment_of(*moment), names(expressions)
    walked, beyond = -(-now // 60) * 60, now + 2 * 86400
    while walked < beyond and not on_the_wall(named, zone, walked):
        walked += 60
    found = table(*expressions, zone=zone).next(now)

    assert (walked < beyond and found == walked) or (walked >= beyond and (found is None or found >= walked))


@given(EXPRESSIONS, MOMENTS)
def test_the_end_of_a_window_near_a_change_of_clocks_is_the_one_that_a_walk_finds(
    expressions: list[str], moment: tuple[str, int, int]
) -> None:
    """Whoever goes on while the minute is open comes to the same end, but for windows of very many pieces."""
    zone, now, named = moment[0], moment_of(*moment), names(expressions)
    began = walked = now - now % 60
    while walked < now + 2 * 86400 and on_the_wall(named, zone, walked):
        walked += 60
    end = table(*expressions, zone=zone).until(now)

    if walked == began:
        assert end is None
    elif walked - began < MOST_EDGES * 60:
        assert end == walked
    else:
        assert end is not None
        assert end - began >= MOST_EDGES * 60
