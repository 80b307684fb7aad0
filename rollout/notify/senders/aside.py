"""Calls that block, beside the event loop: files, names of hosts, Apprise.

Each sink has threads of its own, so that one whose name server or disk hangs costs the others nothing; the loop's own
pool is shared, small, and waited for when the process ends. A call that does not come back is left behind in a thread
that ends with the process, and only so many of those may be.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from rollout.errors import Unavailable

MOST_CALLS = 16
"""Calls of one sink that may be under way, those left behind included."""

THREAD = "sink"
"""The name of these threads."""

T = TypeVar("T")


class Aside:
    """The threads of one sink."""

    def __init__(self, owner: str) -> None:
        """Belong to ``owner`` (``sink team-slack``)."""
        self._owner = owner
        self._threads: tuple[threading.Thread, ...] = ()

    async def call(self, work: Callable[[], T]) -> T:
        """Return what ``work`` returns, and raise what it raises; a caller that goes does not stop it.

        Raises:
            Unavailable: too many calls before have not come back.
        """
        self._threads = tuple(thread for thread in self._threads if thread.is_alive())
        if len(self._threads) >= MOST_CALLS:
            raise Unavailable(f"{self._owner} has calls that do not come back")
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[T] = loop.create_future()
        thread = threading.Thread(target=_run, args=(work, ended, loop), name=THREAD, daemon=True)
        self._threads = (*self._threads, thread)
        thread.start()
        return await ended


def _run(work: Callable[[], T], ended: asyncio.Future[T], loop: asyncio.AbstractEventLoop) -> None:
    settle: Callable[[], None]
    try:
        result = work()
    except Exception as error:  # noqa: BLE001 - handed to the one who waits
        settle = _failing(ended, error)
    else:
        settle = _returning(ended, result)
    with suppress(RuntimeError):  # the loop is closed: nobody waits any more
        loop.call_soon_threadsafe(settle)


def _returning(ended: asyncio.Future[T], result: T) -> Callable[[], None]:
    return lambda: None if ended.done() else ended.set_result(result)


def _failing(ended: asyncio.Future[T], error: Exception) -> Callable[[], None]:
    return lambda: None if ended.done() else ended.set_exception(error)
