"""Places at the API server: so many questions at once, the urgent ones first.

A few hundred questions at the same time are answered later than the same ones a few at a time, and then time out, are
asked again, and hold up everything else. So they take turns; what takes weight from a bad canary does not queue behind
what can wait. Used by ``rollout.kube.api``.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Lanes:
    """``most`` places, ``kept`` of them for what is urgent."""

    def __init__(self, most: int, kept: int) -> None:
        """Begin with all places free; ``most`` is greater than ``kept``."""
        self._most = {True: most, False: most - kept}
        self._taken = 0
        self._waiting: dict[bool, deque[asyncio.Future[None]]] = {True: deque(), False: deque()}

    @asynccontextmanager
    async def place(self, *, urgent: bool, within: float) -> AsyncIterator[None]:
        """Hold a place for as long as the context is open.

        Raises:
            TimeoutError: none became free ``within`` so many seconds.
        """
        async with asyncio.timeout(within):
            await self._enter(urgent)
        try:
            yield
        finally:
            self._leave()

    async def _enter(self, urgent: bool) -> None:  # noqa: FBT001 - the lane's name
        lane = self._waiting[urgent]
        if not lane and self._taken < self._most[urgent]:
            self._taken += 1
            return
        turn = asyncio.get_running_loop().create_future()
        lane.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self._leave()  # it came in the same moment
            raise

    def _leave(self) -> None:
        self._taken -= 1
        for urgent in (True, False):
            lane = self._waiting[urgent]
            while lane and self._taken < self._most[urgent]:
                turn = lane.popleft()
                if not turn.done():
                    self._taken += 1
                    turn.set_result(None)
