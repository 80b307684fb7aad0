"""The operator's switch: the setting of a replica and the record of all."""

from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs

from rollout.controller.switch import AUTOMATIC, BY_SETTING, OperatorSwitch, told
from rollout.errors import Unavailable
from rollout.signals import Position
from tests.fakes.clock import FakeClock
from tests.fakes.switch import FakeSwitch

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp()
STOPPED = "Failover is stopped by alice since 12:00 UTC: maintenance of the mesh."


@pytest.fixture
def record() -> FakeSwitch:
    """Return a record that says nothing."""
    return FakeSwitch()


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock at noon."""
    return FakeClock(unix=NOON)


@pytest.fixture
def switch(record: FakeSwitch, clock: FakeClock) -> OperatorSwitch:
    """Return the switch of a replica whose setting leaves failover be."""
    return OperatorSwitch(record, clock)


def test_at_first_failover_is_automatic(switch: OperatorSwitch) -> None:
    """Nobody has stopped anything."""
    assert switch.stopped == ""
    assert switch.standing().message == AUTOMATIC


async def test_who_stops_it_is_told_with_time_and_reason(switch: OperatorSwitch) -> None:
    """One sentence has it all."""
    standing = await switch.turn(stopped=True, by="alice", reason="maintenance of the mesh")

    assert standing.stopped
    assert (switch.stopped, standing.message) == (STOPPED, STOPPED)


async def test_who_releases_it_is_told_too(switch: OperatorSwitch) -> None:
    """It is automatic again, and that is somebody's doing."""
    await switch.turn(stopped=True, by="alice")
    standing = await switch.turn(stopped=False, by="bob", reason="done")

    assert switch.stopped == ""
    assert standing.message == "Failover is automatic by bob since 12:00 UTC: done."


async def test_what_stands_so_already_is_not_turned_again(switch: OperatorSwitch, record: FakeSwitch) -> None:
    """Whoever asks again does not take the place of the first; with another reason it is another thing."""
    await switch.turn(stopped=True, by="alice", reason="mesh")
    await switch.turn(stopped=True, by="bob", reason="mesh")
    first = record.read().by
    await switch.turn(stopped=True, by="bob", reason="fire")

    assert (first, record.read().by) == ("alice", "bob")


async def test_the_setting_stops_it_whatever_the_record_says(record: FakeSwitch, clock: FakeClock) -> None:
    """A release does not take back what the setting wants."""
    switch = OperatorSwitch(record, clock, by_setting=True)
    standing = await switch.turn(stopped=False, by="bob", reason="done")

    assert (standing.stopped, standing.message, standing.by_setting) == (True, BY_SETTING, True)


async def test_where_both_stop_it_the_person_is_told(record: FakeSwitch, clock: FakeClock) -> None:
    """Who did it and why says more than that a setting does, too."""
    switch = OperatorSwitch(record, clock, by_setting=True)

    assert (await switch.turn(stopped=True, by="alice", reason="maintenance of the mesh")).message == STOPPED


def test_before_the_first_reading_nobody_fails_over(clock: FakeClock) -> None:
    """What is not known counts as stopped, and says so."""
    record = FakeSwitch(known=False)
    switch = OperatorSwitch(record, clock)
    before = switch.stopped
    record.come()

    assert before == "Failover is stopped until its switch was read: the switch was not read yet."
    assert switch.stopped == ""


async def test_what_cannot_be_kept_is_raised(switch: OperatorSwitch, record: FakeSwitch) -> None:
    """Nobody is told that failover is stopped where it is not."""
    record.down = True
    with pytest.raises(Unavailable):
        await switch.turn(stopped=True, by="alice")

    assert switch.stopped == ""


async def test_listeners_hear_of_every_change(switch: OperatorSwitch) -> None:
    """They can read at once how it is."""
    heard: list[str] = []
    switch.subscribe(lambda: heard.append(switch.stopped))
    await switch.turn(stopped=True, by="alice", reason="maintenance of the mesh")
    await switch.turn(stopped=False, by="alice")

    assert heard == [STOPPED, ""]


async def test_the_log_warns_of_every_change_once(switch: OperatorSwitch, record: FakeSwitch) -> None:
    """It is loud when it is stopped, when it is released, and not in between."""
    with capture_logs() as logs:
        switch.begin()
        await record.turn(Position(stopped=True, by="alice", at=NOON, reason="maintenance of the mesh"))
        await record.turn(Position(stopped=True, by="alice", at=NOON, reason="maintenance of the mesh"))
        await record.turn(Position(stopped=False, by="bob", at=NOON))

    assert [(line["event"], line["why"], line["log_level"]) for line in logs] == [
        ("failover is stopped", STOPPED, "warning"),
        ("failover is automatic again", "Failover is automatic by bob since 12:00 UTC.", "warning"),
    ]


def test_the_log_warns_at_a_start_with_failover_stopped(record: FakeSwitch, clock: FakeClock) -> None:
    """Whoever restarts the service sees that it does less than it could."""
    with capture_logs() as logs:
        OperatorSwitch(record, clock, by_setting=True).begin()

    assert [(line["event"], line["why"]) for line in logs] == [("failover is stopped", BY_SETTING)]


@pytest.mark.parametrize(
    ("position", "sentence"),
    [
        (Position(stopped=True), "Failover is stopped."),
        (Position(stopped=True, by="alice"), "Failover is stopped by alice."),
        (Position(stopped=True, reason="Fire."), "Failover is stopped: Fire."),
        (
            Position(stopped=True, by="alice", at=NOON - 86400, reason="fire"),
            "Failover is stopped by alice since 2026-11-23 12:00 UTC: fire.",
        ),
        (Position(), AUTOMATIC),
    ],
)
def test_the_sentence_leaves_out_what_nobody_knows(position: Position, sentence: str) -> None:
    """What was not today has its date."""
    assert told(position, NOON) == sentence
