"""Looks at one Rollout again and again until what is waited for has ended, across breaks of the connection.

The event stream says at once that something happened; where a Rollout stands is asked for then, and each second. Who
looks on (a picture, lines) is a ``Spectator``. Called by ``watch`` and ``apply --wait``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Protocol

from rollout.api.models import Live, TransitionItem
from rollout.cli.client import ApiClient
from rollout.cli.endings import Awaited, Ending, ending_of, has_ended
from rollout.cli.failures import ApiProblem, ServerAway, TimedOut
from rollout.cli.retries import BUSY, backoff
from rollout.cli.running import Code
from rollout.cli.stream import Happened, Told, follow, path_of
from rollout.cli.texts import span
from rollout.ending import end
from rollout.errors import RolloutError

EVERY_SECONDS = 1.0
MOST_WAITING = 256
"""So many events wait to be shown; while more come, the stream itself waits."""
MOST_TRANSITIONS = 100
FIRST_AWAY_SECONDS = 10.0
"""A server that was never there is given up after this."""


@dataclass(frozen=True, slots=True)
class Look:
    """What is seen at one moment.

    ``transitions`` are those that happened since the last look. ``away`` says why the server cannot be asked, or is
    empty; then ``live`` is what was seen last. ``seconds`` since the beginning.
    """

    live: Live
    transitions: tuple[TransitionItem, ...] = ()
    away: str = ""
    seconds: float = 0.0


class Spectator(Protocol):
    """Who looks on."""

    def look(self, look: Look) -> None:
        """Take what is seen."""
        ...


async def watch_until_end(
    api: ApiClient,
    key: tuple[str, str],
    spectator: Spectator,
    *,
    awaited: Callable[[Live], Awaited],
    timeout_seconds: float,
) -> Ending:
    """Return how it ended, or that the time ran out; ``awaited`` says what is waited for, once it is seen.

    Raises:
        RolloutError: the Rollout is gone, may not be read, or the server was never there.
    """
    api.limits = replace(api.limits, tries=1)  # the looks themselves go on after a failure, and tell of it
    watch = _Watch(api, key, spectator, awaited)
    try:
        async with asyncio.timeout(timeout_seconds):
            return await watch.until_end()
    except TimeoutError:
        return Ending(Code.TIMED_OUT, f"After {span(timeout_seconds)} {watch.standing}")


class _Watch:
    """One watch, and what it saw last."""

    def __init__(
        self, api: ApiClient, key: tuple[str, str], spectator: Spectator, awaited: Callable[[Live], Awaited]
    ) -> None:
        self._api, self._key, self._spectator, self._begin = api, key, spectator, awaited
        self._last: Look | None = None
        self._awaited: Awaited | None = None

    @property
    def standing(self) -> str:
        """Return where the Rollout stood last."""
        return f"still {self._last.live.phase or 'new'}: {self._last.live.message}" if self._last else "not seen"

    async def until_end(self) -> Ending:
        """Return how it ended."""
        seen = looks(self._api, self._key)
        try:
            async for look in seen:
                ended = self._see(look)
                if ended is not None:
                    return await _ending(self._api, self._key, ended, look.live)
        finally:
            await seen.aclose()
        raise AssertionError("looks do not end by themselves")

    def _see(self, look: Look) -> Awaited | None:
        """Show it; return what was waited for, if that has ended."""
        self._last = look
        self._spectator.look(look)
        self._awaited = (self._awaited or self._begin(look.live)).seen(look.live)
        return self._awaited if not look.away and has_ended(self._awaited, look.live) else None


async def _ending(api: ApiClient, key: tuple[str, str], awaited: Awaited, live: Live) -> Ending:
    tries = 0
    while True:
        try:
            return ending_of(awaited, live, (await api.history(*key, limit=MOST_TRANSITIONS)).items)
        except RolloutError as error:
            if not is_passing(error):
                raise
        tries += 1
        await asyncio.sleep(backoff(tries, api.limits))


async def looks(api: ApiClient, key: tuple[str, str]) -> AsyncGenerator[Look]:
    """Give a look each second, and at once when something happens; without end.

    Raises:
        RolloutError: as ``watch_until_end``.
    """
    began = time.monotonic()
    live: Live | None = None
    told: list[Told] = []
    async with _events(api, key) as queue:
        while True:
            is_late = live is None and time.monotonic() - began > FIRST_AWAY_SECONDS
            found, away = await _asked(api, key, is_late=is_late)
            live = found or live
            if live is not None:
                yield Look(live, tuple(_transitions(told)), away, time.monotonic() - began)
                told = []
            told += await _gathered(queue)


async def _gathered(queue: asyncio.Queue[Told]) -> list[Told]:
    """Return what is told within a second, as soon as something is."""
    found: list[Told] = []
    with suppress(TimeoutError):
        async with asyncio.timeout(EVERY_SECONDS):
            found.append(await queue.get())
    while not queue.empty():
        found.append(queue.get_nowait())
    return found


async def _asked(api: ApiClient, key: tuple[str, str], *, is_late: bool) -> tuple[Live | None, str]:
    """Return where the Rollout stands, or why that cannot be told now."""
    try:
        return await api.live(*key), ""
    except RolloutError as error:
        if is_late or not is_passing(error):
            raise
        return None, str(error)


def is_passing(error: RolloutError) -> bool:
    """Return whether the server may answer again a moment later."""
    if isinstance(error, ApiProblem):
        return error.status in BUSY or error.status >= 500  # noqa: PLR2004 - as HTTP numbers it
    return isinstance(error, ServerAway | TimedOut)


@asynccontextmanager
async def _events(api: ApiClient, key: tuple[str, str]) -> AsyncGenerator[asyncio.Queue[Told]]:
    """Give a queue into which the event stream flows while inside."""
    queue: asyncio.Queue[Told] = asyncio.Queue(MOST_WAITING)
    task = asyncio.create_task(_flow(api, key, queue))
    try:
        yield queue
    finally:
        await end(task)


async def _flow(api: ApiClient, key: tuple[str, str], queue: asyncio.Queue[Told]) -> None:
    """Put what happens into the queue; a stream that cannot be had is tried again, since looks go on without."""
    while True:
        stream = follow(api, path_of(*key), lost=lambda _: None)
        try:
            async for each in stream:
                await queue.put(each)
        except RolloutError:
            # Why the server cannot be asked is told by the looks, which ask the same server.
            await asyncio.sleep(api.limits.longest_wait_seconds)
        finally:
            await stream.aclose()


def _transitions(told: Sequence[Told]) -> Iterator[TransitionItem]:
    """Yield what happened; what was missed shows in where the Rollout stands."""
    for each in told:
        if isinstance(each, Happened):
            yield each.event.transition
