"""Counters: differences per series, births, resets, rounds of both arms."""

from __future__ import annotations

import pytest

from rollout.analysis.counters import Count, Tick, check_tick, ticks
from rollout.analysis.samples import Family, Series
from rollout.errors import MeasurementError
from tests.analysis.worlds import family, series


def counts(found: tuple[Tick, ...]) -> list[tuple[float, Count, Count]]:
    """Return when each tick ends, and its counts."""
    return [(tick.at, tick.canary, tick.stable) for tick in found]


def steady(*, upto: int = 30, pod: str = "s", instance: str = "i") -> Series:
    """Return a series scraped each 10 s from 0 to ``upto`` that counts 100 each time."""
    return series(*((at, at * 10.0) for at in range(0, upto + 1, 10)), instance=instance, pod=pod)


def test_a_tick_is_the_difference_of_two_samples() -> None:
    """The first sample is the baseline; each later one is a tick."""
    canary = family([series((0, 5), (10, 15), (20, 40))], [series((0, 1), (10, 1), (20, 4))])
    found = ticks(canary=canary, stable=family([steady(upto=20)]), after=None)

    assert counts(found) == [(10, Count(10, 0), Count(100, 0)), (20, Count(25, 3), Count(100, 0))]
    assert [(tick.since, tick.covers_from) for tick in found] == [(0, 0), (10, 10)]


def test_a_reset_counts_what_came_after_it() -> None:
    """A value below the last one is a restart of the counter."""
    canary = family([series((0, 1000), (10, 7))])

    assert ticks(canary=canary, stable=family([steady(upto=10)]), after=None)[0].canary == Count(7, 0)


def test_a_series_that_vanished_adds_nothing() -> None:
    """What a gone pod had counted before is not counted again, and stops no tick."""
    canary = family([series((0, 0), (10, 10), (20, 20), (30, 30)), series((0, 50), (10, 60), instance="j")])
    found = ticks(canary=canary, stable=family([steady()]), after=None)

    assert [tick.canary.total for tick in found] == [20, 10, 10]


def test_a_series_born_on_a_known_target_counts_in_full() -> None:
    """Its target was scraped without it, so all of its value is new."""
    bad = series((20, 3), (30, 4))
    canary = family([series((0, 0), (10, 10), (20, 20), (30, 30))], [bad])
    found = ticks(canary=canary, stable=family([steady()]), after=None)

    assert [tick.canary.bad for tick in found] == [0, 3, 1]


def test_a_series_born_with_its_target_is_a_baseline() -> None:
    """A new pod may have counted long before it was first scraped."""
    newborn = series((20, 500), (30, 510), instance="j")
    canary = family([series((0, 0), (10, 10), (20, 20), (30, 30)), newborn])
    found = ticks(canary=canary, stable=family([steady()]), after=None)

    assert [tick.canary.total for tick in found] == [10, 10, 20]


def test_a_canary_whose_first_request_makes_its_series_is_counted_from_that_request() -> None:
    """A proxy that carried stable alone before shows the canary's series with its first requests."""
    canary = family([series((20, 6), (30, 9))], [series((20, 6), (30, 6))])
    found = ticks(canary=canary, stable=family([steady()]), after=0.0)

    assert counts(found) == [(20, Count(6, 6), Count(100, 0)), (30, Count(3, 0), Count(100, 0))]


def test_stable_alone_is_not_saved_up_until_a_canary_appears() -> None:
    """Only samples from when both arms are there are compared."""
    canary = family([series((95, 0), (105, 5), instance="j")])
    stable = family([steady(upto=110)])
    found = ticks(canary=canary, stable=stable, after=0.0)

    assert counts(found) == [(105, Count(5, 0), Count(100, 0))]


def test_samples_up_to_after_were_counted_already() -> None:
    """Looking at the same samples again counts nothing."""
    canary, stable = family([steady()]), family([steady()])

    assert ticks(canary=canary, stable=stable, after=30.0, since=20.0) == ()
    assert len(ticks(canary=canary, stable=stable, after=20.0, since=10.0)) == 1


def test_one_tick_waits_for_all_series_of_both_arms() -> None:
    """Series scraped at different moments make one tick when the last of them has come."""
    canary = family([series((3, 0), (13, 10))])
    first, second = series((0, 0), (10, 100), instance="a"), series((7, 0), (17, 50), instance="b")
    found = ticks(canary=canary, stable=family([first, second]), after=8.0)

    assert counts(found) == [(17, Count(10, 0), Count(150, 0))]


def test_an_arm_without_news_gives_no_tick() -> None:
    """A late scrape of stable is waited for, and the canary's counts are kept for the tick."""
    canary = family([series((0, 0), (10, 10), (20, 20), (30, 30))])
    late = family([series((0, 0), (30, 300))])
    found = ticks(canary=canary, stable=late, after=None)

    assert counts(found) == [(30, Count(30, 0), Count(300, 0))]
    assert ticks(canary=canary, stable=family([series((0, 0))]), after=None) == ()


def test_a_round_ends_before_a_series_would_count_twice() -> None:
    """A slow series does not hold up the quick ones once both arms are there."""
    quick = series((0, 0), (10, 10), (20, 20), instance="q")
    slow = series((0, 0), (19, 500), instance="s")
    canary = family([series((0, 0), (11, 1), (21, 2))])
    found = ticks(canary=canary, stable=family([quick, slow]), after=None)

    assert counts(found) == [(19, Count(1, 0), Count(510, 0))]


def test_a_part_is_waited_for_as_its_total_is() -> None:
    """A bad series that has been seen belongs to its scrape, also when its answer comes a moment later."""
    total = series((0, 0), (10, 10))
    known = family([total], [series((0, 0))])
    full = family([total], [series((0, 0), (10, 2))])

    assert ticks(canary=known, stable=family([steady(upto=10)]), after=None) == ()
    assert ticks(canary=full, stable=family([steady(upto=10)]), after=None)[0].canary == Count(10, 2)


def test_no_traffic_is_a_tick_of_zero() -> None:
    """A counter that stands still was scraped all the same."""
    canary = family([series((0, 5), (10, 5))])

    assert ticks(canary=canary, stable=family([steady(upto=10)]), after=None)[0].canary == Count(0, 0)


def test_nan_is_not_a_sample() -> None:
    """NaN, infinity and negative numbers are left out; the next difference spans the gap."""
    odd = series((0, 0), (5, -1), (10, float("nan")), (20, 30), (30, float("inf")))
    found = ticks(canary=family([odd]), stable=family([steady(upto=20)]), after=None)

    assert counts(found) == [(20, Count(30, 0), Count(200, 0))]
    assert ticks(canary=family([series((0, float("nan")))]), stable=family([steady()]), after=None) == ()


def test_a_histogram_counts_what_is_beyond_its_bound() -> None:
    """Bad is all requests less those within the bound."""
    canary = family([series((0, 0), (10, 10))], [series((0, 0), (10, 7))], part_is_good=True)
    stable = family([steady(upto=10)], [steady(upto=10)], part_is_good=True)
    found = ticks(canary=canary, stable=stable, after=None)

    assert counts(found) == [(10, Count(10, 3), Count(100, 0))]


def test_a_histogram_without_the_bucket_gives_nothing() -> None:
    """Requests without the bucket of the bound would all look slow."""
    canary = family([steady()], [], part_is_good=True)
    stable = family([steady()], [steady()], part_is_good=True)

    assert ticks(canary=canary, stable=stable, after=None) == ()


def test_pods_of_stable_are_told_apart() -> None:
    """Counts per pod are summed over the series that carry it."""
    total = [
        series((0, 0), (10, 60), pod="a"),
        series((0, 0), (10, 20), pod="b"),
        series((0, 0), (10, 20), pod="b", instance="j"),
    ]
    found = ticks(
        canary=family([steady(upto=10)]), stable=family(total, [series((0, 0), (10, 2), pod="b")]), after=None
    )

    assert found[0].stable_pods == (("a", Count(60, 0)), ("b", Count(40, 2)))


def test_without_pod_labels_there_are_no_pods() -> None:
    """One series without a pod is enough not to know."""
    found = ticks(canary=family([steady(upto=10)]), stable=family([steady(upto=10, pod="")]), after=None)

    assert found[0].stable_pods == ()


def test_more_bad_requests_than_requests_is_an_error() -> None:
    """The error names the backend and both numbers."""
    liar = family([series((0, 0), (10, 10))], [series((0, 0), (10, 12))])
    with pytest.raises(MeasurementError, match="stable has more bad requests than requests: 12 of 10"):
        ticks(canary=family([steady()]), stable=liar, after=None)


def test_a_bucket_larger_than_all_requests_is_an_error() -> None:
    """A histogram can contradict itself, too."""
    tick = Tick(0, 10, Count(10, -2), Count(5, 0))
    with pytest.raises(MeasurementError, match="v2 has more requests within the bound than requests: 12 of 10"):
        check_tick(tick, canary="v2", stable="v1")


@pytest.mark.parametrize("empty", [family([]), family([series()]), Family((), ())])
def test_nothing_gives_nothing(empty: Family) -> None:
    """An arm without samples gives no tick."""
    assert ticks(canary=empty, stable=family([steady()]), after=None) == ()
    assert ticks(canary=family([steady()]), stable=empty, after=5.0) == ()


def test_of_two_ways_to_count_the_larger_counts() -> None:
    """A failure that two counters tell of counts once: of several ways the one that counted most is taken."""
    samples = ((0.0, 0.0), (10.0, 100.0))
    total = Series("total", "gateway", "", samples)
    http = Series("5xx", "gateway", "", ((0.0, 0.0), (10.0, 3.0)), way=0)
    internal = Series("grpc 13", "gateway", "", ((0.0, 0.0), (10.0, 5.0)), way=1)
    unavailable = Series("grpc 14", "gateway", "", ((0.0, 0.0), (10.0, 3.0)), way=1)
    canary = Family((total,), (http, internal, unavailable))

    found = ticks(canary=canary, stable=Family((total,), ()), after=0.0)

    assert [tick.canary for tick in found] == [Count(100, 8)]
