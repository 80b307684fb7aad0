"""The feed: hands each recorded transition to all who read events, without waiting for any of them.

One feed follows the journal for all streams. What is recorded within a short time is handed out together, as frames
that all readers share. Each reader has a buffer with a bound; a reader that does not keep up is told to end, and
nobody else notices. Called by ``stream_response``; knows nothing of HTTP.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import structlog

from rollout.api.stream_frames import MOST_CHUNK_BYTES, Frame, frame_of
from rollout.errors import TemporaryError
from rollout.ports import Journal, Key, Recorded

log = structlog.get_logger(__name__)

MOST_FRAMES = 2048
MOST_BYTES = 1024 * 1024
"""How much waits for one reader at most. Frames are shared, so that many slow readers do not take it many times."""

HANDED_OUT_TOGETHER = 256
"""After so many transitions the readers have their turn, so that a burst does not look like a slow reader."""

WOKEN_TOGETHER = 16
"""After so many readers others on the loop have theirs: the passes of the controller."""

MOST_FRESH = 16 * 1024
"""So many transitions wait to be handed out at most; beyond, the loop itself is far behind, and all streams end."""


class Ending(StrEnum):
    """Why a stream ended."""

    GONE = "the reader went away"
    SLOW = "the stream did not keep up"
    STALLED = "the reader took nothing for too long"
    FORBIDDEN = "the reader may not read this any more"
    UNREADABLE = "the journal could not be read"
    CLOSED = "the server ends"


class TooManyReaders(TemporaryError):
    """There are as many streams as there may be."""


class FeedClosed(TemporaryError):
    """The server ends, and takes no stream any more."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which Rollouts a reader wants to hear of; empty: of all."""

    namespace: str = ""
    name: str = ""

    def has(self, key: Key) -> bool:
        """Return whether this Rollout is one of them."""
        return self.namespace in {"", key.namespace} and self.name in {"", key.name}


class Reader:
    """One reader's place in the journal, and what waits for it.

    ``position``: all up to this sequence was taken, or does not concern the reader. While the reader catches up from
    the journal, what is too much falls out of the buffer, which then ``begins`` later; once it is live, too much is
    the end.
    """

    __slots__ = ("_bytes", "_heard", "_live", "_waiting", "_wake", "begins", "ending", "on_end", "position", "scope")

    def __init__(self, scope: Scope, *, position: int, begins: int) -> None:
        """Begin after ``position``; of what comes after ``begins`` nothing will be missed."""
        self.scope = scope
        self.position = position
        self.begins = begins
        self.ending: Ending | None = None
        self.on_end: Callable[[], None] | None = None
        self._waiting: deque[Frame] = deque()
        self._bytes = 0
        self._heard = begins
        self._live = False
        self._wake = asyncio.Event()

    def go_live(self) -> bool:
        """Leave out what was read from the journal meanwhile; return False when there is still more to read there."""
        if self.position < self.begins:
            return False
        while self._waiting and self._waiting[0].sequence <= self.position:
            self._drop()
        self._live = True
        return True

    def offer(self, frames: Sequence[Frame]) -> bool:
        """Keep those that concern the reader until it takes them; return whether there is something to take."""
        if self.ending is not None:
            return False
        for frame in frames:
            if frame.sequence > self.position and self.scope.has(frame.key):
                self._waiting.append(frame)
                self._bytes += len(frame.data)
        while len(self._waiting) > MOST_FRAMES or self._bytes > MOST_BYTES:
            self._overflow()
        self._heard = frames[-1].sequence
        if self._live and not self._waiting:
            self.position = max(self.position, self._heard)
        return bool(self._waiting)

    def wake(self) -> None:
        """Let ``wait`` return."""
        self._wake.set()

    def take(self) -> list[bytes]:
        """Return what waits, about a chunk of it at most; the place moves on."""
        taken: list[bytes] = []
        size = 0
        while self._waiting and size < MOST_CHUNK_BYTES:
            frame = self._drop()
            size += len(frame.data)
            taken.append(frame.data)
            self.position = frame.sequence
        if not self._waiting:
            self.position = max(self.position, self._heard)
            self._wake.clear()
        return taken

    async def wait(self, seconds: float) -> None:
        """Return when something waits or the stream is to end, or after this time."""
        if self.ending is not None or self._waiting:
            return
        timer = asyncio.get_running_loop().call_later(max(0.0, seconds), self._wake.set)
        try:
            await self._wake.wait()
        finally:
            timer.cancel()
            self._wake.clear()

    def end(self, why: Ending) -> None:
        """Let the stream end, for the first reason that is told."""
        if self.ending is None:
            self.ending = why
            self._wake.set()
            if self.on_end is not None:
                self.on_end()

    def _overflow(self) -> None:
        if self._live:
            self._waiting.clear()
            self._bytes = 0
            self.end(Ending.SLOW)
        else:
            self.begins = self._drop().sequence

    def _drop(self) -> Frame:
        frame = self._waiting.popleft()
        self._bytes -= len(frame.data)
        return frame


class Feed:
    """All readers of one journal. Belongs to the event loop."""

    def __init__(self, journal: Journal, closing: asyncio.Event, *, most_readers: int, gather_seconds: float) -> None:
        """Take at most ``most_readers``, none once it is ``closing``; hand out at most once in ``gather_seconds``."""
        self._journal = journal
        self._closing = closing
        self._most_readers = most_readers
        self._gather_seconds = gather_seconds
        self._readers: set[Reader] = set()
        self._fresh: list[Recorded] = []
        self._to_wake: list[Reader] = []
        self._handing_out = False
        self._again_at = 0.0
        self._unfollow: Callable[[], None] | None = None
        self._closer: asyncio.Task[None] | None = None

    @property
    def readers(self) -> int:
        """Return how many there are now."""
        return len(self._readers)

    def join(self, scope: Scope, *, after: int | None) -> Reader:
        """Return a reader that begins after this sequence; None, or one that the journal has not reached: from now on.

        Raises:
            TooManyReaders: there are as many as there may be.
            FeedClosed: the server ends.
        """
        if self._closing.is_set():
            raise FeedClosed("the server ends; come back in a moment")
        if len(self._readers) >= self._most_readers:
            raise TooManyReaders(f"{self._most_readers} event streams are open, more are not allowed")
        if self._unfollow is None:
            self._unfollow = self._journal.follow(self._hear)
            self._closer = asyncio.create_task(self._close(), name="event streams: closing")
        last = self._journal.last
        reader = Reader(scope, position=last if after is None else min(after, last), begins=last)
        self._readers.add(reader)
        return reader

    def leave(self, reader: Reader) -> None:
        """Forget the reader; without any, the journal is not followed."""
        self._readers.discard(reader)
        if not self._readers and self._unfollow is not None:
            self._unfollow()
            self._unfollow = None
            if self._closer is not None:
                self._closer.cancel()

    async def _close(self) -> None:
        await self._closing.wait()
        self._end_all(Ending.CLOSED)

    def _hear(self, recorded: Recorded) -> None:
        if len(self._fresh) >= MOST_FRESH:
            self._give_up(Ending.SLOW)
        self._fresh.append(recorded)
        if not self._handing_out:
            self._handing_out = True
            asyncio.get_running_loop().call_at(self._again_at, self._hand_out)

    def _hand_out(self) -> None:
        """Make the next frames and give them to all; what cannot be told must not look as if it had been."""
        fresh, self._fresh = self._fresh[:HANDED_OUT_TOGETHER], self._fresh[HANDED_OUT_TOGETHER:]
        self._again_at = asyncio.get_running_loop().time() + self._gather_seconds
        frames: list[Frame] = []
        try:
            frames = [frame_of(recorded) for recorded in fresh]
        except Exception:
            log.exception("transitions could not be told", first=fresh[0].sequence, last=fresh[-1].sequence)
            self._give_up(Ending.UNREADABLE)
        self._to_wake = [reader for reader in self._readers if frames and reader.offer(frames)]
        self._wake_some()

    def _wake_some(self) -> None:
        loop = asyncio.get_running_loop()
        some, self._to_wake = self._to_wake[:WOKEN_TOGETHER], self._to_wake[WOKEN_TOGETHER:]
        for reader in some:
            reader.wake()
        if self._to_wake:
            loop.call_soon(self._wake_some)
        elif len(self._fresh) >= HANDED_OUT_TOGETHER:
            loop.call_soon(self._hand_out)
        elif self._fresh:
            loop.call_at(self._again_at, self._hand_out)
        else:
            self._handing_out = False

    def _give_up(self, why: Ending) -> None:
        self._fresh.clear()
        self._end_all(why)

    def _end_all(self, why: Ending) -> None:
        for reader in tuple(self._readers):
            reader.end(why)
