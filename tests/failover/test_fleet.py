"""Facts about the fleet limit."""

from __future__ import annotations

import pytest

from rollout.failover.fleet import allowed_at_once, is_crowded, may_go
from rollout.failover.reasons import Reason
from rollout.spec.failover import FleetLimit
from tests.failover.builders import DOWN, DR, PROBE, V1, World, settings

LIMIT = FleetLimit()


@pytest.mark.parametrize(("total", "allowed"), [(1, 4), (10, 4), (13, 4), (17, 5), (100, 30), (1000, 300)])
def test_a_share_of_all_may_go(total: int, allowed: int) -> None:
    """Thirty percent, and four in any case."""
    assert allowed_at_once(LIMIT, total=total) == allowed


def test_one_may_go_in_any_case() -> None:
    """A limit never keeps all of them."""
    assert allowed_at_once(FleetLimit(max_percent=1, at_least=1), total=3) == 1


@pytest.mark.parametrize(("down", "gone", "may"), [(2, 0, 2), (40, 0, 30), (40, 29, 1), (40, 30, 0), (40, 35, 0)])
def test_who_is_beyond_the_share_waits(down: int, gone: int, may: int) -> None:
    """Those that have gone already count."""
    assert may_go(LIMIT, down=down, gone=gone, total=100) == may
    assert is_crowded(LIMIT, gone=gone, total=100) is (may == 0)


def test_without_a_limit_nobody_waits() -> None:
    """It is off unless a policy sets it."""
    assert not is_crowded(None, gone=99, total=100)


def test_when_many_die_at_once_only_the_share_moves() -> None:
    """Of a hundred that are down on one signal thirty fail over; a second signal frees the others."""
    limit = {"maxPercent": 30, "within": "60s", "atLeast": 5}
    wanted = settings(signals={"endpoints": {}, "probe": {"tcp": {}}}, fleetLimit=limit)
    fleet = [World(wanted) for _ in range(100)]
    for world in fleet:
        world.step()
        world.set(V1, DOWN)
    for _ in range(10):
        for world in fleet:
            gone = sum(bool(other.shares) for other in fleet)
            world.extra["crowded"] = is_crowded(wanted.fleet_limit, gone=gone, total=len(fleet))
            world.step(0.5)
    waiting = [world for world in fleet if not world.shares]
    assert len(waiting) == 70
    assert {world.state.reason for world in waiting} == {Reason.SUSPECT_OBSERVER}
    waiting[0].set(V1, DOWN, PROBE)
    waiting[0].step()

    assert waiting[0].shares == {DR: 100}
