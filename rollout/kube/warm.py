"""Warm: some connections to the API server stay open through hours in which nobody asks anything.

A failover after a quiet night would first have to connect, with all that TLS asks for, once for its record and again
for its routes: tens of milliseconds on a busy machine, in which requests fail. So a few small questions go out at the
same time, each by a connection of its own, and again before those are closed for want of use. One that has died without
a word is found by the same question, and is in nobody's way any more. Begun by ``rollout.bootstrap``; what fails is for
others to tell.
"""

from __future__ import annotations

import asyncio

import structlog

from rollout.ending import end
from rollout.errors import RolloutError
from rollout.kube.api import KubeApi

log = structlog.get_logger(__name__)

CONNECTIONS = 4
"""So many stay open: for the routes of most Rollouts at once."""

EVERY_SECONDS = 10.0
"""The client closes what was not used for 15 s."""

PATIENCE_SECONDS = 3.0
"""A connection that brings no answer in so much time is given up."""


class Warmer:
    """Keeps connections open between ``start`` and ``aclose``."""

    def __init__(self, api: KubeApi, *, every_seconds: float = EVERY_SECONDS) -> None:
        """Ask by ``api``, with ``every_seconds`` between."""
        self._api = api
        self._every_seconds = every_seconds
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to ask, and return when the connections are open, or patience is over."""
        await self._ask_all()
        self._task = asyncio.create_task(self._run(), name="warm connections")

    async def aclose(self) -> None:
        """Ask no more."""
        await end(self._task)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._every_seconds)
            await self._ask_all()

    async def _ask_all(self) -> None:
        await asyncio.gather(*(self._ask() for _ in range(CONNECTIONS)))

    async def _ask(self) -> None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._api.touch()
        except (RolloutError, TimeoutError) as error:
            log.debug("connection not kept", why=str(error) or "no answer")
        except Exception:  # such as of a plug-in for credentials: the next question may do better
            log.exception("connection not kept")
