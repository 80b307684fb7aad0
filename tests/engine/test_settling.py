"""Facts about what is about to come by itself: a gateway that takes in what somebody wrote is nothing to tell of."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rollout.engine.observation import Acceptance
from rollout.engine.reasons import Reason
from rollout.engine.settling import SETTLE_SECONDS
from rollout.engine.state import Hold
from tests.engine.builders import DOWN, V1, World, at_rest, under_way, with_workloads

LONG = [{"weight": 5, "hold": "1h"}, {"weight": 50}]
SHORT = [{"weight": 5, "hold": "10s"}, {"weight": 50, "hold": "1h"}]


def _edited(world: World, *, times: int, every: float = 0.05) -> int:
    """Let others edit the route so often, each edit being pending and then accepted; return how many records follow."""
    records = 0
    for _ in range(times):
        for acceptance in (Acceptance.PENDING, Acceptance.ACCEPTED):
            world.accept(acceptance)
            records += world.look(after=every / 2).significant
    return records


def _lasting(world: World, *, seconds: int) -> int:
    """Let the route be pending for so long, looked at each second; return how many records follow."""
    world.accept(Acceptance.PENDING)
    return sum(world.look(after=1).significant for _ in range(seconds))


def _resting() -> World:
    world = at_rest()
    world.look(after=1)
    return world


def _holding() -> World:
    world = under_way(steps=LONG)
    world.look(after=1)
    return world


def _giving_back() -> World:
    """Return a world in which a stable that got the canary's template gets its weight back."""
    world = with_workloads(promotion={"mode": "CopyTemplate"}, steps=LONG)
    world.change("checkout-v2", "two")
    world.rolled("checkout-v2")
    world.look(after=1)
    world.tell("promote", full=True)
    for _ in range(3):
        world.look(after=1)
        world.rolled(V1)
    world.look(after=1)
    assert world.state.reason == Reason.GIVING_BACK
    return world


@pytest.mark.parametrize("make", [_resting, _holding, _giving_back])
def test_a_route_that_others_edit_all_the_time_is_no_news(make: Callable[[], World]) -> None:
    """Twenty edits a second for four seconds, each taken in at once, are not recorded: at rest and in an attempt."""
    world = make()

    assert _edited(world, times=80) == 0


@pytest.mark.parametrize("make", [_resting, _holding])
def test_a_gateway_that_stays_behind_is_told_of_once_and_its_recovery_once(make: Callable[[], World]) -> None:
    """Whoever wrote what it does not take in."""
    world = make()
    assert _lasting(world, seconds=60) == 1
    world.accept(Acceptance.ACCEPTED)

    assert [world.look(after=1).significant for _ in range(3)] == [True, False, False]


def test_hold_time_goes_on_while_others_edit_the_route() -> None:
    """The gateway serves the weights that it has, so nothing of the step is lost."""
    world = _holding()
    before = world.state.hold.at(world.now)
    _edited(world, times=100)

    assert world.state.hold.at(world.now) - before == pytest.approx(5)


def test_hold_time_stands_still_once_the_gateway_stays_behind() -> None:
    """After some seconds nobody knows any more what it serves."""
    world = _holding()
    _lasting(world, seconds=60)

    assert world.state.reason == Reason.WAITING_FOR_ROUTES
    assert world.state.hold.since is None
    assert world.state.hold.seconds == pytest.approx(2 + SETTLE_SECONDS, abs=1)


def test_hold_time_does_not_begin_before_our_own_write_is_taken_in() -> None:
    """The weights of a step are in force once the gateway says so."""
    world = at_rest(steps=SHORT)
    world.tell("start", revision="2")
    world.accept(Acceptance.PENDING)
    for _ in range(4):
        world.look(after=0.5)

    assert world.state.hold == Hold()


def test_a_step_is_not_left_while_the_gateway_takes_something_in() -> None:
    """Hold time that ends meanwhile is over, and the next weights wait for a gateway that follows."""
    world = under_way(steps=SHORT)
    world.look(after=9)
    world.accept(Acceptance.PENDING)
    world.look(after=2)
    assert (world.state.step, world.state.reason) == (1, Reason.HOLDING)
    world.accept(Acceptance.ACCEPTED)
    world.look(after=0.5)

    assert world.state.step == 2


def test_what_else_stops_hold_time_does_so_while_a_gateway_settles() -> None:
    """Stable without an endpoint is told of at once."""
    world = _holding()
    world.accept(Acceptance.PENDING)
    world.endpoints[V1] = DOWN
    world.look(after=1)

    assert (world.state.reason, world.state.hold.since) == (Reason.CANARY_CARRIES_ALL, None)


def test_a_route_that_is_refused_is_told_of_at_once() -> None:
    """There is nothing to settle where the gateway has said no, also at rest."""
    world = _resting()
    world.accept(Acceptance.REFUSED)

    assert world.look(after=1).significant


def test_the_end_of_the_wait_is_due_by_itself_and_only_once() -> None:
    """At rest the next look is due when the gateway has had its time; after that it is waited for without a clock."""
    world = _resting()
    world.accept(Acceptance.PENDING)
    first = world.look(after=1)
    last = world.look(after=SETTLE_SECONDS)

    assert first.next_at == world.state.unaccepted_at + SETTLE_SECONDS
    assert last.next_at is None
