"""Waiting for a thing instead of for a time."""

import asyncio
import os
from collections.abc import Callable

PATIENCE = "ROLLOUT_TEST_PATIENCE"
"""How many times as long as usual is waited for a thing before its test fails, where machines are slow or shared."""


def patient(seconds: float) -> float:
    """Return how long to wait for what takes less than `seconds` on a machine of its own."""
    return seconds * float(os.environ.get(PATIENCE, "1"))


async def until(condition: Callable[[], object], *, seconds: float = 5.0) -> None:
    """Return as soon as `condition` holds; fail when it does not within `seconds`."""
    try:
        async with asyncio.timeout(patient(seconds)):
            while not condition():
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(f"did not come about within {patient(seconds):g} s: {condition}") from None
