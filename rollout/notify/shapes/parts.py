"""What the shapes have in common: when a message is plain, what a list shows of each notice, how much of it fits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias, TypeVar

from rollout.notify.message import Kind, Level, Message, Notice
from rollout.notify.notices import MOST_LISTED, title_of

Body: TypeAlias = dict[str, object]
"""A JSON object."""

Row = TypeVar("Row")
"""A line of a list, as the sink takes it."""

MARKS = {Level.GOOD: "✓", Level.NEWS: "•", Level.WARNING: "!", Level.BAD: "✗"}
"""How a line of a list begins, which has no colour of its own."""

BREAK = "\u200b"
"""A space without width: what it stands in is seen as before, and is no mention, link or emoji any more."""


def is_plain(message: Message) -> bool:
    """Return whether the message was left with its title and text only."""
    return message.kind in {Kind.TRANSITION, Kind.DIGEST} and not message.notices


def footer(notice: Notice) -> str:
    """Return which transition it is, and into which phase."""
    return f"{notice.phase}, transition {notice.number}"


def line(notice: Notice) -> str:
    """Return what a list says of a notice, uncut."""
    return f"{MARKS[notice.level]} {title_of(notice)}. {notice.message}".rstrip(". ")


def short_line(notice: Notice) -> str:
    """Return the least that a list says of a notice."""
    return f"{MARKS[notice.level]} {title_of(notice)}"


def listed(
    message: Message,
    renditions: Sequence[Callable[[Notice], Row]],
    *,
    fits: Callable[[Sequence[Row]], bool],
    last: Callable[[str], Row],
) -> tuple[Row, ...]:
    """Return the rows of a list in the first rendition in which all fit, else as many of the last one as fit.

    A list has at most 40 rows; the one after them, made by ``last``, says how many more there are, if any.
    """
    told = message.notices[:MOST_LISTED]
    beyond = len(message.notices) - len(told) + message.more
    rows: tuple[Row, ...] = ()
    for rendition in renditions:
        rows = tuple(map(rendition, told))
        whole = _ended(rows, beyond, last=last)
        if fits(whole):
            return whole
    cuts = (_ended(rows[:amount], beyond + len(rows) - amount, last=last) for amount in range(len(rows) - 1, -1, -1))
    return next(filter(fits, cuts), ())


def encoded(address: str, unwanted: str) -> str:
    """Return an address with the ``unwanted`` characters percent-encoded."""
    return "".join(f"%{ord(letter):02X}" if letter in unwanted else letter for letter in address)


def _ended(rows: tuple[Row, ...], beyond: int, *, last: Callable[[str], Row]) -> tuple[Row, ...]:
    return (*rows, last(f"and {beyond} more")) if beyond else rows
