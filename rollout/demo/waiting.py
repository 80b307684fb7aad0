"""Waits for things outside that do not call back, and for work beside which other work runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from rollout.ending import end

Found = TypeVar("Found")
Done = TypeVar("Done")

_LOOK_SECONDS = 0.02


async def until(look: Callable[[], Awaitable[Found | None]]) -> Found:
    """Look every 20 ms until there is something, and return it; the caller sets the time limit."""
    while True:
        if (found := await look()) is not None:
            return found
        await asyncio.sleep(_LOOK_SECONDS)


async def alongside(work: Awaitable[Done], *others: Awaitable[None]) -> Done:
    """Return what ``work`` returns while the ``others``, which never return, run beside it.

    The first error of any of them ends all and is raised.
    """
    main = asyncio.ensure_future(work)
    tasks: list[asyncio.Future[Done] | asyncio.Future[None]] = [main, *map(asyncio.ensure_future, others)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done() and (error := task.exception()) is not None:
                raise error
        return await main
    finally:
        await end(*tasks)
