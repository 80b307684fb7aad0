"""Facts about settled memory: when it is put out of the collector's sight, and that this is rare."""

import gc
from collections.abc import Iterator

import pytest

from rollout.controller.memory import FEWEST, PASSES_EACH, Settling, settle_all


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    """Give back to the collector what a test has put out of its sight."""
    yield
    gc.unfreeze()


def test_few_rollouts_are_left_alone() -> None:
    """Below some hundreds nothing is settled, however many passes there are."""
    settling = Settling()

    assert not any(settling.look(rollouts=FEWEST - 1, passes=passes) for passes in range(0, 100_000, 1000))


def test_many_rollouts_are_settled_once() -> None:
    """After some passes of each it is done, and then not again for the same number."""
    settling = Settling()
    done = [settling.look(rollouts=FEWEST, passes=passes) for passes in range(0, 100_000, 100)]

    assert done.count(True) == 1
    assert done.index(True) == -(-PASSES_EACH * FEWEST // 100)


def test_twice_as_many_are_settled_again() -> None:
    """When their number has doubled, it is time again."""
    settling, passes, settled = Settling(), 0, 0
    for rollouts in (FEWEST, 2 * FEWEST - 1, 2 * FEWEST):
        for _ in range(3):
            passes += PASSES_EACH * rollouts
            settled += settling.look(rollouts=rollouts, passes=passes)

    assert settled == 2


def test_all_that_is_alive_may_be_settled() -> None:
    """What a program has made when it begins to serve is more than a full collection may walk through in a failover."""
    settle_all()

    assert gc.get_freeze_count() > 10 * len(gc.get_objects())
