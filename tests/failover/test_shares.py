"""Facts about shares: Envoy's formula row by row, mixtures, the split inside tier 0."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.failover.shares import (
    ALL,
    PRIMARY,
    Shares,
    Tier,
    apportioned,
    by_backend,
    mixed,
    share_of,
    spill,
    spill_beside,
    spread,
)

WHOLE = Tier(1, 1)
TIERS = st.lists(
    st.integers(0, 50).flatmap(
        lambda total: st.builds(Tier, st.integers(0, total), st.just(total), st.integers(0, total))
    ),
    min_size=1,
    max_size=6,
)
SHARES = st.dictionaries(st.sampled_from("abcd"), st.integers(1, 25), max_size=4).map(lambda one: tuple(one.items()))


@pytest.mark.parametrize(
    ("healthy", "kept"),
    [(100, 100), (80, 100), (72, 100), (71, 99), (50, 70), (25, 35), (10, 14), (1, 1), (0, 0)],
)
def test_tier_0_keeps_what_the_formula_says(healthy: int, kept: int) -> None:
    """Tier 1 is whole and takes the rest."""
    assert spill((Tier(healthy, 100), WHOLE)) == (kept, 100 - kept)


@pytest.mark.parametrize(
    ("healthy", "shares"),
    [
        ((50, 50), (70, 30)),
        ((50, 60), (70, 30)),
        ((25, 100), (35, 65)),
        ((71, 0), (100, 0)),
        ((36, 36), (50, 50)),
        ((5, 65), (8, 92)),
        ((50, 50, 50), (70, 30, 0)),
        ((25, 100, 100), (35, 65, 0)),
        ((25, 25, 100), (35, 35, 30)),
        ((25, 25, 20), (37, 35, 28)),
    ],
)
def test_several_tiers_are_ill(healthy: tuple[int, ...], shares: tuple[int, ...]) -> None:
    """What they can carry together is brought to 100, and the first healthy one gets what is left."""
    assert spill([Tier(percent, 100) for percent in healthy]) == shares


@pytest.mark.parametrize(("replicas", "kept"), [(3, [0, 46, 93, 100]), (5, [0, 28, 56, 84, 100, 100])])
def test_a_tier_of_few_replicas(replicas: int, kept: list[int]) -> None:
    """Tier 1 is whole; so much keeps tier 0 with none, one, two and so on of its replicas up."""
    assert [spill((Tier(up, replicas), WHOLE))[0] for up in range(replicas + 1)] == kept


@pytest.mark.parametrize(
    ("tiers", "shares"),
    [
        ((Tier(0, 4, 4), Tier(0, 4, 4)), (100, 0)),
        ((Tier(1, 4, 3), Tier(1, 1)), (35, 65)),
        ((Tier(1, 4, 1), Tier(1, 4, 1)), (35 + 30, 35)),
        ((Tier(0, 4, 1), Tier(0, 4, 1)), (50, 50)),
        ((Tier(0, 3, 1), Tier(0, 7, 1)), (70, 30)),
        ((Tier(0, 0), Tier(0, 4, 2)), (0, 100)),
    ],
)
def test_degraded_targets_come_after_healthy_ones(tiers: tuple[Tier, ...], shares: tuple[int, ...]) -> None:
    """Healthy capacity of all tiers is used before degraded capacity of any."""
    assert spill(tiers) == shares


def test_with_nobody_well_tier_0_has_everything() -> None:
    """Never all zero."""
    assert spill((Tier(0, 3), Tier(0, 0))) == (100, 0)


def test_overprovisioning_is_a_factor() -> None:
    """At 100 a tier keeps just its healthy part, at 200 half of it is enough."""
    assert spill((Tier(1, 2), WHOLE), 100) == (50, 50)
    assert spill((Tier(1, 2), WHOLE), 200) == (100, 0)


@given(TIERS, st.integers(100, 1000))
def test_shares_sum_to_100(tiers: list[Tier], factor: int) -> None:
    """Whatever the tiers are, and none is negative."""
    shares = spill(tiers, factor)

    assert sum(shares) == ALL
    assert min(shares) >= 0


def test_the_formula_fills_what_fixed_shares_leave() -> None:
    """Three quarters of the traffic stay where they are; the rest follows the formula."""
    assert spill_beside((WHOLE, Tier(1, 2), WHOLE), (75, None, None)) == (75, 18, 7)


def test_nobody_can_take_what_fixed_shares_leave() -> None:
    """The caller decides then."""
    assert spill_beside((WHOLE, Tier(0, 2)), (40, None)) is None


def test_fixed_shares_may_be_all() -> None:
    """Then there is nothing to share."""
    assert spill_beside((WHOLE, WHOLE), (100, None)) == (100, 0)


@pytest.mark.parametrize(
    ("goal", "percent", "there"),
    [
        ((), 10, (("b", 90),)),
        ((), 100, ()),
        ((("c", 100),), 10, (("c", 10), ("b", 90))),
        ((("c", 50), ("d", 50)), 33, (("c", 17), ("d", 16), ("b", 67))),
    ],
)
def test_a_part_of_the_way(goal: Shares, percent: int, there: Shares) -> None:
    """From all on b: tier 0 gets nothing where neither end gives it anything."""
    assert mixed((("b", 100),), goal, percent) == there


@given(SHARES, SHARES, st.integers(0, 100))
def test_a_mixture_gives_to_nobody_else(origin: Shares, goal: Shares, percent: int) -> None:
    """What is zero at both ends is zero between them, and each share lies between its ends."""
    there = mixed(origin, goal, percent)

    assert sum(n for _, n in there) <= ALL
    for name in (PRIMARY, *"abcd"):
        ends = sorted((share_of(origin, name), share_of(goal, name)))
        assert ends[0] <= share_of(there, name) <= ends[1]


def test_parts_keep_their_sum() -> None:
    """The largest remainders get what floors leave."""
    assert apportioned((150, 150, 0, 100), 100) == (2, 1, 0, 1)


def test_equal_shares_leave_the_rest_to_tier_0() -> None:
    """Three tiers: 34, 33, 33."""
    shares = spread(["b", "c"])

    assert shares == (("b", 33), ("c", 33))
    assert share_of(shares, PRIMARY) == 34


def test_tier_0_is_split_by_the_canary_share() -> None:
    """Three quarters of what tier 0 has go to stable, and nothing to nobody."""
    found = by_backend((("dr", 60),), stable="v1", canary="v2", split=25.0)

    assert found == {"v1": 30.0, "v2": 10.0, "dr": 60.0}
    assert by_backend((("dr", 100),), stable="v1", canary="v2", split=25.0) == {"dr": 100.0}
    assert by_backend((), stable="v1", canary="v2", split=0.0) == {"v1": 100.0}
