"""One event stream as a response: hello, what was missed, then what is recorded, until somebody ends it.

Called by the routes in ``streams``. It waits for nothing without a limit, and for a shorter time once it is to end: a
reader that takes nothing is cut off, and a server that ends is not kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from rollout.api.feed import Ending, Feed, Reader
from rollout.api.feed import Scope as Wanted
from rollout.api.stream_frames import chunks, gap, heartbeat, hello
from rollout.api.stream_protocol import connection_of
from rollout.api.stream_replay import Replay
from rollout.errors import Unavailable
from rollout.ports import Journal

log = structlog.get_logger(__name__)

LAST_SECONDS = 0.25
"""How long a stream that is to end may take for each of its last things."""

PAGE_SECONDS = 10.0
"""How long a reader may wait for its turn and for a page of the journal."""

UNKNOWN_CHECKS = 5
"""A stream goes on while it cannot be found out whether it may, for this many checks."""

_USUAL = (None, Ending.GONE, Ending.CLOSED)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pace:
    """How a stream keeps time, in seconds: its heartbeats, checks of the token, when to come back after a break.

    ``write_seconds``: a reader that takes nothing for so long is cut off.
    """

    heartbeat_seconds: float = 15.0
    check_seconds: float = 60.0
    retry_seconds: float = 3.0
    write_seconds: float = 30.0


def _nobody_counts(_: Ending) -> None:
    """Count no ending."""


@dataclass(frozen=True, slots=True)
class Source:
    """What all streams share: the feed, the journal, the turns at reading from it, and who hears why each ended."""

    feed: Feed
    journal: Journal
    turns: asyncio.Semaphore
    pace: Pace
    ended: Callable[[Ending], None] = _nobody_counts


class EventStream(Response):
    """The response; the reader joins when it begins."""

    media_type = "text/event-stream"

    def __init__(
        self, source: Source, wanted: Wanted, *, after: int | None, allowed: Callable[[], Awaitable[bool]]
    ) -> None:
        """Stream what is ``wanted`` after this sequence (None: from now on) as long as it is ``allowed``."""
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no", "Connection": "close"})
        del self.headers["content-length"]
        self._source = source
        self._wanted = wanted
        self._after = after
        self._allowed = allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Speak to the reader until one of the two ends it.

        Raises:
            TooManyReaders, FeedClosed: before anything was sent.
        """
        feed = self._source.feed
        reader = feed.join(self._wanted, after=self._after)
        start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        stream = _Stream(self._source, reader, self._allowed, send)
        watch = asyncio.create_task(_watch(receive, reader), name="event stream: reader gone")
        connection = connection_of(scope)
        try:
            if connection is not None:
                connection.narrow()
            await stream.speak(start, self._after)
        finally:
            feed.leave(reader)
            if connection is not None and stream.blocked:
                connection.cut()
                await asyncio.wait({watch}, timeout=LAST_SECONDS)
            elif connection is not None:
                connection.cut_after(LAST_SECONDS)
            watch.cancel()
            self._source.ended(reader.ending or Ending.GONE)
            tell = log.debug if reader.ending in _USUAL else log.info
            tell("event stream ended", why=reader.ending, position=reader.position)


async def _watch(receive: Receive, reader: Reader) -> None:
    """Let the stream end when its reader goes away, or sends what cannot be taken."""
    try:
        while (await receive())["type"] != "http.disconnect":
            pass
    except Exception as error:  # noqa: BLE001 - the top of a task: whatever it is, this reader's stream ends
        log.info("event stream ends", why=str(error), position=reader.position)
    reader.end(Ending.GONE)


class _Stream:
    """Speaks to one reader. ``blocked``: it took nothing for too long, so that nothing more can be said."""

    def __init__(self, source: Source, reader: Reader, allowed: Callable[[], Awaitable[bool]], send: Send) -> None:
        self._pace = source.pace
        self._reader = reader
        self._replay = Replay(source.journal, source.turns, reader)
        self._allowed = allowed
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._limit: asyncio.Timeout | None = None
        self._written_at = self._known_at = self._loop.time()
        self._check_at = self._known_at + self._pace.check_seconds
        self.blocked = False
        reader.on_end = self._hurry

    async def speak(self, start: dict[str, object], after: int | None) -> None:
        reader = self._reader
        await self._say(start)
        await self._write(hello(retry_seconds=self._pace.retry_seconds, position=reader.position))
        if after is not None and after > reader.position:
            await self._write(gap(after=after, first=reader.position + 1))
        await self._catch_up()
        while reader.ending is None:
            await self._go_on()
        await self._say({"type": "http.response.body", "body": b"", "more_body": False})

    async def _catch_up(self) -> None:
        while self._reader.ending is None and not self._reader.go_live():
            try:
                blocks = await self._within(PAGE_SECONDS, self._replay.page())
            except (Unavailable, TimeoutError) as error:
                log.warning("event stream ends", why=str(error) or Ending.UNREADABLE, position=self._reader.position)
                self._reader.end(Ending.UNREADABLE)
                return
            for chunk in chunks(blocks):
                await self._write(chunk)

    async def _go_on(self) -> None:
        reader, now = self._reader, self._loop.time()
        if now >= self._check_at:
            await self._check(now)
        elif taken := reader.take():
            await self._write(b"".join(taken))
        elif now >= self._written_at + self._pace.heartbeat_seconds:
            await self._write(heartbeat(reader.position))
        else:
            await reader.wait(min(self._written_at + self._pace.heartbeat_seconds, self._check_at) - now)

    async def _check(self, now: float) -> None:
        self._check_at = now + self._pace.check_seconds
        try:
            allowed = await self._within(self._pace.check_seconds, self._allowed())
            self._known_at = now
        except (Unavailable, TimeoutError) as error:
            log.warning("cannot find out whether an event stream may go on", why=str(error))
            allowed = now - self._known_at < UNKNOWN_CHECKS * self._pace.check_seconds
        if not allowed:
            self._reader.end(Ending.FORBIDDEN)

    async def _write(self, data: bytes) -> None:
        await self._say({"type": "http.response.body", "body": data, "more_body": True})
        self._written_at = self._loop.time()

    async def _say(self, message: dict[str, object]) -> None:
        if self.blocked:
            return
        try:
            await self._within(self._pace.write_seconds, self._send(message))
        except TimeoutError:
            self.blocked = True
            self._reader.end(Ending.STALLED)

    async def _within(self, seconds: float, work: Awaitable[T]) -> T:
        """Wait for ``work``, but no longer than this, nor for long once the stream is to end."""
        longest = seconds if self._reader.ending is None else min(seconds, LAST_SECONDS)
        try:
            async with asyncio.timeout(longest) as self._limit:
                return await work
        finally:
            self._limit = None

    def _hurry(self) -> None:
        soon, limit = self._loop.time() + LAST_SECONDS, self._limit
        if limit is not None and not limit.expired() and (limit.when() or soon) >= soon:
            limit.reschedule(soon)
