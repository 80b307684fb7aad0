"""Facts about chance: exact distributions from uniform numbers, and streams that a name tells apart."""

import math
from collections import Counter

import pytest

from rollout.rehearsal.chance import Chance, binomial, slower_share

GRID = 20_000


def exact(trials: int, probability: float, count: int) -> float:
    """Return the binomial probability by the textbook."""
    return math.comb(trials, count) * probability**count * (1 - probability) ** (trials - count)


@pytest.mark.parametrize(("trials", "probability"), [(1, 0.5), (10, 0.3), (50, 0.01), (40, 0.97), (1000, 0.001)])
def test_every_count_takes_its_share_of_the_uniform_numbers(trials: int, probability: float) -> None:
    """Swept over all uniform numbers, each count comes up as often as the textbook says."""
    found = Counter(binomial(trials, probability, (k + 0.5) / GRID) for k in range(GRID))

    for count in range(trials + 1):
        assert found[count] / GRID == pytest.approx(exact(trials, probability, count), abs=2 / GRID)


def test_large_counts_have_the_right_mean_and_spread() -> None:
    """A million tries at 30 % give 300,000 on average, with the spread of a binomial."""
    chance = Chance(1, "large")
    drawn = [chance.hits(1_000_000, 0.3) for _ in range(2000)]
    mean = sum(drawn) / len(drawn)
    spread = math.sqrt(sum((count - mean) ** 2 for count in drawn) / len(drawn))
    expected = math.sqrt(1_000_000 * 0.3 * 0.7)

    assert mean == pytest.approx(300_000, abs=5 * expected / math.sqrt(2000))
    assert spread == pytest.approx(expected, rel=0.08)


@pytest.mark.parametrize(("trials", "probability", "count"), [(0, 0.5, 0), (5, 0.0, 0), (5, 1.0, 5), (-1, 0.5, 0)])
def test_certainties_draw_nothing(trials: int, probability: float, count: int) -> None:
    """No tries, no chance and certainty have one outcome."""
    assert Chance(1, "certain").hits(trials, probability) == count


def test_a_count_never_leaves_its_range() -> None:
    """Also the last uniform number below 1 gives a possible count."""
    last = math.nextafter(1.0, 0.0)

    assert all(0 <= binomial(7, p / 10, last) <= 7 for p in range(1, 10))


def test_a_split_loses_nothing() -> None:
    """All tries fall somewhere, none to a weight of zero."""
    counts = Chance(1, "split").split(10_000, [70, 0, 30])

    assert sum(counts) == 10_000
    assert counts[1] == 0
    assert counts[0] == pytest.approx(7000, abs=5 * math.sqrt(2100))


def test_a_split_over_no_weight_gives_nothing() -> None:
    """Where all weights are zero nobody gets anything."""
    assert Chance(1, "split").split(10, [0, 0]) == [0, 0]


def test_streams_are_told_apart_by_seed_and_purpose() -> None:
    """The same seed and purpose give the same numbers, any other give others."""
    drawn = {key: [Chance(*key).below(1000) for _ in range(1)] for key in ((1, "a"), (1, "b"), (2, "a"))}
    again = [Chance(1, "a").below(1000)]

    assert drawn[1, "a"] == again
    assert len({tuple(numbers) for numbers in drawn.values()}) == 3


@pytest.mark.parametrize(("bound", "share"), [(0.04, 0.5), (0.32, 0.01), (0.0, 1.0)])
def test_a_latency_goes_through_its_percentiles(bound: float, share: float) -> None:
    """Half of the requests are slower than the median, one in a hundred slower than the 99th percentile."""
    assert slower_share(bound, p50_seconds=0.04, p99_seconds=0.32) == pytest.approx(share, abs=1e-12)


@pytest.mark.parametrize(("bound", "share"), [(0.03, 1.0), (0.04, 0.0), (0.05, 0.0)])
def test_a_latency_without_spread_is_a_step(bound: float, share: float) -> None:
    """With equal percentiles all requests take the same time."""
    assert slower_share(bound, p50_seconds=0.04, p99_seconds=0.04) == share
