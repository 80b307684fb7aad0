"""Cron expressions as cron reads them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from rollout.errors import ConfigurationError
from rollout.spec.cron import EVERY_DAY, EVERY_WEEKDAY, Moments, TimeZone, parse_cron
from rollout.spec.failover import Drill, Failover
from tests.spec.builders import BACKENDS, rollout

EVERY_MINUTE, EVERY_HOUR, EVERY_MONTH = frozenset(range(60)), frozenset(range(24)), frozenset(range(1, 13))


def one(text: str) -> Moments:
    """Return the only entry of an expression."""
    (moments,) = parse_cron(text)
    return moments


def test_stars_are_always() -> None:
    """Five stars are every minute there is."""
    assert one("* * * * *") == Moments(EVERY_MINUTE, EVERY_HOUR, EVERY_DAY, EVERY_MONTH, EVERY_WEEKDAY)


@pytest.mark.parametrize(
    ("field", "minutes"),
    [
        ("5", {5}),
        ("5,7", {5, 7}),
        ("5-8", {5, 6, 7, 8}),
        ("5-9/2", {5, 7, 9}),
        ("*/20", {0, 20, 40}),
        ("50/5", {50, 55}),
        ("0,30-31,50/9", {0, 30, 31, 50, 59}),
    ],
)
def test_a_field_is_a_list_of_numbers_and_ranges_with_steps(field: str, minutes: set[int]) -> None:
    """Every form that cron knows is read."""
    assert one(f"{field} * * * *").minutes == minutes


@pytest.mark.parametrize(
    ("field", "weekdays"),
    [
        ("0", {6}),
        ("7", {6}),
        ("sun", {6}),
        ("1", {0}),
        ("mon-fri", {0, 1, 2, 3, 4}),
        ("1-5", {0, 1, 2, 3, 4}),
        ("5-7", {4, 5, 6}),
        ("sat-sun", {5, 6}),
        ("sun-tue", {6, 0, 1}),
        ("0-6", {0, 1, 2, 3, 4, 5, 6}),
        ("SAT,0", {5, 6}),
        ("0/2", {6, 1, 3, 5}),
    ],
)
def test_weekdays_count_from_sunday_as_in_cron(field: str, weekdays: set[int]) -> None:
    """0 and 7 are Sunday; what is read counts from Monday."""
    assert one(f"0 0 * * {field}").weekdays == weekdays


def test_months_have_names() -> None:
    """Names of months may stand for their numbers, in either case."""
    assert one("0 0 1 Feb,oct-DEC *").months == {2, 10, 11, 12}


def test_of_two_days_either_will_do() -> None:
    """Where both days are restricted, cron takes each by itself."""
    by_day, by_weekday = parse_cron("30 2 1,15 * mon")

    assert by_day.days == {1, 15}
    assert by_day.weekdays == EVERY_WEEKDAY
    assert by_weekday.days == EVERY_DAY
    assert by_weekday.weekdays == {0}


def test_a_day_that_begins_with_a_star_restricts_the_other() -> None:
    """A step over all days is no list of days: both must hold, as in cron."""
    moments = one("0 0 */2 * mon")

    assert moments.weekdays == {0}
    assert 2 not in moments.days


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("* * * *", "has 4 fields, and a cron expression has 5"),
        ("@daily", "has 1 fields"),
        ("0 0 10 * * 2", "has 6 fields"),
        ("60 * * * *", "has the minute 60, and there is 0 to 59"),
        ("* 24 * * *", "has the hour 24"),
        ("* * 0 * *", "has the day of month 0, and there is 1 to 31"),
        ("* * * 13 *", "has the month 13, and there is 1 to 12, or a name of three letters"),
        ("* * * * 8", "has the weekday 8"),
        ("* * * * monday", "has the weekday monday"),
        ("mon * * * *", "has the minute mon"),
        ("5-3 * * * *", "ends before it begins in its minute: 5-3"),
        ("* 18-6 * * *", "ends before it begins in its hour: 18-6"),
        ("*/0 * * * *", "has a step of 0 in its minute"),
        ("1,,2 * * * *", "cannot be read in its minute: nothing"),
        ("? * * * *", "cannot be read in its minute: ?"),
        ("*-5 * * * *", "cannot be read"),
        ("0 0 30 2 *", "is never true: none of its months has such a day"),
        ("0 0 31 2,4,6,9,11 *", "is never true"),
    ],
)
def test_what_is_no_cron_expression_is_refused_with_why(text: str, why: str) -> None:
    """The sentence names the field and what was read."""
    with pytest.raises(ValueError, match=why.replace("?", r"\?").replace("*", r"\*")):
        parse_cron(text)


@pytest.mark.parametrize("text", ["0 0 29 2 *", "0 0 31 2,3 *", "0 0 30 2 mon"])
def test_what_is_true_seldom_is_fine(text: str) -> None:
    """A leap day, a month of several, or the weekday beside it comes in the end."""
    assert parse_cron(text)


@given(st.text(alphabet="0123456789*,-/ monsun", max_size=40))
def test_any_text_is_a_cron_expression_or_refused(text: str) -> None:
    """Whatever comes in, moments come out or a sentence."""
    try:
        moments = parse_cron(text)
    except ValueError:
        return
    assert all(each.minutes and each.hours and each.days and each.months and each.weekdays for each in moments)


def test_a_wrong_expression_is_told_with_path_and_what_is_allowed() -> None:
    """The problems of a manifest name each field of it that has a wrong expression."""
    failover = {
        "signals": {"endpoints": {}},
        "drill": {"schedule": "0 25 * * 2", "blockedWindows": ["* * * *"]},
        "failback": {"windows": ["* 9-17 * * *", "* 9-17 * * mo"]},
        "timeZone": "Mars Standard",
    }
    with pytest.raises(ConfigurationError) as caught:
        rollout(failover=failover, backends={**BACKENDS, "backups": [{"name": "dr"}]})

    told = {problem.field: problem for problem in caught.value.problems}
    assert told["spec.failover.drill.schedule"].message == "has the hour 25, and there is 0 to 23"
    assert told["spec.failover.drill.schedule"].given == '"0 25 * * 2"'
    assert told["spec.failover.drill.schedule"].allowed.startswith("five fields: minute, hour")
    assert told["spec.failover.drill.blockedWindows[0]"].message == "does not have the right form"
    assert told["spec.failover.failback.windows[1]"].message.startswith("has the weekday mo")
    assert told["spec.failover.timeZone"].allowed == "the name of a time zone, such as Europe/Berlin or UTC"


def test_the_time_zone_is_utc_by_default() -> None:
    """A failover says nothing of a time zone and means UTC."""
    assert Failover(drill=Drill(schedule="0 10 * * 2")).time_zone == "UTC"


@pytest.mark.parametrize(
    "name", ["UTC", "Europe/Berlin", "America/Argentina/Ushuaia", "Etc/GMT+5", "Australia/Lord_Howe"]
)
def test_a_name_of_a_time_zone_has_the_form_of_one(name: str) -> None:
    """Whether there is such a zone is asked elsewhere."""
    assert TypeAdapter(TimeZone).validate_python(name) == name


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "/etc/localtime", "Europe/", "UTC+2:00", "a" * 65, "Köln"])
def test_what_cannot_name_a_time_zone_is_refused(name: str) -> None:
    """No path leads out of the folder of time zones."""
    with pytest.raises(ValidationError):
        TypeAdapter(TimeZone).validate_python(name)
