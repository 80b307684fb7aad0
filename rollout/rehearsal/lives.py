"""The controller's keeper: starts it, stops it, kills it at a moment chosen by the seed, starts it again.

What a service manager or a cluster does with the real one. Called by ``rollout.rehearsal.timeline``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Literal, Protocol, assert_never

from rollout.rehearsal.chance import Chance
from rollout.rehearsal.life import Life
from rollout.rehearsal.scenario import Fate

BACK_AFTER_SECONDS = 0.5
"""How long a controller is away."""

LATEST_KILL_SECONDS = 5.0
"""A kill that meets no effect for so long falls on an idle controller."""

FARTHEST_BOUNDARY = 5


Ending = Literal[Fate.RESTART, Fate.KILL]
"""What ends a life, and brings another one."""


class Runs(Protocol):
    """What a controller is to its keeper."""

    def run(self) -> Coroutine[Any, Any, None]:
        """Run until cancelled."""
        ...


class Keeper:
    """Keeps one controller running; ``make`` builds a new one for a new life, ``over`` hears of each life's end."""

    def __init__(self, make: Callable[[Life], Runs], *, seed: int, over: Callable[[], None] = lambda: None) -> None:
        self._make = make
        self._over = over
        self._chance = Chance(seed, "when a kill falls")
        self._life: Life | None = None
        self._run: asyncio.Task[None] | None = None
        self._at_work: asyncio.Task[None] | None = None

    @property
    def alive(self) -> bool:
        """Return whether a controller is there."""
        return self._life is not None and not self._life.dead

    def start(self) -> None:
        """Start a controller."""
        self._life = Life()
        self._run = self._life.begin(self._make(self._life).run)

    def befall(self, fate: Ending) -> None:
        """Let ``fate`` befall the controller; one that is on its way out or away is left alone."""
        if self._at_work is None or self._at_work.done():
            self._at_work = asyncio.get_running_loop().create_task(self._befall(fate))

    def start_anew(self) -> None:
        """End the controller at once, and start another one as after a kill."""
        self.end()
        self._at_work = asyncio.get_running_loop().create_task(self._come_back())

    async def _come_back(self) -> None:
        self._over()
        await asyncio.sleep(BACK_AFTER_SECONDS)
        self.start()

    async def _befall(self, fate: Ending) -> None:
        match fate:
            case Fate.RESTART:
                await self._stop()
            case Fate.KILL:
                await self._kill()
            case _ as never:
                assert_never(never)
        await self._come_back()

    async def _stop(self) -> None:
        """Stop gracefully, and not so gracefully when it takes too long."""
        life, run = self._life, self._run
        if life is None or run is None:
            return
        run.cancel()
        await asyncio.wait([run], timeout=BACK_AFTER_SECONDS)
        self.check()
        life.bury()

    async def _kill(self) -> None:
        life = self._life
        if life is None:
            return
        life.doom(self._chance.below(FARTHEST_BOUNDARY + 1))
        try:
            async with asyncio.timeout(LATEST_KILL_SECONDS):
                await life.died.wait()
        except TimeoutError:
            life.end()
        life.bury()

    def end(self) -> None:
        """End the last life, without giving it time for a last word."""
        if self._at_work is not None:
            self._at_work.cancel()
        if self._life is not None:
            self._life.bury()

    def check(self) -> None:
        """Raise what a controller died of by itself, if it did."""
        for task in (self._run, self._at_work):
            if task is not None and task.done() and not task.cancelled():
                task.result()
