"""Places for passes: so many at once, those that matter most first.

A few thousand passes that write at the same time are answered so late that their writes time out and are tried
again, and everything else waits, too. So they take turns before they look at anything, and what takes weight from a
bad canary does not queue behind what can wait. Used by ``rollout.controller.controller``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rollout.ports import Key


class Lanes:
    """``most`` places, ``kept`` of them for what is urgent; each waits under its key."""

    def __init__(self, most: int = 48, kept: int = 16) -> None:
        """Begin with all places free; ``most`` is greater than ``kept``."""
        self._most = {True: most, False: most - kept}
        self._taken = 0
        self._waiting: dict[bool, dict[Key, asyncio.Future[None]]] = {True: {}, False: {}}

    @asynccontextmanager
    async def place(self, key: Key, *, urgent: bool) -> AsyncIterator[None]:
        """Wait for a place, and hold it for as long as the context is open."""
        if self._waiting[urgent] or self._taken >= self._most[urgent]:
            await self._wait(key, self._waiting[urgent])
        else:
            self._taken += 1
        try:
            yield
        finally:
            self._leave()

    def hurry(self, key: Key) -> None:
        """Let what waits under this key be urgent from now on."""
        turn = self._waiting[False].pop(key, None)
        if turn is not None:
            self._waiting[True][key] = turn
            self._fill()

    async def _wait(self, key: Key, lane: dict[Key, asyncio.Future[None]]) -> None:
        turn = lane[key] = asyncio.get_running_loop().create_future()
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self._leave()  # it came in the same moment
            raise

    def _leave(self) -> None:
        self._taken -= 1
        self._fill()

    def _fill(self) -> None:
        for urgent in (True, False):
            lane = self._waiting[urgent]
            while lane and self._taken < self._most[urgent]:
                turn = lane.pop(next(iter(lane)))
                if not turn.done():
                    self._taken += 1
                    turn.set_result(None)
