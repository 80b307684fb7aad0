"""Waiting for a thing instead of for a time."""

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], object], *, seconds: float = 5.0) -> None:
    """Return as soon as `condition` holds; fail when it does not within `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(f"did not come about within {seconds:g} s: {condition}") from None
