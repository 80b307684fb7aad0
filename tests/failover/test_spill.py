"""Facts about Spill: partial losses by Envoy's formula, in simulated time."""

from __future__ import annotations

import pytest

from rollout.failover.reasons import Reason
from rollout.failover.seen import BackendSeen
from rollout.failover.table import Action, Stage
from tests.failover.builders import DOWN, DR, FAR, LOST, METRICS, UP, V1, V2, World, settings


def spilling(**fields: object) -> World:
    """Return a world whose tiers are whole, three targets each."""
    world = World(settings(strategy="Spill", **fields), backups=(DR, FAR))
    for name in (V1, DR, FAR):
        world.ready(name, 3)
    world.step()
    return world


def test_a_partial_loss_that_lasts_spills_over() -> None:
    """After holdOff, as much as the formula says."""
    world = spilling()
    world.ready(V1, 1)
    world.run(14)
    assert not world.writes
    world.run(2)

    assert (world.stage, world.shares, world.state.active) == (Stage.FAILED_OVER, {DR: 54}, DR)


def test_a_full_loss_needs_confirmation_only() -> None:
    """It does not wait for holdOff."""
    world = spilling()
    world.ready(V1, 0)
    world.run(3)

    assert world.shares == {DR: 100}


def test_a_further_loss_shifts_more_and_counts_as_no_failover() -> None:
    """The number stays the same, and nothing latches."""
    world = spilling()
    for up in (2, 1, 0):
        world.ready(V1, up)
        world.run(17)

    assert [shares for _, shares in world.writes] == [((DR, 7),), ((DR, 54),), ((DR, 100),)]
    assert (world.state.epoch, len(world.state.failovers)) == (1, 1)
    assert world.told.count(Reason.SHIFTED) == 2


def test_a_backup_that_is_lost_leaves_its_share_to_the_next() -> None:
    """Tier 0 gets none of it back that way."""
    world = spilling()
    world.ready(V1, 1)
    world.run(17)
    world.ready(DR, 0)
    world.run(3)

    assert (world.shares, world.state.active, world.state.epoch) == ({FAR: 54}, FAR, 2)


def test_a_backup_that_is_partly_lost_shares_with_the_next() -> None:
    """After holdOff."""
    world = spilling()
    world.ready(V1, 0)
    world.run(3)
    world.ready(DR, 1)
    world.run(17)

    assert world.shares == {DR: 46, FAR: 54}


def test_when_all_backups_are_lost_tier_0_takes_what_it_can() -> None:
    """Even at once, where it is healthy."""
    world = spilling()
    world.ready(V1, 1)
    world.run(17)
    world.ready(V1, 3)
    world.ready(DR, 0)
    world.ready(FAR, 0)
    world.run(3)

    assert (world.stage, world.shares) == (Stage.NORMAL, {})
    assert world.told[-1] == Reason.RESCUED


def test_what_is_unknown_keeps_its_share() -> None:
    """The others share the rest by the formula."""
    world = spilling()
    world.ready(V1, 1)
    world.run(17)
    world.set(DR, LOST)
    world.ready(V1, 0)
    world.run(3)

    assert world.shares == {DR: 54, FAR: 46}


def test_a_part_that_is_lost_with_nobody_to_take_it_stays() -> None:
    """It is told that no backup is healthy."""
    world = spilling()
    world.ready(V1, 1)
    world.run(17)
    world.set(DR, LOST)
    world.ready(FAR, 0)
    world.ready(V1, 0)
    world.run(10)

    assert (world.shares, world.state.reason) == ({DR: 54}, Reason.NO_HEALTHY_BACKUP)


def test_tier_0_unknown_keeps_everything() -> None:
    """A loss is seen or it is none."""
    world = spilling()
    world.set(V1, LOST)
    world.run(60)

    assert not world.writes


def test_failback_follows_the_formula() -> None:
    """Two of three targets are good for 93 percent, in steps; the third for the rest, in steps again."""
    world = spilling()
    world.ready(V1, 0)
    world.run(3)
    world.writes = []
    world.ready(V1, 2)
    world.run(220)
    assert [shares for _, shares in world.writes] == [((DR, 91),), ((DR, 53),), ((DR, 7),)]
    assert (world.stage, world.state.active) == (Stage.FAILED_OVER, DR)
    world.ready(V1, 3)
    world.run(220)

    assert (world.stage, world.shares) == (Stage.NORMAL, {})


def test_a_loss_during_failback_breaks_it() -> None:
    """Tier 0 can no longer carry what it was given."""
    world = spilling()
    world.ready(V1, 0)
    world.run(3)
    world.ready(V1, 3)
    world.run(155)
    assert world.shares == {DR: 50}
    world.ready(V1, 1)
    world.step()

    assert (world.stage, world.shares, world.state.reason) == (Stage.FAILED_OVER, {DR: 100}, Reason.FAILBACK_BROKE)


def test_a_partial_loss_with_no_healthy_backup_stays() -> None:
    """Nobody could take it."""
    world = spilling()
    world.ready(V1, 1)
    world.set(DR, LOST)
    world.ready(FAR, 0)
    world.run(60)

    assert not world.writes
    assert world.is_in(Stage.NORMAL)


def test_all_down_spreads_and_gathers_by_the_formula() -> None:
    """Equal shares while all are down, and the formula again when two are up."""
    world = spilling(allUnhealthy="Spread")
    for name in (V1, DR, FAR):
        world.ready(name, 0)
    world.run(3)
    assert world.shares == {DR: 33, FAR: 33}
    world.ready(V1, 1)
    world.ready(FAR, 3)
    world.run(1)

    assert (world.stage, world.shares, world.state.spread) == (Stage.FAILED_OVER, {FAR: 54}, False)


@pytest.mark.parametrize(
    ("stable", "canary", "kept"), [(3, 3, 100), (0, 3, 0), (3, 0, 100), (1, 3, 70), (1, 0, 35), (0, 0, 0)]
)
def test_tier_0_is_the_mean_of_its_members(stable: int, canary: int, kept: int) -> None:
    """A quarter of it is the canary's; with stable down for certain, three quarters of what it has would fail."""
    world = spilling()
    world.ready(V1, stable)
    world.ready(V2, canary)
    world.extra |= {"canary": world.backend(V2), "split": 25.0}
    for _ in range(60):
        world.extra["canary"] = world.backend(V2)
        world.step(1)

    assert 100 - sum(world.shares.values()) == kept


def test_an_idle_canary_counts_for_nothing() -> None:
    """It has no part of tier 0."""
    world = spilling()
    world.extra |= {"canary": BackendSeen(V2), "split": 0.0}
    world.run(30)

    assert not world.writes
    assert world.state.reason == Reason.WATCHING


def test_a_member_that_is_unknown_makes_tier_0_unknown() -> None:
    """The mean of something and nothing is nothing."""
    world = spilling()
    world.extra |= {"canary": BackendSeen(V2), "split": 25.0}
    world.ready(V1, 1)
    world.run(60)

    assert not world.writes
    assert world.state.reason == Reason.BLIND


def test_metrics_alone_may_test_tier_0() -> None:
    """They took the traffic away, and nothing else could tell that it may come back."""
    world = World(settings(strategy="Spill", signals={"metrics": {}}))
    world.known = {}
    world.set(V1, DOWN, METRICS)
    world.set(DR, UP, METRICS)
    world.run(3)
    assert world.shares == {DR: 100}
    world.set(V1, LOST, METRICS)
    world.run(121)

    assert world.shares == {DR: 90}


def test_an_ordered_failover_moves_everything() -> None:
    """Also where the strategy is Spill; the formula takes nothing of it back."""
    world = spilling()
    assert world.order(Action.FAILOVER, FAR)[0]
    world.run(600)

    assert world.shares == {FAR: 100}
