"""The event stream as a client reads it: blocks out of bytes, and coming back after a break where it was.

Called by ``events``, ``watch`` and ``get --watch``. Knows nothing of the terminal.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from rollout.api.models import TransitionEvent
from rollout.cli.client import PREFIX, ApiClient
from rollout.cli.failures import ApiProblem, NotUnderstood, ServerAway, TimedOut
from rollout.cli.retries import BUSY, Limits, backoff
from rollout.errors import RolloutError

MOST_BYTES = 1024 * 1024
"""One block is no larger than this."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The stream is open: what happens from now on will be told."""


@dataclass(frozen=True, slots=True)
class Happened:
    """A transition; ``sequence`` is its place in the journal."""

    sequence: int
    event: TransitionEvent


@dataclass(frozen=True, slots=True)
class Missed:
    """Transitions after ``after`` and before ``first`` are gone from the journal."""

    after: int
    first: int


Told = Opened | Happened | Missed


@dataclass(frozen=True, slots=True)
class Block:
    """A block of the stream; ``data`` is None where it only moves the place in it."""

    name: str
    data: str | None


class Blocks:
    """Takes the bytes of one stream, gives its blocks, and keeps the place to resume from."""

    def __init__(self, last: str = "") -> None:
        """Begin after the event ``last``."""
        self.last = last
        self.retry_seconds: float | None = None
        self._rest = b""
        self._name, self._id, self._data = "", last, list[str]()
        self._size = 0

    def feed(self, part: bytes) -> Iterator[Block]:
        """Yield the blocks that end in ``part``.

        Raises:
            NotUnderstood: a block does not end.
        """
        *lines, self._rest = (self._rest + part).replace(b"\r\n", b"\n").split(b"\n")
        for line in lines:
            self._size += len(line)
            if line:
                self._field(line.decode("utf-8", "replace"))
            else:
                yield self._end()
        if self._size + len(self._rest) > MOST_BYTES:
            raise NotUnderstood(f"the event stream has a block of more than {MOST_BYTES} bytes")

    def _field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "event":
                self._name = value
            case "data":
                self._data.append(value)
            case "id":
                self._id = value
            case "retry" if value.isascii() and value.isdigit() and len(value) <= 6:  # noqa: PLR2004 - a quarter of an hour
                self.retry_seconds = int(value) / 1000
            case _:
                pass  # a comment, or a field of a later version

    def _end(self) -> Block:
        self.last = self._id
        block = Block(self._name, "\n".join(self._data) if self._data else None)
        self._name, self._data, self._size = "", [], 0
        return block


async def follow(
    api: ApiClient, path: str, query: Sequence[tuple[str, str]] = (), *, lost: Callable[[str], None]
) -> AsyncGenerator[Told]:
    """Give what happens from now on, without end; after a break it goes on where it was.

    ``lost`` is called with a sentence when the connection breaks, once until it is open again. A stream that never
    opened is given up after some tries.

    Raises:
        ApiProblem: it may not be read, or there is no such Rollout.
        ServerAway, TimedOut: it could not be opened at all.
        NotUnderstood: what answers is not rollout.
    """
    blocks, failures, was_open = Blocks(), 0, False
    while True:
        error: RolloutError = ServerAway("the server ended the event stream", sent=True)
        connection = _connected(api, path, query, blocks)
        try:
            async for told in connection:
                failures, was_open = 0, True
                yield told
        except RolloutError as caught:
            error = caught
        finally:
            await connection.aclose()
        failures += 1
        if not _is_passing(error) or (not was_open and failures >= api.limits.tries):
            raise error
        if failures == 1:
            lost(str(error))
        await asyncio.sleep(_pause(failures, blocks.retry_seconds, api.limits))
        blocks = Blocks(blocks.last)


async def _connected(
    api: ApiClient, path: str, query: Sequence[tuple[str, str]], blocks: Blocks
) -> AsyncGenerator[Told]:
    """Give what one connection tells, first that it is open."""
    parts, is_open = api.stream(path, query, last=blocks.last), False
    try:
        async for part in parts:
            if not is_open:
                yield Opened()
            is_open = True
            for told in _told(blocks, part):
                yield told
    finally:
        await parts.aclose()


def _told(blocks: Blocks, part: bytes) -> Iterator[Told]:
    for block in blocks.feed(part):
        told = _read(block, blocks.last) if block.data is not None else None
        if told is not None:
            yield told


def path_of(namespace: str, name: str) -> str:
    """Return the path of the events of one Rollout."""
    return f"{PREFIX}/rollouts/{namespace}/{name}/events"


ALL_EVENTS = f"{PREFIX}/events"


def _is_passing(error: RolloutError) -> bool:
    if isinstance(error, ApiProblem):
        return error.status in BUSY or error.status >= 500  # noqa: PLR2004 - as HTTP numbers it
    return isinstance(error, ServerAway | TimedOut)


def _pause(failures: int, asked_seconds: float | None, limits: Limits) -> float:
    """Return how long to wait before the stream is opened again: a backoff, and no sooner than the server asks."""
    least = min(asked_seconds or 0.0, limits.longest_wait_seconds) * (1 + limits.chance() / 4)
    return max(least, backoff(failures, limits))


def _read(block: Block, last: str) -> Told | None:
    """Return what a block tells; None for a kind that is not known here."""
    try:
        match block.name:
            case "transition":
                return Happened(int(last), TransitionEvent.model_validate_json(block.data or ""))
            case "gap":
                found = json.loads(block.data or "")
                return Missed(int(found["after"]), int(found["from"]))
            case _:
                return None
    except (ValidationError, ValueError, KeyError, TypeError) as error:
        raise NotUnderstood(f"the event stream has an event {block.name!r} that cannot be read") from error
