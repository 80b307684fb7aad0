"""Facts about the fleet: whose primaries are gone of late, and who must wait for that, until when."""

from __future__ import annotations

from rollout.controller.fleet import Crowd, Fleet
from rollout.ports import Key
from rollout.spec.failover import FleetLimit
from tests.controller.builders import NOW, backend

LIMIT = FleetLimit.model_validate({"maxPercent": 30, "within": "60s", "atLeast": 3})


def key(number: int) -> Key:
    """Return the key of a Rollout."""
    return Key("shop", f"rollout-{number}")


def fleet(number: int) -> Fleet:
    """Return a fleet of so many Rollouts, each with a primary of its own."""
    made = Fleet()
    for place in range(number):
        made.watch(key(place), backend(f"v-{place}"), 0.0)
    return made


def test_nobody_waits_without_a_limit() -> None:
    """However many are gone."""
    made = fleet(3)
    for place in range(3):
        made.went(key(place), NOW)

    assert made.crowd(key(0), None, NOW) == Crowd()


def test_a_share_of_all_may_go() -> None:
    """Of ten primaries three; the fourth waits until there is room again, which is when the first is long gone."""
    made = fleet(10)
    for place in range(3):
        assert not made.crowd(key(place), LIMIT, NOW + place).crowded
        made.went(key(place), NOW + place)

    assert made.crowd(key(3), LIMIT, NOW + 3) == Crowd(crowded=True, until=NOW + 60)
    assert made.crowd(key(3), LIMIT, NOW + 60) == Crowd()


def test_who_waits_behind_more_than_may_go_waits_for_all_that_are_too_many() -> None:
    """Five went although three may (a person let them): until the third of them is long gone."""
    made = fleet(10)
    for place in range(5):
        made.went(key(place), NOW + place)

    assert made.crowd(key(9), LIMIT, NOW + 5).until == NOW + 2 + 60


def test_a_primary_of_many_rollouts_counts_once() -> None:
    """Nine Rollouts on one primary and one on another are two; who follows the first is not kept waiting."""
    made = Fleet()
    for place in range(9):
        made.watch(key(place), backend("shared"), 0.0)
    made.watch(key(9), backend("own"), 0.0)
    limit = LIMIT.model_copy(update={"at_least": 1})
    made.went(key(0), NOW)

    assert not made.crowd(key(1), limit, NOW).crowded
    assert made.crowd(key(9), limit, NOW).crowded


def test_what_a_status_tells_counts_after_a_restart() -> None:
    """Memory is gone, the times of failovers are not; the later of both stands."""
    made = fleet(4)
    made.watch(key(0), backend("v-0"), NOW - 10)
    made.watch(key(1), backend("v-1"), NOW)
    made.watch(key(1), backend("v-1"), NOW - 50)

    assert made.crowd(key(2), LIMIT, NOW) == Crowd(crowded=True, until=NOW + 50)


def test_a_primary_that_nobody_watches_is_not_counted() -> None:
    """A Rollout that is gone, or whose primary is another by now, leaves nothing behind."""
    made = fleet(4)
    made.went(key(0), NOW)
    made.went(key(1), NOW)
    made.drop(key(0))
    made.drop(key(0))
    made.watch(key(1), None, 0.0)
    made.went(key(1), NOW)

    assert not made.crowd(key(2), LIMIT, NOW).crowded


def test_while_somebody_waits_time_makes_no_room() -> None:
    """It takes a second signal, or the end of what is suspected; then the count begins anew."""
    made = fleet(10)
    for place in range(3):
        made.went(key(place), NOW)
    made.waits(key(3), NOW + 5)
    made.waits(key(3), NOW + 9)
    made.waits(key(4), NOW + 7)
    later = made.crowd(key(4), LIMIT, NOW + 3600)
    made.waits(key(3), None)
    made.drop(key(4))

    assert later == Crowd(crowded=True, until=NOW + 3660)
    assert made.crowd(key(5), LIMIT, NOW + 3600) == Crowd()
