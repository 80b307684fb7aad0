"""Facts about commands."""

from __future__ import annotations

import pytest

from rollout.failover.reasons import Reason
from rollout.failover.state import Result
from rollout.failover.table import Action, Stage
from tests.failover.builders import DOWN, DR, FAR, LOST, UP, V1, World, failed_over, settings


def world_of_two(**fields: object) -> World:
    """Return a world with two backups, all healthy."""
    world = World(settings(**fields), backups=(DR, FAR))
    world.step()
    return world


def test_failover_goes_where_it_is_told() -> None:
    """At once, from a healthy primary too, and stays until failback."""
    world = world_of_two()
    assert world.order(Action.FAILOVER, FAR) == (True, Reason.FAILED_OVER)
    assert (world.stage, world.shares, world.state.epoch) == (Stage.FAILED_OVER, {FAR: 100}, 1)
    world.run(1000)

    assert (world.shares, world.state.failovers) == ({FAR: 100}, ())
    assert world.state.reason == Reason.WAITING_FOR_FAILBACK


def test_failover_goes_to_the_first_healthy_backup() -> None:
    """Where it is not told."""
    world = world_of_two()
    world.set(DR, LOST)

    assert world.order(Action.FAILOVER)[0]
    assert world.shares == {FAR: 100}


@pytest.mark.parametrize(("to", "reason"), [("nobody", "NoSuchBackup"), (V1, "NoSuchBackup"), (DR, "BackupNotHealthy")])
def test_failover_refuses_what_it_cannot_do(to: str, reason: str) -> None:
    """Nothing is moved."""
    world = world_of_two()
    world.set(DR, LOST)

    assert world.order(Action.FAILOVER, to) == (False, reason)
    assert not world.writes


def test_failover_with_no_other_backup_is_refused() -> None:
    """It is there already."""
    world = World()
    assert world.order(Action.FAILOVER)[0]

    assert world.order(Action.FAILOVER) == (False, "BackupNotHealthy")


def test_an_ordered_failover_stays_a_persons_when_its_backup_is_lost() -> None:
    """The next backup takes over, and failback is still by hand."""
    world = world_of_two()
    world.order(Action.FAILOVER, DR)
    world.set(DR, DOWN)
    world.run(600)

    assert (world.shares, world.state.ordered) == ({FAR: 100}, True)


def test_failback_goes_in_steps() -> None:
    """By the number of the failover; stableFor and cooldown are not waited for."""
    world = world_of_two()
    world.order(Action.FAILOVER)

    assert world.order(Action.FAILBACK) == (False, "OldNumber")
    assert world.order(Action.FAILBACK, epoch=1) == (True, Reason.FAILING_BACK)
    world.run(100)
    assert (world.stage, world.state.ordered) == (Stage.NORMAL, False)


def test_failback_needs_a_healthy_primary() -> None:
    """Unknown is not enough."""
    world = failed_over()
    world.set(V1, LOST)

    assert world.order(Action.FAILBACK, epoch=1) == (False, "PrimaryNotHealthy")


def test_failback_from_the_primary_is_refused() -> None:
    """Everything is there, though latched."""
    world = world_of_two()
    world.order(Action.HOLD)

    assert world.order(Action.FAILBACK, epoch=0) == (False, "IllegalInStage")


def test_hold_stops_everything_until_unlatch() -> None:
    """Where the traffic is, and then it goes on from there."""
    world = failed_over()
    world.run(121)
    assert world.order(Action.HOLD) == (True, Reason.HELD)
    assert world.order(Action.HOLD) == (False, "IllegalInStage")
    world.set(V1, DOWN)
    world.run(600)
    assert (world.stage, world.shares, world.state.reason) == (Stage.LATCHED, {DR: 90}, Reason.HELD)
    world.set(V1, UP)
    assert world.order(Action.UNLATCH)[0]
    world.run(1)
    assert world.state.journey is not None
    world.run(100)

    assert world.is_in(Stage.NORMAL)


def test_failback_from_a_hold_half_way_begins_anew() -> None:
    """A bad reading would bring everything to where it came from."""
    world = failed_over()
    world.run(151)
    world.order(Action.HOLD)
    assert world.shares == {DR: 50}
    assert world.order(Action.FAILBACK, epoch=1)[0]
    assert world.shares == {DR: 90}
    world.set(V1, DOWN)
    world.step()

    assert world.shares == {DR: 100}


def test_hold_ends_a_drill() -> None:
    """Its share stays where it is, until unlatch."""
    world = world_of_two(drill={"schedule": "0 10 * * 2"})
    world.order(Action.DRILL)
    world.order(Action.HOLD)
    assert world.state.drilled is not None
    assert (world.stage, world.shares, world.state.drilled.result) == (Stage.LATCHED, {DR: 10}, Result.ABORTED)
    world.order(Action.UNLATCH)
    world.run(1)

    assert (world.stage, world.shares) == (Stage.NORMAL, {})


def test_commands_are_refused_while_suspended() -> None:
    """Nothing may be written."""
    world = world_of_two()
    world.extra["suspended"] = True

    assert world.order(Action.FAILOVER) == (False, "Suspended")


def test_commands_that_write_are_refused_while_observing() -> None:
    """A hold is not one of them."""
    world = world_of_two(mode="Observe")

    assert world.order(Action.FAILOVER) == (False, "ObservingOnly")
    assert world.order(Action.HOLD)[0]
    assert world.order(Action.UNLATCH)[0]


def test_approve_without_a_proposal_is_refused() -> None:
    """The primary is not down for long enough, or nobody has to be asked."""
    world = world_of_two()
    world.set(V1, DOWN)
    world.step()

    assert world.order(Action.APPROVE, epoch=0) == (False, "NothingProposed")


def test_the_one_who_ordered_is_named() -> None:
    """In the sentence that is told."""
    world = world_of_two()
    world.order(Action.FAILOVER)

    assert "ordered by jo" in world.state.message
