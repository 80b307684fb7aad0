"""Facts about being away from the primary: lost backups, all down, latch, ramp-up, standby, maintenance."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rollout.failover.health import continued
from rollout.failover.reasons import Reason
from rollout.failover.seen import BackendSeen, Calendar
from rollout.failover.table import Action, Stage
from tests.failover.builders import DOWN, DR, FAR, LOST, METRICS, PROBE, UP, V1, V2, World, failed_over, settings

BOTH: dict[str, Any] = {"endpoints": {}, "metrics": {}}


def test_a_lost_backup_is_left_for_the_next() -> None:
    """That is another failover, with another number."""
    world = failed_over()
    world.set(V1, DOWN)
    world.set(DR, DOWN)
    world.run(3)

    assert (world.shares, world.state.epoch, world.state.active) == ({FAR: 100}, 2, FAR)


def test_a_lost_backup_gives_everything_to_a_healthy_primary() -> None:
    """At once after the confirmation, with nobody else there."""
    world = failed_over()
    world.set(DR, DOWN)
    world.set(FAR, DOWN)
    world.run(3)

    assert (world.stage, world.shares) == (Stage.NORMAL, {})
    assert Reason.RESCUED in world.told


def test_a_backup_lost_during_failback_gives_the_rest_to_the_primary() -> None:
    """It has a part already and is healthy."""
    world = failed_over()
    world.run(121)
    world.set(DR, DOWN)
    world.run(3)

    assert (world.stage, world.shares, world.told[-1]) == (Stage.NORMAL, {}, Reason.FAILED_BACK)


def test_a_backup_lost_while_the_primary_is_unknown_goes_to_another() -> None:
    """Failback ends there."""
    world = failed_over()
    world.run(121)
    world.set(V1, LOST)
    world.set(DR, DOWN)
    world.run(3)

    assert (world.stage, world.shares) == (Stage.FAILED_OVER, {FAR: 100})


def test_a_broken_failback_with_an_unknown_backup_goes_to_another() -> None:
    """Nothing is moved onto what nobody knows."""
    world = failed_over()
    world.run(121)
    world.set(V1, DOWN)
    world.set(DR, LOST)
    world.step()

    assert (world.stage, world.shares) == (Stage.FAILED_OVER, {FAR: 100})


def test_a_broken_failback_with_nobody_healthy_stays() -> None:
    """And says so."""
    world = failed_over()
    world.run(121)
    for name, health in ((V1, DOWN), (DR, LOST), (FAR, LOST)):
        world.set(name, health)
    world.run(20)

    assert (world.stage, world.shares) == (Stage.FAILING_BACK, {DR: 90})
    assert world.state.reason == Reason.NO_HEALTHY_BACKUP


@pytest.mark.parametrize(
    ("then", "shares", "stage"),
    [
        ("Hold", {DR: 100}, Stage.FAILED_OVER),
        ("PreferPrimary", {}, Stage.CONFIRMING),
        ("Spread", {DR: 33, FAR: 33}, Stage.FAILED_OVER),
    ],
)
def test_all_are_down(then: str, shares: dict[str, int], stage: Stage) -> None:
    """Shares are as allUnhealthy asks, and written once."""
    world = failed_over(allUnhealthy=then)
    world.writes = []
    for name in (V1, DR, FAR):
        world.set(name, DOWN)
    world.run(60)

    assert (world.shares, world.stage) == (shares, stage)
    assert len(world.writes) == (then != "Hold")


@pytest.mark.parametrize("then", ["PreferPrimary", "Spread"])
def test_one_unknown_backend_is_enough_to_hold(then: str) -> None:
    """It may be healthy."""
    world = failed_over(allUnhealthy=then)
    for name, health in ((V1, DOWN), (DR, DOWN), (FAR, LOST)):
        world.set(name, health)
    world.run(60)

    assert world.shares == {DR: 100}


def test_a_healthy_canary_that_carries_a_part_is_enough_to_hold() -> None:
    """The primary alone is down then, not all."""
    world = World(settings(allUnhealthy="Spread"))
    world.set(V1, DOWN)
    world.set(DR, DOWN)
    world.set(V2, UP)
    world.extra |= {"canary": world.backend(V2), "split": 25.0}
    world.run(20)

    assert not world.writes
    assert world.state.reason == Reason.NO_HEALTHY_BACKUP


@pytest.mark.parametrize(("who", "shares", "stage"), [(V1, {}, Stage.NORMAL), (DR, {DR: 100}, Stage.FAILED_OVER)])
def test_spread_shares_are_gathered(who: str, shares: dict[str, int], stage: Stage) -> None:
    """The first that is healthy again gets everything."""
    world = World(settings(allUnhealthy="Spread"), backups=(DR, FAR))
    for name in (V1, DR, FAR):
        world.set(name, DOWN)
    world.run(10)
    assert world.is_in(Stage.CONFIRMING)
    world.set(V1, LOST)
    world.run(10)
    assert (world.shares, world.state.reason) == ({DR: 33, FAR: 33}, Reason.ALL_UNHEALTHY)
    world.set(who, UP)
    world.run(1)

    assert (world.shares, world.stage, world.state.spread) == (shares, stage, False)


def _latched() -> World:
    world = World(settings(damping={"maxFailovers": 1, "cooldown": "30s"}), backups=(DR, FAR))
    world.set(V1, DOWN)
    world.run(3)
    assert world.is_in(Stage.LATCHED)
    world.set(V1, UP)
    return world


def test_a_latch_lasts() -> None:
    """However long the primary is healthy."""
    world = _latched()
    world.run(3600)

    assert (world.stage, world.shares) == (Stage.LATCHED, {DR: 100})


def test_a_latched_backup_that_is_lost_is_left() -> None:
    """At once for another backup, after the cooldown for the primary; the latch stays."""
    world = _latched()
    world.set(DR, DOWN)
    world.run(3)
    assert (world.stage, world.shares) == (Stage.LATCHED, {FAR: 100})
    world.set(FAR, DOWN)
    world.run(20)
    assert (world.shares, world.state.reason) == ({FAR: 100}, Reason.COOLING_DOWN)
    world.run(31)

    assert (world.stage, world.shares, world.state.active) == (Stage.LATCHED, {}, "")
    assert world.order(Action.UNLATCH)[0]
    assert world.is_in(Stage.NORMAL)


def test_a_cold_backup_gets_its_share_in_parts() -> None:
    """Fifty percent, then all, an interval apart."""
    world = World(settings(rampUp=[50, 100]))
    world.set(V1, DOWN)
    world.run(40)

    assert [shares for _, shares in world.writes] == [((DR, 50),), ((DR, 100),)]
    assert world.writes[1][0] - world.writes[0][0] == 30
    assert world.state.journey is None


def test_a_ramp_that_ends_early_is_brought_to_its_end() -> None:
    """An interval after its last part."""
    world = World(settings(rampUp=[20]))
    world.set(V1, DOWN)
    world.run(3)
    assert world.shares == {DR: 20}
    world.run(40)

    assert (world.shares, world.state.journey) == ({DR: 100}, None)


def test_a_cold_backup_that_is_unknown_gets_no_more() -> None:
    """Until it is known."""
    world = World(settings(rampUp=[50, 100]))
    world.set(V1, DOWN)
    world.run(3)
    world.set(DR, LOST)
    world.run(60)
    assert (world.shares, world.state.reason) == ({DR: 50}, Reason.WAITING_FOR_HEALTH)
    world.extra["stopped"] = True
    world.set(DR, UP)
    world.run(1)

    assert (world.shares, world.state.reason) == ({DR: 50}, Reason.STOPPED)


def test_an_idle_backup_has_its_standby_weight() -> None:
    """Once it has been healthy for stableFor; not while it is not."""
    world = World(settings(standbyWeight=2))
    world.run(119)
    assert not world.writes
    world.run(2)
    assert (world.stage, world.shares) == (Stage.NORMAL, {DR: 2})
    world.set(DR, LOST)
    world.run(10)
    assert world.shares == {DR: 2}
    world.set(DR, DOWN)
    world.run(1)

    assert world.shares == {}
    assert world.told == [Reason.STANDBY_GIVEN, Reason.STANDBY_TAKEN]


def test_a_standby_is_warm() -> None:
    """It takes everything at once, without ramp-up, and keeps its weight after failback."""
    world = World(settings(standbyWeight=2, rampUp=[50]))
    world.run(121)
    world.set(V1, DOWN)
    world.run(3)
    assert world.shares == {DR: 100}
    world.set(V1, UP)
    world.run(600)

    assert (world.stage, world.shares) == (Stage.NORMAL, {DR: 2})


def test_standby_without_backups_is_nothing() -> None:
    """Somebody took them out of the spec."""
    world = World(settings(standbyWeight=2))
    world.run(121)
    world.backups = ()
    world.run(1)

    assert world.shares == {}


def test_no_standby_is_given_where_the_mode_is_observe() -> None:
    """Nothing is written."""
    world = World(settings(standbyWeight=2, mode="Observe"))
    world.run(200)

    assert not world.writes


def test_a_primary_scaled_to_zero_on_purpose_is_no_failure() -> None:
    """Traffic moves, but it counts for no latch, and comes back by itself."""
    world = World(settings(damping={"maxFailovers": 1}))
    world.resting.add(V1)
    world.set(V1, DOWN)
    world.run(3)
    assert (world.stage, world.shares, world.state.failovers) == (Stage.FAILED_OVER, {DR: 100}, ())
    assert Reason.MAINTENANCE in world.told
    world.resting.clear()
    world.set(V1, UP)
    world.run(300)

    assert world.is_in(Stage.NORMAL)


def test_metrics_alone_wait_for_the_cooldown() -> None:
    """No endpoints, though, do not."""
    world = World(settings(signals=BOTH, damping={"cooldown": "600s"}))
    world.state = replace(world.state, moved_at=world.now)
    world.set(V1, DOWN, METRICS)
    world.run(60)
    assert (world.shares, world.state.reason) == ({}, Reason.COOLING_DOWN)
    world.set(V1, DOWN)
    world.run(1)

    assert world.shares == {DR: 100}


def test_failback_waits_for_the_cooldown() -> None:
    """However soon the primary is stable."""
    world = failed_over(failback={"stableFor": "1s"})
    world.run(50)
    assert (world.stage, world.state.reason) == (Stage.FAILED_OVER, Reason.COOLING_DOWN)
    world.run(10)

    assert world.is_in(Stage.FAILING_BACK)


def test_failback_waits_for_its_window() -> None:
    """And begins when one opens."""
    world = failed_over(failback={"windows": ["* 9-17 * * *"]})
    world.calendar(Calendar(window_opens_at=world.now + 500))
    world.run(400)
    assert (world.stage, world.state.reason) == (Stage.FAILED_OVER, Reason.OUTSIDE_WINDOW)
    world.calendar(Calendar(window_until=world.now + 10))
    world.run(1)

    assert world.is_in(Stage.FAILING_BACK)


def test_the_first_step_tests_what_metrics_could_not_see() -> None:
    """Failback begins without them, and goes on when they have judged enough."""
    world = World(settings(signals=BOTH))
    world.set(V1, DOWN, METRICS)
    world.run(3)
    world.set(V1, LOST, METRICS)
    world.run(200)
    assert (world.shares, world.state.reason) == ({DR: 90}, Reason.WAITING_FOR_SAMPLES)
    world.set(V1, UP, METRICS)
    world.run(1)

    assert world.shares == {DR: 50}


def test_metrics_as_the_only_signal_may_begin_failback() -> None:
    """Nothing else could ever say that the primary is well."""
    world = World(settings(signals={"metrics": {}}))
    world.set(V1, DOWN, METRICS)
    world.set(DR, UP, METRICS)
    world.run(3)
    world.set(V1, LOST, METRICS)
    world.run(121)

    assert world.shares == {DR: 90}


def test_a_failure_between_two_passes_begins_the_wait_anew() -> None:
    """The reading remembers it."""
    world = failed_over()
    world.run(100)
    for health in (DOWN, UP):
        world.now += 0.1
        world.set(V1, health)
    world.run(100)

    assert world.is_in(Stage.FAILED_OVER)
    assert continued(world.known[V1, world.known[V1, next(iter(world.known))[1]].signal], None).health is UP


def test_unknown_halts_the_wait() -> None:
    """What was counted stays, and what nobody saw does not count."""
    world = failed_over()
    world.run(100)
    world.set(V1, LOST)
    world.run(500)
    assert world.is_in(Stage.FAILED_OVER)
    world.set(V1, UP)
    world.run(19)
    assert world.is_in(Stage.FAILED_OVER)
    world.run(2)

    assert world.is_in(Stage.FAILING_BACK)


def test_a_restart_begins_the_wait_anew() -> None:
    """Nobody looked meanwhile."""
    world = failed_over()
    world.run(100)
    world.now += 300
    world.extra["session_started_at"] = world.now
    world.run(100)
    assert world.is_in(Stage.FAILED_OVER)
    world.run(21)

    assert world.is_in(Stage.FAILING_BACK)


def test_a_canary_that_is_not_healthy_halts_failback() -> None:
    """It would get a quarter of what comes back."""
    world = failed_over()
    world.extra |= {"canary": BackendSeen(V2), "split": 25.0}
    world.run(200)

    assert (world.stage, world.shares) == (Stage.FAILED_OVER, {DR: 100})


def test_stable_may_be_down_while_the_canary_carries_all() -> None:
    """As when its pods get the canary's template; the canary is what counts then."""
    world = World()
    world.set(V1, DOWN)
    world.set(V2, UP)
    world.extra |= {"canary": world.backend(V2), "split": 100.0}
    world.run(20)

    assert (world.writes, world.stage) == ([], Stage.NORMAL)


def test_a_canary_at_a_part_does_not_hide_a_dead_stable() -> None:
    """The rule's traffic goes to the backup, and the split is not touched."""
    world = World()
    world.set(V1, DOWN)
    world.set(V2, UP)
    world.extra |= {"canary": world.backend(V2), "split": 25.0}
    world.run(3)

    assert world.shares == {DR: 100}


@pytest.mark.parametrize(("switch", "reason"), [("stopped", Reason.STOPPED), ("suspended", Reason.SUSPENDED)])
def test_a_switch_stops_everything(switch: str, reason: Reason) -> None:
    """Loudly, in whichever stage it is."""
    world = World()
    world.extra[switch] = True
    world.set(V1, DOWN)
    world.run(30)
    assert (world.writes, world.state.reason, world.told.count(reason)) == ([], reason, 1)
    world.extra.clear()
    world.run(1 if switch == "stopped" else 3)
    world.set(V1, UP)
    world.run(121)
    assert world.shares == {DR: 90}
    world.extra[switch] = True
    world.set(V1, DOWN)
    world.run(30)

    assert (world.shares, world.state.reason) == ({DR: 90}, reason)


def test_a_switch_stops_the_end_of_failback_too() -> None:
    """Also where the backup is lost, and where the next step is due."""
    world = failed_over()
    world.run(121)
    world.extra["stopped"] = True
    world.run(60)
    assert (world.shares, world.state.reason) == ({DR: 90}, Reason.STOPPED)
    world.set(DR, DOWN)
    world.run(10)

    assert (world.shares, world.state.reason) == ({DR: 90}, Reason.STOPPED)


def test_observe_decides_and_never_writes() -> None:
    """It tells what would be done."""
    world = World(settings(mode="Observe"))
    world.set(V1, DOWN)
    world.run(30)

    assert not world.writes
    assert (world.state.reason, world.told.count(Reason.OBSERVING)) == (Reason.OBSERVING, 1)
    assert f"{DR} 100 %" in world.state.message


def test_a_proposal_is_forgotten_when_the_backup_is_up_again() -> None:
    """It was lost while failed over."""
    world = failed_over(mode="Auto")
    world.settings = settings(mode="Propose")
    world.set(V1, DOWN)
    world.set(DR, DOWN)
    world.run(10)
    assert (world.state.proposed, world.state.epoch) == (True, 2)
    world.set(DR, UP)
    world.run(1)

    assert not world.state.proposed
    assert world.order(Action.APPROVE, epoch=2) == (False, "NothingProposed")


def test_a_probe_that_is_not_configured_does_not_count() -> None:
    """Somebody took it out of the spec."""
    world = World()
    world.set(V1, DOWN, PROBE)
    world.run(10)

    assert not world.writes


def test_an_active_backup_that_left_the_spec_is_kept() -> None:
    """Nobody knows how it is; failback goes on."""
    world = failed_over()
    world.backups = (FAR,)
    world.run(10)
    assert world.shares == {DR: 100}
    world.run(300)

    assert world.is_in(Stage.NORMAL)
