"""What must be true of failover, as far as it is a decision: one fact after the other, in simulated time."""

from __future__ import annotations

import pytest

from rollout.failover.reasons import Reason
from rollout.failover.shares import Shares
from rollout.failover.table import Action, Stage
from tests.failover.builders import DOWN, DR, FAR, LOST, METRICS, NOW, PROBE, UP, V1, World, failed_over, settings


def test_all_endpoints_go_and_one_write_follows() -> None:
    """Within confirmFor and a second everything is at the backup, and nothing else is written for a minute."""
    world = World()
    world.set(V1, DOWN)
    began = world.now
    world.run(60)

    assert [shares for _, shares in world.writes] == [((DR, 100),)]
    assert world.writes[0][0] - began <= 3
    assert (world.stage, world.state.epoch) == (Stage.FAILED_OVER, 1)


def test_no_confirmation_means_the_same_pass() -> None:
    """With confirmFor 0s the pass that sees it moves."""
    world = World(settings(confirmFor="0s"))
    world.set(V1, DOWN)
    decision = world.step()

    assert decision.shares == ((DR, 100),)
    assert [change.reason for change in decision.changes] == [Reason.PRIMARY_DOWN, Reason.FAILED_OVER]
    assert world.state.reason == Reason.FAILED_OVER


def test_a_probe_moves_traffic_while_pods_are_ready() -> None:
    """And the sentence names it."""
    world = World(settings(signals={"endpoints": {}, "probe": {"http": {}}}))
    world.set(V1, DOWN, PROBE)
    world.run(2)

    assert world.shares == {DR: 100}
    assert "probe: Unhealthy" in (world.last.changes[-1].message if world.last else "")


def test_short_trouble_again_and_again_writes_nothing() -> None:
    """What does not last for confirmFor is no reason to move."""
    world = World()
    for _ in range(50):
        world.set(V1, DOWN)
        world.run(1.5)
        world.set(V1, UP)
        world.run(1)

    assert not world.writes


def test_a_blind_signal_moves_nothing_and_the_other_still_works() -> None:
    """Metrics are Unknown; endpoints alone decide."""
    world = World(settings(signals={"endpoints": {}, "metrics": {}}))
    world.set(V1, LOST, METRICS)
    world.run(30)
    assert not world.writes
    world.set(V1, DOWN)
    world.run(3)

    assert world.shares == {DR: 100}


def test_with_every_signal_blind_nothing_moves() -> None:
    """Old readings say nothing, and that is said once."""
    world = World()
    world.step()
    world.blind = True
    world.run(120)

    assert not world.writes
    assert world.told == [Reason.BLIND]
    assert world.state.reason == Reason.BLIND


def test_the_backup_is_dead_too() -> None:
    """Nothing is written and it is told once; when the backup comes up, traffic goes there."""
    world = World()
    world.set(V1, DOWN)
    world.set(DR, DOWN)
    world.run(60)
    assert not world.writes
    assert world.told.count(Reason.NO_HEALTHY_BACKUP) == 1
    world.set(DR, UP)
    world.run(1)

    assert world.shares == {DR: 100}


def test_the_most_preferred_healthy_backup_is_chosen() -> None:
    """An Unknown one is passed over."""
    world = World(backups=(DR, FAR))
    world.set(DR, LOST)
    world.set(V1, DOWN)
    world.run(3)

    assert world.shares == {FAR: 100}


def test_failback_goes_to_the_most_preferred_one_that_is_stable() -> None:
    """The first backup comes back before the primary; later the primary follows."""
    world = World(backups=(DR, FAR))
    world.set(DR, DOWN)
    world.set(V1, DOWN)
    world.run(3)
    world.set(DR, UP)
    world.run(120 + 3 * 30 + 2)
    assert (world.stage, world.shares) == (Stage.FAILED_OVER, {DR: 100})
    world.set(V1, UP)
    world.run(120 + 3 * 30 + 62)

    assert (world.stage, world.shares) == (Stage.NORMAL, {})


@pytest.mark.parametrize("strategy", ["Switch", "Spill"])
def test_a_rolling_update_writes_nothing(strategy: str) -> None:
    """One pod of three is away for eight seconds at a time."""
    world = World(settings(strategy=strategy))
    world.ready(DR, 3)
    for _ in range(3):
        world.ready(V1, 2)
        world.run(8)
        world.ready(V1, 3)
        world.run(1)

    assert not world.writes


def _after(world: World, began: float) -> list[tuple[float, Shares]]:
    return [(round(at - began, 1), shares) for at, shares in world.writes]


def test_failback_goes_step_by_step() -> None:
    """10, 50 and 100 percent, thirty seconds apart, after two minutes of health."""
    world = failed_over()
    began, world.writes = world.now, []
    world.run(300)

    assert _after(world, began) == [(120.0, ((DR, 90),)), (150.0, ((DR, 50),)), (180.0, ())]
    assert world.is_in(Stage.NORMAL)


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_bad_reading_at_any_step_returns_everything(steps: int) -> None:
    """At once, and the wait before the next failback doubles."""
    world = failed_over()
    world.run(120 + 30 * (steps - 1) + 1)
    assert (world.state.journey.step if world.state.journey else 0) == steps
    world.set(V1, DOWN)
    world.step()

    assert (world.stage, world.shares, world.state.wait_seconds) == (Stage.FAILED_OVER, {DR: 100}, 240.0)


def test_the_wait_grows_to_its_maximum() -> None:
    """Doubled each time, at most half an hour."""
    world = failed_over()
    waits = []
    for _ in range(6):
        world.set(V1, UP)
        world.run(max(world.state.wait_seconds, 120.0) + 1)
        assert world.is_in(Stage.FAILING_BACK)
        world.set(V1, DOWN)
        world.step()
        waits.append(world.state.wait_seconds)

    assert waits == [240.0, 480.0, 960.0, 1800.0, 1800.0, 1800.0]


def test_blindness_during_failback_waits() -> None:
    """Unknown is no bad reading, and no good one either."""
    world = failed_over()
    world.run(121)
    world.set(V1, LOST)
    world.run(200)
    assert (world.stage, world.shares) == (Stage.FAILING_BACK, {DR: 90})
    assert world.state.reason == Reason.WAITING_FOR_HEALTH
    world.set(V1, UP)
    world.run(70)

    assert world.is_in(Stage.NORMAL)


def test_a_proposal_waits_for_its_number() -> None:
    """An old number is refused; a proposal that is no longer needed takes its number with it."""
    world = World(settings(mode="Propose"))
    world.set(V1, DOWN)
    world.run(10)
    assert (world.state.proposed, world.state.epoch, world.shares) == (True, 1, {})
    world.set(V1, UP)
    world.run(1)
    world.set(V1, DOWN)
    world.run(10)

    assert world.order(Action.APPROVE, epoch=1) == (False, "OldNumber")
    assert world.order(Action.APPROVE) == (False, "OldNumber")
    assert not world.writes
    assert world.order(Action.APPROVE, epoch=2)[0]
    assert (world.shares, world.state.epoch) == ({DR: 100}, 2)
    assert world.told.count(Reason.PROPOSED) == 2


def test_manual_failback_waits_for_its_number() -> None:
    """However long the primary is healthy."""
    world = failed_over(failback={"mode": "Manual"})
    world.run(600)

    assert (world.stage, world.state.reason) == (Stage.FAILED_OVER, Reason.WAITING_FOR_FAILBACK)
    assert world.order(Action.FAILBACK, epoch=7) == (False, "OldNumber")
    assert world.order(Action.FAILBACK, epoch=1) == (True, Reason.FAILING_BACK)
    assert world.shares == {DR: 90}


def test_a_flapping_primary_latches() -> None:
    """The last of maxFailovers failovers is made, and stands until a person clears it."""
    quick = {"stableFor": "3s", "steps": [100], "stepInterval": "3s"}
    world = World(settings(failback=quick, damping={"cooldown": "3s"}))
    for _ in range(20):
        world.set(V1, DOWN)
        world.run(15)
        world.set(V1, UP)
        world.run(15)

    assert (world.told.count(Reason.FAILED_OVER), world.told.count(Reason.LATCHED)) == (2, 1)
    assert (world.stage, world.shares, world.state.reason) == (Stage.LATCHED, {DR: 100}, Reason.LATCHED)
    assert world.order(Action.UNLATCH)[0]
    world.run(15)
    assert world.is_in(Stage.NORMAL)


def test_a_restart_goes_on_at_its_step() -> None:
    """The controller knows nothing at first; then the step goes on where it was."""
    world = failed_over()
    world.run(121)
    known, world.known = world.known, {}
    world.extra["session_started_at"] = world.now
    world.run(5)
    assert (world.stage, world.shares) == (Stage.FAILING_BACK, {DR: 90})
    world.known = known
    world.run(25)

    assert world.shares == {DR: 50}


def test_nothing_moves_before_anything_is_seen() -> None:
    """A controller that starts has no readings."""
    world = World()
    world.known = {}
    world.run(60)

    assert not world.writes


def test_a_suspect_observer_needs_a_second_signal() -> None:
    """On one signal this one waits, and says so; on two it goes."""
    limit = {"maxPercent": 30, "within": "60s", "atLeast": 5}
    world = World(settings(signals={"endpoints": {}, "probe": {"tcp": {}}}, fleetLimit=limit))
    world.extra["crowded"] = True
    world.set(V1, DOWN)
    world.run(60)
    assert not world.writes
    assert world.told.count(Reason.SUSPECT_OBSERVER) == 1
    world.set(V1, DOWN, PROBE)
    world.run(1)

    assert world.shares == {DR: 100}


def test_a_gateway_that_does_not_follow_is_told_of_once() -> None:
    """Nothing is written again for it."""
    world = World()
    world.set(V1, DOWN)
    world.run(3)
    world.extra |= {"written_at": world.now, "followed": False}
    world.run(60)
    assert world.told.count(Reason.INEFFECTIVE) == 1
    assert world.last is not None
    assert [note.reason for note in world.last.notes] == [Reason.INEFFECTIVE]
    world.extra["followed"] = True
    world.run(1)

    assert len(world.writes) == 1
    assert not world.last.notes


def test_blindness_just_after_a_start_is_nothing_to_tell_of() -> None:
    """The first probes have to count; what lasts is told, once."""
    world = World(settings(), extra={"session_started_at": NOW})
    world.set(V1, LOST)
    world.run(29)
    before = list(world.told), world.state.reason
    world.run(20)

    assert before == ([], Reason.BLIND)
    assert world.told == [Reason.BLIND]
