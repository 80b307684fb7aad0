"""What every ``Elector`` does that has others beside it: the fake here, the one of Leases in ``tests/kubernetes``."""

from __future__ import annotations

from abc import ABC, abstractmethod

import pytest

from rollout.controller.alone import Always
from rollout.ports import Elector, Key
from tests.fakes.elector import FakeElection, FakeElector
from tests.waiting import until

KEYS = tuple(Key("shop", f"checkout-{number}") for number in range(64))
"""So many that every shard has some."""


class Election(ABC):
    """Electors that know of each other."""

    @abstractmethod
    async def join(self) -> Elector:
        """Return one more, which has begun."""

    @abstractmethod
    async def leave(self, elector: Elector) -> None:
        """Let one stop as it should."""


class FakeWorld(Election):
    """Electors in memory."""

    def __init__(self) -> None:
        self._election = FakeElection()

    async def join(self) -> Elector:
        """Return one more."""
        return self._election.join()

    async def leave(self, elector: Elector) -> None:
        """Let one go."""
        assert isinstance(elector, FakeElector)
        self._election.leave(elector)


@pytest.fixture
def election() -> Election:
    """Return an election without candidates."""
    return FakeWorld()


def held(*electors: Elector) -> list[int]:
    """Return by how many of the electors each key is held."""
    return [sum(elector.holds(key) for elector in electors) for key in KEYS]


async def test_the_only_one_holds_everything(election: Election) -> None:
    """Nobody else is there to act."""
    alone = await election.join()
    await until(lambda: held(alone) == [1] * len(KEYS))


async def test_each_rollout_has_one_who_acts(election: Election) -> None:
    """However many join, no key is held twice, and none by nobody for long."""
    electors = [await election.join() for _ in range(3)]
    most = 0

    def settled() -> bool:
        nonlocal most
        most = max(most, *held(*electors))
        return held(*electors) == [1] * len(KEYS)

    await until(settled, seconds=10)

    assert most == 1


async def test_who_stops_holds_nothing_and_another_has_it(election: Election) -> None:
    """What was released is taken, and the one that stopped never acts again."""
    first, second = await election.join(), await election.join()
    await until(lambda: held(first, second) == [1] * len(KEYS))
    await election.leave(first)
    left = held(first)
    await until(lambda: held(second) == [1] * len(KEYS), seconds=10)

    assert left == [0] * len(KEYS)


async def test_gains_and_losses_are_told(election: Election) -> None:
    """A listener hears when something came, and sees it; and again when it went."""
    first, second = await election.join(), await election.join()
    await until(lambda: held(first, second) == [1] * len(KEYS))
    seen: list[tuple[int, int]] = []
    for elector in (first, second):
        elector.subscribe(lambda: seen.append((sum(held(first)), sum(held(second)))))
    before = (sum(held(first)), sum(held(second)))
    await election.leave(first)
    await until(lambda: seen and seen[-1] == (0, len(KEYS)), seconds=10)

    assert before != seen[0]


def test_a_controller_that_is_alone_always_acts() -> None:
    """Without others there is no election."""
    alone = Always()
    alone.subscribe(lambda: None)

    assert all(alone.holds(key) for key in KEYS)
