"""The end of tasks, asked for and waited for. Used by whoever begins some that nobody else waits for."""

from __future__ import annotations

import asyncio
from typing import Any


async def end(*tasks: asyncio.Future[Any] | None) -> None:
    """Cancel these (None: there is none) and return once all have ended; what they raise by then is nobody's."""
    begun = [task for task in tasks if task is not None]
    for task in begun:
        task.cancel()
    await asyncio.gather(*begun, return_exceptions=True)
