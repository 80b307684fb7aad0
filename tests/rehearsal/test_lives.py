"""Facts about the lives of a controller: where a kill falls, and that nothing goes on after it."""

import asyncio
from collections.abc import Callable
from itertools import pairwise

import pytest

from rollout.rehearsal.life import Life, own_tasks
from rollout.rehearsal.lives import Ending, Keeper
from rollout.rehearsal.scenario import Fate
from rollout.rehearsal.virtual_loop import run


class Ticker:
    """A controller that has one effect a second, between two boundaries, some of it in tasks of its own."""

    def __init__(self, life: Life, effects: list[float], *, stubborn: bool = False) -> None:
        self._life = life
        self._effects = effects
        self._stubborn = stubborn

    async def run(self) -> None:
        """Tick until cancelled; a stubborn one then still tries to have an effect."""
        try:
            while True:
                await asyncio.sleep(1)
                await asyncio.gather(self._effect())
        finally:
            if self._stubborn:
                await self._effect()

    async def _effect(self) -> None:
        await self._life.boundary()
        self._effects.append(asyncio.get_running_loop().time())
        await self._life.boundary()


def lived(*fates: tuple[float, Ending], seconds: float = 20, stubborn: bool = False, seed: int = 1) -> list[float]:
    """Return when effects came while these fates befell the controller."""
    effects: list[float] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        own_tasks(loop)
        keeper = Keeper(lambda life: Ticker(life, effects, stubborn=stubborn), seed=seed)
        keeper.start()
        for at, fate in fates:
            await asyncio.sleep(at - loop.time())
            keeper.befall(fate)
        await asyncio.sleep(seconds - loop.time())
        keeper.check()
        keeper.end()
        await asyncio.sleep(5)

    run(main())
    return effects


def test_a_controller_that_nothing_befalls_goes_on() -> None:
    """Until it is ended."""
    assert lived(seconds=5.5) == [1, 2, 3, 4, 5]


def test_a_restart_comes_back_half_a_second_later() -> None:
    """And begins anew."""
    assert lived((3.2, Fate.RESTART), seconds=6) == [1, 2, 3, 4.7, 5.7]


def test_a_graceful_stop_may_say_a_last_word() -> None:
    """A restart lets the controller finish."""
    assert lived((3.2, Fate.RESTART), seconds=4, stubborn=True)[:4] == [1, 2, 3, 3.2]


def broken_at(effects: list[float]) -> tuple[int, float]:
    """Return after how many effects the controller died, and how long the gap was then."""
    gaps = [(number, later - earlier) for number, (earlier, later) in enumerate(pairwise(effects), 1)]
    [broken] = [(number, gap) for number, gap in gaps if gap != pytest.approx(1)]
    return broken


@pytest.mark.parametrize("seed", range(12))
def test_a_kill_falls_within_its_boundaries_and_comes_back(seed: int) -> None:
    """After at most three more effects; half a second later another one lives, and has its effect a second after."""
    number, gap = broken_at(lived((3.2, Fate.KILL), seed=seed, stubborn=True))

    assert 3 <= number <= 6
    assert round(gap, 6) in {1.5, 2.5}


def test_kills_fall_before_and_after_effects() -> None:
    """Over some seeds every one of the six boundaries is met: an effect was had (1.5 s) or was not (2.5 s)."""
    met = {(number, round(gap, 1)) for number, gap in (broken_at(lived((3.2, Fate.KILL), seed=s)) for s in range(60))}

    assert met == {(3, 2.5), (4, 1.5), (4, 2.5), (5, 1.5), (5, 2.5), (6, 1.5)}


def test_an_idle_controller_is_killed_all_the_same() -> None:
    """When no effect comes for five seconds."""
    lives: list[Life] = []

    class Idle:
        async def run(self) -> None:
            await asyncio.sleep(1000)

    def make(life: Life) -> Idle:
        lives.append(life)
        return Idle()

    async def main() -> None:
        own_tasks(asyncio.get_running_loop())
        keeper = Keeper(make, seed=1)
        keeper.start()
        keeper.befall(Fate.KILL)
        keeper.befall(Fate.KILL)
        await asyncio.sleep(5.6)
        keeper.end()

    run(main())

    assert [life.dead for life in lives] == [True, True]


def test_a_controller_that_dies_by_itself_is_told() -> None:
    """Its error comes out of the check."""

    class Broken:
        async def run(self) -> None:
            raise ValueError("broken")

    async def main() -> None:
        keeper = Keeper(lambda _: Broken(), seed=1)
        keeper.start()
        await asyncio.sleep(1)
        keeper.check()

    with pytest.raises(ValueError, match="broken"):
        run(main())


def test_the_dead_hear_nothing() -> None:
    """A listener falls silent at the end of the life."""

    async def main() -> list[str]:
        life = Life()
        heard: list[str] = []
        listener: Callable[[str], None] = life.while_it_lasts(heard.append)
        listener("before")
        life.end()
        listener("after")
        with pytest.raises(asyncio.CancelledError):
            await life.boundary()
        return heard

    assert run(main()) == ["before"]
