"""Places for calls that are under way: so many in all, and only some of them for one host.

A gate that is silent keeps its place for the whole of its time limit. Without a bound for each host, the silent gates
of one team would fill all places, and those of everybody else would wait for them. Called by ``rollout.gates.http``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

MOST_CALLS = 128
"""So many calls are under way at one time; the others wait, which does not count as their time."""

MOST_OF_ONE_HOST = 16
"""So many of them call one host, whatever the port: ports are at the choice of who writes the URL, hosts are not."""


class Places:
    """The places of one caller."""

    def __init__(self, most: int = MOST_CALLS, most_of_one_host: int = MOST_OF_ONE_HOST) -> None:
        """Have ``most`` places in all, and ``most_of_one_host`` for each."""
        self._all = asyncio.Semaphore(most)
        self._most_of_one_host = most_of_one_host
        self._hosts: dict[str, tuple[asyncio.Semaphore, int]] = {}

    @asynccontextmanager
    async def one(self, host: str) -> AsyncIterator[None]:
        """Wait for a place to call this host, and have it; who waits for the host waits outside of all others' way."""
        of_host, here = self._hosts.get(host) or (asyncio.Semaphore(self._most_of_one_host), 0)
        self._hosts[host] = of_host, here + 1
        try:
            async with of_host, self._all:
                yield
        finally:
            self._leave(host)

    def _leave(self, host: str) -> None:
        of_host, here = self._hosts.pop(host)
        if here > 1:
            self._hosts[host] = of_host, here - 1
