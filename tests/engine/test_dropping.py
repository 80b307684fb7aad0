"""Facts about leaving the floor: who loses its traffic stands there for a moment, whatever its health."""

from __future__ import annotations

import pytest

from rollout.engine.dropping import DROP_SECONDS, only_drops
from rollout.engine.state import Weights
from rollout.engine.table import Phase
from tests.engine.builders import DOWN, V1, V2, under_way
from tests.engine.tiered import DR, Backed, at_home, backed

SEPARATE = {"separateClusters": True}


def home() -> Backed:
    """Return a world at rest whose gateway keeps a cluster for each backend."""
    return at_home(wanted=backed(gateway=SEPARATE))


def test_a_primary_that_is_down_leaves_by_the_floor() -> None:
    """Its cluster stays until the gateway has followed, and goes then."""
    world = home()
    world.endpoints[V1] = DOWN
    world.look(after=1)
    moved = world.weights()
    decision = world.look(after=DROP_SECONDS / 2)
    stays = world.weights()
    world.look(after=DROP_SECONDS / 2)

    assert (moved, stays, world.weights()) == ((1, 0, 999_999), (1, 0, 999_999), (0, 0, 1_000_000))
    assert decision.next_at == world.state.last_write_at


def test_a_restart_does_not_leave_a_primary_at_the_floor() -> None:
    """The next controller finds it there and takes it away."""
    world = home()
    world.endpoints[V1] = DOWN
    world.look(after=1)
    world.restart()
    world.look(after=DROP_SECONDS)
    world.look(after=DROP_SECONDS)

    assert world.weights() == (0, 0, 1_000_000)


def test_a_backup_that_dies_is_left_at_once_while_a_floor_waits() -> None:
    """Only what takes away nothing but floors waits."""
    wanted = backed(
        backends={"stable": {"name": V1}, "canary": {"name": V2}, "backups": [{"name": DR}]}, gateway=SEPARATE
    )
    world = at_home(wanted=wanted)
    world.endpoints[V1] = DOWN
    world.look(after=0.5)
    world.endpoints[V1], world.endpoints[DR] = world.endpoints[DR], DOWN
    world.look(after=0.5)

    assert world.weights()[0] >= 999_998


def test_a_canary_that_is_lost_leaves_by_the_floor() -> None:
    """So does one that is rolled back, and the attempt ends when it is gone."""
    world = under_way(gateway=SEPARATE)
    world.endpoints[V2] = DOWN
    world.look(after=1)
    back = world.weights()
    world.look(after=DROP_SECONDS)
    world.look(after=1)

    assert (back, world.weights(), world.state.phase) == ((999_999, 1), (1_000_000, 0), Phase.ABORTED)


def _weights(*given: int) -> Weights:
    return tuple(zip((V1, V2, DR), given, strict=False))


@pytest.mark.parametrize(
    ("now", "want", "drops"),
    [
        ((1, 999_999), (0, 1_000_000), True),
        ((1, 599_999, 400_000), (0, 600_000, 400_000), True),
        ((1, 1, 999_998), (0, 0, 1_000_000), True),
        ((0, 1_000_000), (1, 999_999), False),
        ((50_000, 950_000), (0, 1_000_000), False),
        ((1, 599_999, 400_000), (0, 500_000, 500_000), False),
        ((1, 99), (0, 100), False),
    ],
)
def test_only_the_floor_is_dropped(now: tuple[int, ...], want: tuple[int, ...], *, drops: bool) -> None:
    """What takes weight away from anybody, or gives a floor, is another change."""
    assert only_drops(_weights(*now), _weights(*want)) is drops


def test_nothing_is_dropped_from_a_rule_that_is_gone() -> None:
    """Nobody knows what stands there."""
    assert not only_drops(None, _weights(0, 1_000_000))
