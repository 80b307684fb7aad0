"""The head of an HTTP/1.1 response: its status, and how long the body after it is. Pure; bytes in, values out."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rollout.probes.said import BadAnswer

MOST_HEAD = 16 * 1024
MOST_BODY = 64 * 1024
"""A longer body is not read: the connection is closed."""

_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-9]\d\d)(?:[ \t][^\r\n]*)?\r?\n")
_START = b"HTTP/1."
_LENGTH = re.compile(rb"\n(?i:content-length)[ \t]*:[ \t]*(\d{1,9})[ \t]*(?=\r?\n)")
_SPLIT = re.compile(rb"\n(?i:transfer-encoding)[ \t]*:")
_CLOSES = re.compile(rb"\n(?i:connection)[ \t]*:[^\r\n]*\b(?i:close)\b")
_END = re.compile(rb"\r?\n\r?\n")

_INTERIM = range(100, 200)
_SWITCHED, _NO_CONTENT, _NOT_MODIFIED = 101, 204, 304


@dataclass(frozen=True, slots=True)
class Head:
    """A head: the status, its own length in bytes, and that of the body (None: the connection cannot be used again)."""

    status: int
    size: int
    body: int | None


def head_in(received: bytes | bytearray) -> Head | None:
    """Return the head at the start of what was received, interim ones passed over, or None when it is not whole yet.

    Raises:
        BadAnswer: it is no HTTP, or too long.
    """
    start = 0
    while True:
        end = _END.search(received, start)
        if end is None or end.end() > MOST_HEAD:
            _check_start(received, start)
            if len(received) >= MOST_HEAD:
                raise BadAnswer("head too long")
            return None
        found = _STATUS.match(received, start)
        if found is None:
            raise BadAnswer("no HTTP")
        status = int(found[2])
        if status not in _INTERIM or status == _SWITCHED:
            fields = bytes(received[found.end() - 1 : end.end()])
            return Head(status, end.end(), _body(status, fields, keeps=found[1] == b"1"))
        start = end.end()


def _check_start(received: bytes | bytearray, start: int) -> None:
    """Refuse at once what does not begin like HTTP: more of it would change nothing."""
    begun = bytes(received[start : start + len(_START)])
    if not _START.startswith(begun):
        raise BadAnswer("no HTTP")


def _body(status: int, fields: bytes, *, keeps: bool) -> int | None:
    if not keeps or status == _SWITCHED or _CLOSES.search(fields) or _SPLIT.search(fields):
        return None
    if status in {_NO_CONTENT, _NOT_MODIFIED}:
        return 0
    lengths = set(_LENGTH.findall(fields))
    if len(lengths) != 1:
        return None
    length = int(lengths.pop())
    return length if length <= MOST_BODY else None
