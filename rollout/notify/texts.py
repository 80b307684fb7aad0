"""Text from outside made safe to count and to cut: one line, without control characters, of a length that fits.

What of it would be markup is not decided here: each shape of ``rollout.notify.shapes`` escapes for its own sink.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise

_LAST = 253_402_300_799.0
"""The last second of the year 9999, which RFC 3339 can still tell."""

_LONE = re.compile("[\ud800-\udfff]")
_TURNS = re.compile("[\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
"""What is not seen, or turns the direction of what follows: a name could pass for another one by it."""

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


def one_line(text: str) -> str:
    """Return ``text`` as one line: control characters and runs of white space are one space, invisible ones gone."""
    seen = _TURNS.sub("", _LONE.sub("\ufffd", text))
    return " ".join(_CONTROL.sub(" ", seen).split())


def lines(text: str) -> str:
    """Return ``text`` with each of its lines as ``one_line`` has it, less the empty ones."""
    return "\n".join(filter(None, map(one_line, text.split("\n"))))


def width(text: str) -> int:
    """Return the length in UTF-16 units, which is what a sink may count; it is never below that in characters."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def cut(text: str, most: int) -> str:
    """Return ``text`` in at most ``most`` (1 or more) UTF-16 units, with an ellipsis where something is left out."""
    return escaped(text, most, escape=str)


def escaped(text: str, most: int, *, escape: Callable[[str], str]) -> str:
    """Return ``text`` escaped, in at most ``most`` (1 or more) UTF-16 units: nothing escaped is ever cut in two.

    ``escape`` never makes a text shorter.
    """
    head = text[: most + 1]
    whole = escape(head)
    if width(whole) <= most:
        return whole
    fits = bisect_right(range(len(head)), most - 1, key=lambda length: width(escape(head[:length]))) - 1
    return f"{escape(head[:fits])}…"


def in_words(name: str) -> str:
    """Return a CamelCase name as words: ``StepStarted`` is ``Step started``."""
    starts = [0, *(at for at, letter in enumerate(name) if at and letter.isupper()), len(name)]
    words = [name[start:end] for start, end in pairwise(starts)]
    return " ".join([*words[:1], *map(str.lower, words[1:])])


def rfc3339(at: float) -> str:
    """Return Unix seconds as RFC 3339 in UTC, to the millisecond."""
    when = datetime.fromtimestamp(min(max(at, 0.0), _LAST), UTC)
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")
