"""Calls that block, beside the event loop: files, names of hosts, Apprise.

Each owner (a sink, the gates) has threads of its own, so that one whose name server or disk hangs costs the others
nothing; the loop's own pool is shared, small, needed by aborts, and waited for when the process ends. A call that does
not come back is left behind in a thread that ends with the process, and only so many of those may be. Where many want
the same at one time, one call is enough for them. Used by adapters that call what others own.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Hashable
from contextlib import suppress
from typing import Generic, TypeVar

from rollout.errors import Unavailable

MOST_CALLS = 16
"""Calls of one owner that may be under way, those left behind included."""

THREAD = "aside"
"""The name of these threads."""

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class Aside:
    """The threads of one owner."""

    def __init__(self, owner: str) -> None:
        """Belong to ``owner`` (``sink team-slack``)."""
        self._owner = owner
        self._threads: tuple[threading.Thread, ...] = ()

    async def call(self, work: Callable[[], T]) -> T:
        """Return what ``work`` returns, and raise what it raises; a caller that goes does not stop it.

        Raises:
            Unavailable: too many calls before have not come back.
        """
        return await self.begin(work)

    def begin(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Start ``work``, and return what it will end with.

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
        return ended


class Shared(Generic[K, T]):
    """Calls aside that several wait for: who wants what is under way already waits for that."""

    def __init__(self, aside: Aside) -> None:
        """Call in the threads of ``aside``."""
        self._aside = aside
        self._under_way: dict[K, asyncio.Future[T]] = {}

    async def call(self, key: K, work: Callable[[], T]) -> T:
        """Return what the call under this key returns, and raise what it raises; begin it where there is none.

        Raises:
            Unavailable: too many calls before have not come back.
        """
        if (ended := self._under_way.get(key)) is None:
            ended = self._under_way[key] = self._aside.begin(work)
            ended.add_done_callback(lambda known: self._end(key, known))
        await asyncio.wait((ended,))  # unlike to await it, this leaves it to the others when this caller goes
        return ended.result()

    def _end(self, key: K, ended: asyncio.Future[T]) -> None:
        del self._under_way[key]
        ended.exception()  # looked at, also where everybody has gone


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
