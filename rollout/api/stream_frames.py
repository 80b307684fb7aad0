"""What goes over the wire of an event stream: blocks after the WHATWG's rules for server-sent events.

Called by ``feed`` and ``stream_replay``. A frame is made once and shared by all who read it; nothing here knows
who reads, nor when.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rollout.api.models import TransitionEvent, TransitionItem
from rollout.ports import Key, Recorded

MOST_CHUNK_BYTES = 16 * 1024
"""Blocks that wait together are written together, up to about this size."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A transition as an event, and by what readers choose it."""

    sequence: int
    key: Key
    data: bytes


def frame_of(recorded: Recorded) -> Frame:
    """Return the event ``transition``; its id is the sequence."""
    key = recorded.key
    item = TransitionItem.model_validate(recorded.transition)
    event = TransitionEvent(namespace=key.namespace, name=key.name, transition=item)
    return Frame(recorded.sequence, key, _event("transition", recorded.sequence, event.model_dump_json(by_alias=True)))


def gap(*, after: int, first: int) -> bytes:
    """Return the event ``gap``: between ``after`` and ``first`` transitions are missing; its id is before ``first``."""
    return _event("gap", first - 1, f'{{"after":{after},"from":{first}}}')


def hello(*, retry_seconds: float, position: int) -> bytes:
    """Return what comes first: how soon to come back after a break, and from where, though nothing happened yet."""
    return f"retry: {retry_seconds * 1000:.0f}\nid: {position}\n\n".encode()


def heartbeat(position: int) -> bytes:
    """Return a comment, and where the reader is now, since others' transitions go by. Neither makes an event."""
    return f":\nid: {position}\n\n".encode()


def _event(name: str, number: int, data: str) -> bytes:
    # One line of data is enough: in JSON every line break is escaped.
    return f"event: {name}\nid: {number}\ndata: {data}\n\n".encode()


def chunks(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Return the blocks joined; a chunk ends with the block with which it reaches its size."""
    waiting: list[bytes] = []
    size = 0
    for block in blocks:
        waiting.append(block)
        size += len(block)
        if size >= MOST_CHUNK_BYTES:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)
