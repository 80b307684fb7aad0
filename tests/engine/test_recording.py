"""Facts about what is recorded though nothing was decided: evidence now and then, and health at rest."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from rollout.engine.observation import UNKNOWN_ENDPOINTS, Endpoints
from rollout.engine.recording import MOST_LOST_SECONDS
from rollout.engine.table import Phase
from tests.engine.builders import BOTH_UP, DOWN, V1, V2, World, at_rest, batch, under_way
from tests.engine.tiered import at_home, backed

ERRORS = {"checks": [{"name": "errors", "kind": "Errors"}], "warmUp": "0s", "minRequests": 0}
SEPARATE: Mapping[str, object] = {"separateClusters": True}
NOBODY_LOOKS: Mapping[str, Endpoints] = {V1: UNKNOWN_ENDPOINTS, V2: UNKNOWN_ENDPOINTS}


def _judged_for(hours: int) -> list[float]:
    """Let a step be judged for so many hours, once a minute; return when its status was written, in seconds."""
    world = under_way(steps=[{"weight": 5, "hold": "24h"}, {"weight": 50}], analysis=ERRORS)
    begun, written = world.now, []
    for minute in range(1, 60 * hours + 1):
        total = minute * 1000
        samples = batch((world.now + 1, total - 1000, (total - 1000) // 20), (world.now + 59, total, total // 20))
        if world.look(after=60, batch=samples).significant:
            written.append(world.now - begun)
    return written


def test_the_evidence_of_a_long_step_is_recorded_twice_an_hour() -> None:
    """A restart loses at most what the source can be asked for again."""
    written = _judged_for(4)[1:]

    assert len(written) in {7, 8}
    assert max(later - one for one, later in pairwise(written)) <= MOST_LOST_SECONDS + 120


def _looks(world: World, *endpoints: Mapping[str, Endpoints]) -> list[bool]:
    """Return which of the looks at these endpoints, one after the other, are recorded."""
    told = []
    for found in endpoints:
        world.endpoints = dict(found)
        told.append(world.look(after=1).significant)
    return told


def test_health_at_rest_that_nobody_can_see_is_not_recorded() -> None:
    """Endpoints that come back as they were recorded are no news either."""
    world = at_rest()
    world.look(after=1)

    assert _looks(world, NOBODY_LOOKS, NOBODY_LOOKS, BOTH_UP) == [False, False, False]


def test_health_at_rest_that_changed_while_nobody_could_see_it_is_recorded() -> None:
    """Another health than the recorded one is told, once."""
    world = at_rest()
    world.look(after=1)

    assert _looks(world, NOBODY_LOOKS, {V1: DOWN, V2: DOWN}, {V1: DOWN, V2: DOWN}) == [False, True, False]


def test_health_at_rest_that_another_record_told_as_unknown_is_recorded_when_it_is_known() -> None:
    """A record for another reason tells what is known then; what stands there does not stay out of date."""
    world = at_rest()
    world.look(after=1)
    world.endpoints = dict(NOBODY_LOOKS)
    assert world.look(after=1, generation=7).significant

    assert _looks(world, BOTH_UP, BOTH_UP) == [True, False]


def test_health_that_nobody_can_see_is_recorded_in_an_attempt() -> None:
    """There it decides what may go on."""
    world = under_way()
    world.look(after=1)

    assert _looks(world, NOBODY_LOOKS, BOTH_UP) == [True, True]


def _records(world: World, backend: str) -> int:
    """Let a backend lose its endpoints; return how often that is recorded until the floor is left."""
    world.endpoints[backend] = DOWN
    told = [world.look(after=0.25).significant for _ in range(20)]
    return sum(told)


def test_a_failover_by_the_floor_is_recorded_once() -> None:
    """That a backend leaves the floor follows from the record: 35 Rollouts on one primary would tell it at once."""
    world = at_home(wanted=backed(gateway=SEPARATE))

    assert _records(world, V1) == 1
    assert world.weights() == (0, 0, 1_000_000)


def test_an_abort_by_the_floor_is_recorded_when_it_begins_and_when_it_ends() -> None:
    """What the routes say between is no news."""
    world = under_way(gateway=SEPARATE)

    assert _records(world, V2) == 2
    assert (world.state.phase, world.weights()) == (Phase.ABORTED, (1_000_000, 0))
