"""Facts about who takes which shard, by what is seen."""

from __future__ import annotations

import random

import pytest

from rollout.kube.shards import Plan, Seat, plan, shard_of
from rollout.ports import Key


def seats(shards: int, *holders: str) -> dict[int, Seat]:
    """Return the seats from shard 0 on; an empty holder is a free shard."""
    return {number: Seat(holder, shards) for number, holder in enumerate(holders) if holder}


def test_a_rollout_has_one_shard_for_ever() -> None:
    """Replicas of two releases of this program must agree, so the numbers may never change."""
    assert [shard_of(Key("shop", name), 8) for name in ("checkout", "cart", "search")] == [5, 3, 6]


def test_rollouts_are_spread() -> None:
    """No shard has twice its part."""
    found = [shard_of(Key("shop", f"checkout-{number}"), 16) for number in range(1600)]

    assert all(50 < found.count(shard) < 200 for shard in range(16))


def test_who_is_alone_takes_the_first_and_then_all() -> None:
    """Shard 0 says over how many the work is spread, so it is taken before the others."""
    first = plan("a", 4, {}, ())
    then = plan("a", 4, seats(4, "a"), ())

    assert first == Plan(take=(0,))
    assert sorted(then.take) == [1, 2, 3]


@pytest.mark.parametrize("members", [{"b"}, {"a", "b"}])
def test_who_has_too_many_gives_half_of_the_difference(members: set[str]) -> None:
    """The others then take them; the first shard is given last."""
    assert plan("a", 4, seats(4, "a", "a", "a", "a"), members) == Plan(give=(3, 2))


def test_who_has_as_many_as_others_leaves_it_so() -> None:
    """One more or less is fair where the number cannot be divided."""
    found = seats(5, "a", "a", "a", "b", "b")

    assert plan("a", 5, found, {"b"}) == Plan()
    assert plan("b", 5, found, {"a"}) == Plan()


def test_what_is_free_goes_to_who_has_fewest() -> None:
    """Who has more waits for the others to take it, and gives nothing away before they have."""
    found = seats(6, "a", "a", "b", "b", "", "")

    assert plan("a", 6, found, {"b", "c"}) == Plan()
    assert sorted(plan("c", 6, found, {"a", "b"}).take) == [4, 5]


def test_who_spreads_over_another_number_holds_nothing() -> None:
    """Even what it had is given back; the reason is a sentence."""
    found = {0: Seat("b", 3), 1: Seat("a", 2)}
    made = plan("a", 2, found, ())

    assert made.give == (1,)
    assert made.take == ()
    assert made.why.startswith("others spread Rollouts over 3 shards and this replica over 2")


def test_who_has_the_first_shard_goes_on_when_others_come_with_another_number() -> None:
    """One of the two has to, or nobody would act."""
    assert plan("a", 2, {0: Seat("a", 2), 1: Seat("b", 3)}, ()) == Plan()


@pytest.mark.parametrize("seed", range(20))
def test_it_settles_whoever_looks_when(seed: int) -> None:
    """From any state, by single looks in any order, all shards get held and no two replicas differ by more than one."""
    dice = random.Random(seed)
    shards, members = dice.randint(1, 16), [f"replica-{number}" for number in range(dice.randint(1, 5))]
    found = seats(shards, *(dice.choice(["", *members]) for _ in range(shards)))
    for _ in range(40 * len(members)):
        me = dice.choice(members)
        made = plan(me, shards, found, set(members))
        for number in made.give:
            del found[number]
        for number in made.take:
            assert number not in found
            found[number] = Seat(me, shards)
    held = [sum(seat.holder == member for seat in found.values()) for member in members]

    assert sum(held) == shards
    assert max(held) - min(held) <= 1
