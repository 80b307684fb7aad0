"""Facts about an undo where the gateway keeps a cluster for each backend: the cluster first, and then all weight."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollout.engine.dropping import DROP_SECONDS
from rollout.engine.observation import UNKNOWN_ENDPOINTS, Acceptance
from rollout.engine.outlook import outlook
from rollout.engine.reasons import Reason
from rollout.engine.refusals import UNSEEN_SECONDS
from rollout.engine.status import from_status, to_status
from rollout.engine.table import Phase
from tests.engine.builders import DOWN, V1, V2, World, under_way


def promoted() -> World:
    """Return a world whose attempt was promoted: v2 is stable."""
    world = under_way(gateway={"separateClusters": True})
    world.tell("promote", full=True)
    world.look()
    world.look(after=DROP_SECONDS)
    assert (world.state.phase, world.weights()) == (Phase.IDLE, (0, 1_000_000))
    return world


def test_an_undo_makes_a_cluster_of_its_own_first() -> None:
    """Where clusters are separate, the previous stable stands at the floor before it gets all weight."""
    world = promoted()
    world.tell("undo")
    assert (world.state.phase, world.weights()) == (Phase.PROMOTING, (1, 999_999))
    world.accept(Acceptance.PENDING)
    world.look(after=UNSEEN_SECONDS / 2)
    assert world.weights() == (1, 999_999)
    world.accept(Acceptance.ACCEPTED)
    world.look(after=1)
    assert world.weights() == (999_999, 1)
    world.look(after=1)
    world.look(after=DROP_SECONDS)

    assert (world.state.stable, world.weights(), world.state.reason) == (V1, (1_000_000, 0), Reason.UNDONE)


def test_an_undo_goes_on_from_the_floor_after_a_restart() -> None:
    """The next controller finds how far it came."""
    world = promoted()
    world.tell("undo")
    found = from_status(to_status(world.state))
    assert found is not None
    world.state = found
    for _ in range(3):
        world.look(after=DROP_SECONDS)

    assert (world.state.stable, world.weights(), world.state.reason) == (V1, (1_000_000, 0), Reason.UNDONE)


def test_an_undo_away_from_a_stable_that_is_down_is_made_at_once() -> None:
    """Nothing is saved by a cluster that is made first while every request fails."""
    world = promoted()
    world.endpoints[V2] = DOWN
    world.tell("undo")

    assert world.weights() == (999_999, 1)


def test_an_undo_to_a_backend_that_is_lost_at_the_floor_is_given_up() -> None:
    """It gets no weight, and the stable of now stays."""
    world = promoted()
    world.tell("undo")
    world.endpoints[V1] = DOWN
    world.look(after=DROP_SECONDS)
    world.look(after=1)

    assert (world.state.phase, world.state.reason) == (Phase.ABORTED, Reason.CANARY_LOST)
    assert (world.state.stable, world.weights()) == (V2, (0, 1_000_000))


def test_an_undo_waits_while_nobody_knows_the_previous_stable() -> None:
    """A controller that has not seen its endpoints gives it nothing but the floor."""
    world = promoted()
    world.tell("undo")
    world.endpoints[V1] = UNKNOWN_ENDPOINTS
    world.look(after=1)

    found = outlook(world.wanted, world.state, world.observation())

    assert (world.state.phase, world.state.reason) == (Phase.PROMOTING, Reason.CANARY_NOT_READY)
    assert [one.reason for one in found.missing] == [Reason.CANARY_NOT_READY]
    assert world.weights() == (1, 999_999)


@pytest.mark.parametrize("said", [Acceptance.PENDING, Acceptance.REFUSED])
def test_an_undo_does_not_wait_for_ever_for_a_cluster(said: Acceptance) -> None:
    """A gateway may refuse the route for something else; the way back is open all the same, after a while."""
    world = promoted()
    world.tell("undo")
    world.accept(said)
    world.look(after=UNSEEN_SECONDS - 1)
    waits = world.weights(), [one.reason for one in outlook(world.wanted, world.state, world.observation()).missing]
    world.look(after=1)

    assert waits == ((1, 999_999), [Reason.WAITING_FOR_ROUTES])
    assert world.weights() == (999_999, 1)


def test_an_undo_waits_for_no_cluster_once_stable_is_down() -> None:
    """From then on each moment costs more than a cluster that is not there yet."""
    world = promoted()
    world.tell("undo")
    world.accept(Acceptance.PENDING)
    world.endpoints[V2] = DOWN
    world.look(after=1)

    assert world.weights() == (999_999, 1)


def test_an_undo_in_a_hurry_gives_nothing_to_a_backend_that_nobody_knows() -> None:
    """That the gateway is not waited for does not make the previous stable ready."""
    world = promoted()
    world.tell("undo")
    world.endpoints[V1] = UNKNOWN_ENDPOINTS
    world.accept(Acceptance.PENDING)
    world.look(after=UNSEEN_SECONDS)

    found = outlook(world.wanted, world.state, world.observation())

    assert world.weights() == (1, 999_999)
    assert [one.reason for one in found.missing] == [Reason.CANARY_NOT_READY]


def test_an_undo_that_a_clock_ahead_began_waits_for_no_cluster() -> None:
    """Nobody knows then how long it has waited."""
    world = promoted()
    world.tell("undo")
    world.accept(Acceptance.PENDING)
    world.state = replace(world.state, step_at=world.now + 3600)
    world.look(after=1)

    assert world.weights() == (999_999, 1)
