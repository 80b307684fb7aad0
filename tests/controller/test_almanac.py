"""What the cron expressions of failover come to at a moment."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from rollout.controller.almanac import DUE_SECONDS, Almanac
from rollout.failover.seen import Calendar
from rollout.spec.failover import Drill, Failback, Failover

DRILL = "0 10 * * 2"
TUESDAY = datetime(2026, 11, 24, 10, tzinfo=UTC).timestamp()
WEEK = 7 * 86400.0


def failover(
    schedule: str = "", *, blocked: tuple[str, ...] = (), windows: tuple[str, ...] = (), zone: str = "UTC"
) -> Failover:
    """Return settings with these expressions."""
    drill = Drill(schedule=schedule, blocked_windows=blocked) if schedule else None
    return Failover(drill=drill, failback=Failback(windows=windows), time_zone=zone)


@pytest.fixture
def almanac() -> Almanac:
    """Return an almanac in which nothing was looked up."""
    return Almanac()


def test_without_expressions_the_calendar_is_empty(almanac: Almanac) -> None:
    """Nothing is due, nothing is open and nothing is blocked."""
    assert almanac(failover(), TUESDAY) == Calendar()


def test_a_drill_is_due_at_its_time_and_a_few_minutes_longer(almanac: Almanac) -> None:
    """Before its time it is the next, then it is due, and one that was missed is not made up for."""
    settings = failover(DRILL)

    assert almanac(settings, TUESDAY - 1) == Calendar(next_drill_at=TUESDAY)
    assert almanac(settings, TUESDAY).drill_due == "2026-11-24 10:00 UTC"
    assert almanac(settings, TUESDAY + DUE_SECONDS - 1).drill_due == "2026-11-24 10:00 UTC"
    assert almanac(settings, TUESDAY + DUE_SECONDS) == Calendar(next_drill_at=TUESDAY + WEEK)


def test_of_drills_that_come_close_the_last_is_due(almanac: Almanac) -> None:
    """Nobody makes up for the one a minute before."""
    assert almanac(failover("* * * * *"), TUESDAY + 90).drill_due == "2026-11-24 10:01 UTC"


def test_a_restart_finds_the_same_drill_due(almanac: Almanac) -> None:
    """The id says nothing of who worked it out, so that the state knows it again."""
    assert Almanac()(failover(DRILL), TUESDAY + 5).drill_due == almanac(failover(DRILL), TUESDAY + 10).drill_due


def test_a_drill_in_the_hour_that_comes_twice_has_one_id(almanac: Almanac) -> None:
    """On the last Sunday of October, half past two in Berlin is twice, and the drill takes place once."""
    settings, berlin = failover("30 2 * * *", zone="Europe/Berlin"), ZoneInfo("Europe/Berlin")
    first, second = (datetime(2026, 10, 25, 2, 30, tzinfo=berlin, fold=fold).timestamp() for fold in (0, 1))

    assert second - first == 3600
    assert almanac(settings, first).drill_due == "2026-10-25 02:30 Europe/Berlin"
    assert almanac(settings, second).drill_due == "2026-10-25 02:30 Europe/Berlin"


def test_a_window_of_failback_opens_and_ends(almanac: Almanac) -> None:
    """While it is open the calendar says until when, and when the next one opens."""
    settings = failover(windows=("* 9-17 * * *",))

    assert almanac(settings, TUESDAY) == Calendar(window_until=TUESDAY + 8 * 3600, window_opens_at=TUESDAY + 23 * 3600)
    assert almanac(settings, TUESDAY + 8 * 3600) == Calendar(window_opens_at=TUESDAY + 23 * 3600)


def test_a_blocked_window_blocks_drills_until_its_end(almanac: Almanac) -> None:
    """Its end is told while it lasts, and not before."""
    settings = failover(DRILL, blocked=("* 10 * * *", "0-29 11 * * *"))

    assert almanac(settings, TUESDAY - 1).blocked_until is None
    assert almanac(settings, TUESDAY).blocked_until == TUESDAY + 5400
    assert almanac(settings, TUESDAY + 5400).blocked_until is None


def test_the_time_zone_is_that_of_windows_and_drills(almanac: Almanac) -> None:
    """Ten in New York is three in the afternoon in Greenwich, in winter."""
    settings = failover(DRILL, windows=("* 10 * * *",), zone="America/New_York")

    assert almanac(settings, TUESDAY).next_drill_at == TUESDAY + 5 * 3600
    assert almanac(settings, TUESDAY).window_opens_at == TUESDAY + 5 * 3600


def test_a_time_zone_that_is_not_known_any_more_counts_as_utc(almanac: Almanac) -> None:
    """A status may outlive the files of time zones that its settings were admitted with."""
    assert almanac(failover(DRILL, zone="Europe/Atlantis"), TUESDAY - 1).next_drill_at == TUESDAY


def test_a_page_is_worked_out_once(almanac: Almanac) -> None:
    """Until something changes the same page is handed out, also to others with the same expressions."""
    page = almanac(failover(DRILL), TUESDAY - 3600)

    assert almanac(failover(DRILL), TUESDAY - 1) is page
    assert almanac(failover(DRILL), TUESDAY - 7200) is not page


def test_no_more_than_so_many_pages_are_kept() -> None:
    """Whatever people write, memory has a bound, and what is asked again is right again."""
    almanac = Almanac(most_pages=3)
    for number in range(5):
        almanac(failover(DRILL, zone=f"Etc/Nowhere-{number}"), TUESDAY)

    assert almanac.kept <= 3
    assert almanac(failover(DRILL), TUESDAY - 1).next_drill_at == TUESDAY
