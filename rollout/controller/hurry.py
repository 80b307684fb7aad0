"""Hurry: a call that hangs is given up soon once something pressing waits for the pass that makes it.

What was asked for may land all the same; the next pass sees it when it does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from rollout.controller.entry import Entry
from rollout.errors import Unavailable

HURRY_SECONDS = 1.0
"""So long a call that is under way still has when something pressing comes."""

T = TypeVar("T")


async def unless_pressed(entry: Entry, call: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Return what ``call`` returns.

    Raises:
        Unavailable: something pressing came, and the call did not end soon.
        RolloutError: as the call does.
    """
    task, pressed = asyncio.ensure_future(call()), asyncio.ensure_future(entry.hurry.wait())
    try:
        await asyncio.wait({task, pressed}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            await asyncio.wait({task}, timeout=HURRY_SECONDS)
        if not task.done():
            raise Unavailable(f"given up after {HURRY_SECONDS:g} s for something that presses")
        return task.result()
    finally:
        pressed.cancel()
        if not task.done():
            task.cancel()
