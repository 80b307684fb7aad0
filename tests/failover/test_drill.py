"""Facts about drills."""

from __future__ import annotations

from typing import Any

import pytest

from rollout.failover.drill import NONE_YET
from rollout.failover.reasons import Reason
from rollout.failover.seen import Calendar
from rollout.failover.state import FailoverState, Result
from rollout.failover.table import Action, Stage
from tests.failover.builders import DOWN, DR, FAR, LOST, PROBE, UP, V1, World, failed_over, settings

DRILL: dict[str, Any] = {"schedule": "0 10 * * 2", "percent": 10, "duration": "5m"}


def due(**fields: object) -> World:
    """Return a world in which a drill is due, and none was before."""
    world = World(settings(drill=DRILL, **fields), backups=(DR, FAR), state=FailoverState(drill_seen=NONE_YET))
    world.calendar(Calendar(drill_due="drill-1", next_drill_at=world.now + 86400))
    return world


def outcome(world: World) -> tuple[str, Result, str]:
    """Return the id of the last drill, how it ended, and why."""
    assert world.state.drilled is not None
    return world.state.drilled.id, world.state.drilled.result, world.state.drilled.why


def test_a_drill_moves_its_share_returns_and_is_recorded() -> None:
    """Once for each time it is due."""
    world = due()
    began = world.now
    world.run(900)

    assert [(at - began, shares) for at, shares in world.writes] == [(0, ((DR, 10),)), (300, ())]
    assert outcome(world)[:2] == ("drill-1", Result.SUCCEEDED)
    assert (world.stage, world.told) == (Stage.NORMAL, [Reason.DRILLING, Reason.DRILL_ENDED])


def test_errors_on_the_backup_abort_it_at_once() -> None:
    """No confirmation is waited for."""
    world = due()
    world.run(30)
    world.set(DR, DOWN)
    world.step()

    assert (world.stage, world.shares) == (Stage.NORMAL, {})
    assert outcome(world)[:2] == ("drill-1", Result.ABORTED)


def test_a_real_failure_overrides_it() -> None:
    """The backup gets everything after the confirmation."""
    world = due()
    world.run(30)
    world.set(V1, DOWN)
    world.run(3)

    assert (world.stage, world.shares) == (Stage.FAILED_OVER, {DR: 100})
    assert outcome(world) == ("drill-1", Result.ABORTED, "a real failure came")


def test_a_failure_that_passes_ends_the_drill() -> None:
    """Its share goes back, once the primary is known to be healthy."""
    world = due()
    world.run(30)
    world.set(V1, DOWN)
    world.step()
    world.set(V1, LOST)
    world.run(10)
    assert (world.shares, world.state.reason) == ({DR: 10}, Reason.WAITING_FOR_HEALTH)
    world.extra["stopped"] = True
    world.set(V1, UP)
    world.run(1)
    assert (world.shares, world.state.reason) == ({DR: 10}, Reason.STOPPED)
    world.extra["stopped"] = False
    world.run(1)

    assert (world.stage, world.shares) == (Stage.NORMAL, {})


def test_a_backup_that_nobody_sees_has_failed() -> None:
    """The drill has proven nothing."""
    world = due()
    world.run(30)
    world.set(DR, LOST)
    world.run(300)

    assert outcome(world)[:2] == ("drill-1", Result.FAILED)


def test_its_share_waits_for_a_primary_that_is_known() -> None:
    """The drill is over, but nothing moves onto Unknown."""
    world = due()
    world.run(30)
    world.set(V1, LOST)
    world.run(300)
    assert (world.stage, world.shares, world.state.reason) == (Stage.DRILL, {DR: 10}, Reason.WAITING_FOR_HEALTH)
    world.set(V1, UP)
    world.run(1)

    assert (world.stage, world.shares) == (Stage.NORMAL, {})


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"stopped": True}, "all automatic failover is stopped"),
        ({"suspended": True}, "spec.suspend is true"),
        ({"attempt": True}, "an attempt is under way"),
        ({"calendar": Calendar(drill_due="drill-1", blocked_until=2e9)}, "the time is blocked for drills"),
    ],
)
def test_none_takes_place_when_it_may_not(change: dict[str, Any], why: str) -> None:
    """It is recorded as skipped, once."""
    world = due()
    world.extra |= change
    world.run(60)

    assert (world.writes, outcome(world)) == ([], ("drill-1", Result.SKIPPED, why))
    assert world.told.count(Reason.DRILL_SKIPPED) == 1


def test_none_takes_place_onto_a_backup_that_is_not_whole() -> None:
    """Two of three targets are not enough for practice."""
    world = due()
    world.ready(DR, 2)
    world.run(60)

    assert outcome(world) == ("drill-1", Result.SKIPPED, f"{DR} is not whole")


@pytest.mark.parametrize("fields", [{"mode": "Observe"}, {"strategy": "Spill"}])
def test_none_takes_place_while_observing_or_partly_down(fields: dict[str, Any]) -> None:
    """Nothing is written that need not be."""
    world = due(**fields)
    world.ready(V1, 1)
    world.step()

    assert not world.writes
    assert (world.state.drilled is None) == (world.stage is Stage.CONFIRMING)


def test_none_takes_place_without_a_known_primary_or_a_backup() -> None:
    """There is nothing to practise."""
    world = due()
    world.set(V1, LOST)
    world.run(1)
    assert outcome(world)[2] == f"{V1} is not known to be healthy"
    world.set(V1, UP)
    world.backups = ()
    world.calendar(Calendar(drill_due="drill-2"))
    world.run(1)

    assert outcome(world) == ("drill-2", Result.SKIPPED, "the backup is not whole")


def test_none_takes_place_while_failed_over() -> None:
    """It is skipped there too."""
    world = failed_over(drill=DRILL)
    world.calendar(Calendar(drill_due="drill-1"))
    world.run(10)

    assert outcome(world) == ("drill-1", Result.SKIPPED, "failover is FailedOver")
    assert world.shares == {DR: 100}


@pytest.mark.parametrize(
    ("change", "why"), [("stopped", "all automatic failover is stopped"), ("drill", "the spec asks for it no more")]
)
def test_a_drill_that_is_no_longer_wanted_ends(change: str, why: str) -> None:
    """Its share goes back at once."""
    world = due()
    world.run(30)
    if change == "drill":
        world.settings = settings()
    else:
        world.extra[change] = True
    world.step()

    assert (world.stage, world.shares, outcome(world)) == (Stage.NORMAL, {}, ("drill-1", Result.ABORTED, why))


def test_a_drill_does_not_end_where_nothing_may_be_written() -> None:
    """The mode became Observe meanwhile."""
    world = due()
    world.run(30)
    world.settings = settings(drill=DRILL, mode="Observe")
    world.run(600)

    assert (world.stage, world.shares) == (Stage.DRILL, {DR: 10})


def test_a_person_may_ask_for_a_drill_now() -> None:
    """The one of the calendar is not done twice for that."""
    world = due()
    world.run(400)
    assert world.order(Action.DRILL)[0]
    world.run(400)

    assert outcome(world)[:2] == ("by hand", Result.SUCCEEDED)
    assert [shares for _, shares in world.writes] == [((DR, 10),), (), ((DR, 10),), ()]


def test_a_drill_needs_settings() -> None:
    """Nobody said how large it is."""
    world = World()
    assert world.order(Action.DRILL) == (False, "NoDrill")
    world.calendar(Calendar(drill_due="drill-1"))
    world.run(10)

    assert (world.writes, world.state.drilled) == ([], None)


def test_a_drill_that_was_due_before_anybody_looked_is_none() -> None:
    """A Rollout that is made just after the time of its schedule begins with no drill; the next one takes place."""
    world = due()
    world.state = FailoverState()
    world.run(60)
    before = world.writes[:]
    world.calendar(Calendar(drill_due="drill-2"))
    world.run(10)

    assert (before, world.stage) == ([], Stage.DRILL)


def test_a_drill_does_not_end_well_before_all_signals_have_spoken_again() -> None:
    """Just after a start one of them is not enough."""
    world = due(signals={"endpoints": {}, "probe": {"tcp": {}}})
    for name in (V1, DR, FAR):
        world.set(name, UP, PROBE)
    world.run(290)
    world.extra["session_started_at"] = world.now
    world.set(DR, LOST, PROBE)
    world.run(20)
    waits = world.stage
    world.set(DR, UP, PROBE)
    world.run(2)

    assert waits is Stage.DRILL
    assert outcome(world)[1] is Result.SUCCEEDED
