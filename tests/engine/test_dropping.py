"""Facts about leaving the floor: who loses its traffic stands there for a moment, whatever its health."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollout.engine.decide import Decision
from rollout.engine.dropping import DROP_SECONDS, LAST_SECONDS, only_drops
from rollout.engine.observation import UNKNOWN_ENDPOINTS
from rollout.engine.reasons import Reason
from rollout.engine.state import Drift, Weights
from rollout.engine.status import from_status, to_status
from rollout.engine.table import Phase
from tests.engine.builders import DOWN, V1, V2, World, rollout, under_way
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


def test_nothing_is_dropped_where_the_backends_are_others() -> None:
    """What was written before a backup was added says nothing of the rule as it is."""
    assert not only_drops(_weights(1, 999_999), _weights(0, 1_000_000, 0))


def finishing(**spec: object) -> World:
    """Return a world that was promoted just now: the stable of before is at the floor, and waits to leave it."""
    world = under_way(gateway=SEPARATE, **spec)
    world.tell("promote", full=True)
    world.look()
    world.look(after=0.1)
    assert (world.state.phase, world.weights()) == (Phase.IDLE, (1, 999_999))
    return world


def test_a_drop_waits_for_no_clock_that_stood_ahead() -> None:
    """Another replica's clock says nothing of how long the gateway has had."""
    world = finishing()
    world.state = replace(world.state, last_write_at=world.now + 3600)
    world.look(after=0.1)

    assert world.weights() == (0, 1_000_000)


def test_a_drop_waits_though_the_clock_stepped_back_a_little() -> None:
    """A gateway that was written to just now has had no time."""
    world = finishing()
    world.state = replace(world.state, last_write_at=world.now + 0.5)
    world.look(after=0.1)

    assert world.weights() == (1, 999_999)


@pytest.mark.parametrize("mode", ["Ignore", "Pause"])
def test_somebody_elses_weights_are_left_while_a_drop_waits(mode: str) -> None:
    """What is found then is neither what was written nor what comes next."""
    world = finishing(drift=mode)
    world.meddle(500_000, 500_000, by="helm")
    for _ in range(3):
        world.look(after=DROP_SECONDS)

    assert (world.weights(), world.state.drift.by) == ((500_000, 500_000), "helm")


def test_somebody_elses_weights_are_put_back_and_counted_while_a_drop_waits() -> None:
    """As at any other time."""
    world = finishing()
    world.meddle(500_000, 500_000, by="helm")
    world.look(after=0.1)

    assert (world.weights(), len(world.state.drift.repairs)) == ((0, 1_000_000), 1)


def test_the_floor_that_waits_is_nobody_elses() -> None:
    """What was written last is our own."""
    world = finishing(drift="Pause")
    world.look(after=0.1)

    assert (world.weights(), world.state.drift) == ((1, 999_999), Drift())


def test_a_floor_is_left_though_the_spec_is_invalid() -> None:
    """It is the rest of a change that was made before."""
    world = finishing()
    world.look(after=0.1, problems=("spec.x: bad",))
    world.look(after=DROP_SECONDS, problems=("spec.x: bad",))

    assert (world.state.phase, world.weights()) == (Phase.INVALID, (0, 1_000_000))


def test_a_deletion_waits_until_the_floor_is_left() -> None:
    """Nobody would leave it afterwards."""
    world = finishing()
    waits = world.look(after=0.1, deleting=True)
    drops = world.look(after=DROP_SECONDS, deleting=True)
    done = world.look(after=0.1, deleting=True)

    assert (waits.finished, drops.finished, done.finished) == (False, False, True)
    assert world.weights() == (0, 1_000_000)


def test_a_deletion_does_not_wait_for_ever_until_the_floor_is_left() -> None:
    """A route that cannot be written keeps nobody: one request in a million is what is left."""
    world = finishing()
    world.lost = True
    waits = world.look(after=DROP_SECONDS, deleting=True)
    given_up = world.look(after=LAST_SECONDS, deleting=True)

    assert (waits.finished, given_up.finished) == (False, True)


def test_a_floor_is_asked_for_where_clusters_become_separate_in_an_attempt() -> None:
    """A canary that is lost then leaves by it."""
    world = under_way()
    world.wanted = rollout(gateway=SEPARATE)
    world.look(after=1)
    world.endpoints[V2] = DOWN
    world.look(after=1)

    assert world.weights() == (999_999, 1)


def _killed(world: World, lost: str, passes: int) -> Decision:
    """Let a backend be lost, and the controller be killed so many passes later; return the next one's third pass."""
    world.endpoints[lost] = DOWN
    record = world.state
    for _ in range(passes):
        decision = world.look(after=0.5)
        record = decision.state if decision.significant else record
        for route, view in world.views.items():
            if view is not None and decision.writes:
                world.views[route] = replace(view, written_at=float(int(world.now)))
    kept, started = from_status(to_status(record)), world.now + 60
    assert kept is not None
    world.state, world.now = kept, started
    world.endpoints[lost] = UNKNOWN_ENDPOINTS
    world.look(session_started_at=started)
    world.endpoints[lost] = DOWN
    world.look(after=1, session_started_at=started)
    world.look(after=DROP_SECONDS, session_started_at=started)
    return world.look(after=1, session_started_at=started)


@pytest.mark.parametrize("passes", range(1, 9))
def test_a_controller_killed_during_a_drop_leaves_the_failover_as_it_is(passes: int) -> None:
    """The next one takes the floor that was left for what it is, and nothing for somebody else's hand."""
    world = home()
    decision = _killed(world, V1, passes)

    assert (world.weights(), world.state.failover.epoch) == ((0, 0, 1_000_000), 1)
    assert (decision.state.phase, decision.state.drift) == (Phase.IDLE, Drift())


@pytest.mark.parametrize("passes", range(1, 9))
def test_a_controller_killed_during_a_drop_keeps_the_attempt(passes: int) -> None:
    """An attempt that stands still while its primary is away does not end by a restart."""
    world = home()
    world.tell("start", revision="2")
    world.look()
    world.look(after=1)
    decision = _killed(world, V1, passes)

    assert (decision.state.phase, decision.state.attempt) == (Phase.PROGRESSING, 1)
    assert world.weights()[2] >= 999_998


@pytest.mark.parametrize("passes", range(1, 9))
def test_a_controller_killed_during_the_drop_of_an_abort_ends_it(passes: int) -> None:
    """Whatever stood in the route, and whatever was recorded."""
    world = under_way(gateway=SEPARATE)
    decision = _killed(world, V2, passes)

    assert (decision.state.phase, decision.state.reason) == (Phase.ABORTED, Reason.CANARY_LOST)
    assert (world.weights(), decision.state.drift) == ((1_000_000, 0), Drift())
