"""Facts about counting over a window."""

from __future__ import annotations

from rollout.analysis.samples import Family, Series
from rollout.analysis.window import Window, counted

END = 1_000.0


def series(*samples: tuple[float, float], instance: str = "gateway-1", way: int = 0) -> Series:
    """Return one raw counter."""
    return Series(f"{instance}/{way}/{samples[:1]}", instance, "", samples, way)


def window(family: Family) -> Window | None:
    """Return what it counted in the last minute."""
    return counted(family, since=END - 60, until=END)


def test_a_window_counts_differences() -> None:
    """From the last sample before it to the newest in it; what comes later is not seen yet."""
    total = series((930, 100), (940, 110), (970, 150), (1_000, 200), (1_001, 999))
    bad = series((940, 5), (1_000, 25))

    assert window(Family((total, series()), (bad,))) == Window(total=90, bad=20, since=940, at=1_000)


def test_a_reset_counts_from_zero() -> None:
    """The gateway was started again."""
    found = window(Family((series((930, 100), (970, 10), (1_000, 30)),), ()))

    assert found is not None
    assert (found.total, found.bad) == (30, 0)


def test_a_series_that_is_born_counts_in_full() -> None:
    """Its instance was being scraped without it, so the first errors are not lost."""
    found = window(Family((series((930, 0), (1_000, 50)),), (series((970, 7), (1_000, 9)),)))

    assert found is not None
    assert found.bad == 9


def test_a_new_instance_begins_with_a_baseline() -> None:
    """What it counted before it was seen is of another time."""
    found = window(Family((series((930, 0), (1_000, 50)), series((970, 1_000), (1_000, 1_010), instance="new")), ()))

    assert found is not None
    assert found.total == 60


def test_good_requests_are_taken_from_all() -> None:
    """As histograms count those within a bound."""
    family = Family((series((930, 0), (1_000, 50)),), (series((930, 0), (1_000, 45)),), part_is_good=True)
    found = window(family)

    assert found is not None
    assert found.bad == 5


def test_several_ways_count_the_same_requests() -> None:
    """The one that counted most is taken."""
    parts = (series((930, 0), (1_000, 3)), series((930, 0), (1_000, 8), way=1), series((930, 0), (1_000, 2), way=1))
    found = window(Family((series((930, 0), (1_000, 50)),), parts))

    assert found is not None
    assert found.bad == 10


def test_without_a_sample_in_it_nothing_is_known() -> None:
    """An old sample is no window."""
    assert window(Family((series((930, 100)), series()), ())) is None
    assert window(Family((), ())) is None
