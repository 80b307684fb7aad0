"""Places for calls that are under way: so many in all, and only some of them for one host and one namespace.

A gate that is silent keeps its place for the whole of its time limit. Without a bound, the silent gates of one team
would fill all places, and those of everybody else would wait for them. Many teams may share a host, and one team may
call several, so that the bound is for what both have in common. Called by ``rollout.gates.http``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

MOST_CALLS = 256
"""So many calls are under way at one time; the others wait, which does not count as their time."""

MOST_ALIKE = 32
"""So many of them call one host for one namespace, whatever the port: who writes a URL chooses ports, but not hosts."""


class Places:
    """The places of one caller."""

    def __init__(self, most: int = MOST_CALLS, most_alike: int = MOST_ALIKE) -> None:
        """Have ``most`` places in all, and ``most_alike`` for one host and one namespace."""
        self._all = asyncio.Semaphore(most)
        self._most_alike = most_alike
        self._alike: dict[tuple[str, str], tuple[asyncio.Semaphore, int]] = {}

    @asynccontextmanager
    async def one(self, host: str, namespace: str) -> AsyncIterator[None]:
        """Wait for a place to call this host, and have it; who waits for those alike is in nobody else's way."""
        kind = host, namespace
        alike, here = self._alike.get(kind) or (asyncio.Semaphore(self._most_alike), 0)
        self._alike[kind] = alike, here + 1
        try:
            async with alike, self._all:
                yield
        finally:
            self._leave(kind)

    def _leave(self, kind: tuple[str, str]) -> None:
        alike, here = self._alike.pop(kind)
        if here > 1:
            self._alike[kind] = alike, here - 1
