"""Waits for things outside that do not call back: a file, a program's first answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

Found = TypeVar("Found")

_LOOK_SECONDS = 0.02


async def until(look: Callable[[], Awaitable[Found | None]]) -> Found:
    """Look every 20 ms until there is something, and return it; the caller sets the time limit."""
    while True:
        if (found := await look()) is not None:
            return found
        await asyncio.sleep(_LOOK_SECONDS)
