"""The shape for Mattermost: an incoming webhook with one attachment, coloured by level.

Attachments are Markdown and may mention people, so texts from outside are escaped, and what has no escape (mentions,
channels, hashtags, emoji, addresses, a line of ``=`` below a title) is broken by a space without width. ``title`` of an
attachment is Markdown or not, depending on whether it has a link; so the title is the first line of the text.
Documented:

- attachments: https://developers.mattermost.com/integrate/reference/message-attachments
- a post has at most 16,383 characters: https://developers.mattermost.com/integrate/webhooks/incoming/
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rollout.notify.message import Kind, Level, Message, Notice
from rollout.notify.shapes.parts import BREAK, Body, encoded, footer, is_plain, line, listed, short_line
from rollout.notify.texts import escaped, rfc3339, width

COLORS = {Level.GOOD: "#2eb886", Level.NEWS: "#5b7083", Level.WARNING: "#daa038", Level.BAD: "#a30200"}
MOST_POST = 16_383
MOST_TITLE, MOST_TEXT, MOST_LINE, MOST_LINK, MOST_LIST, MOST_FALLBACK = 600, 8000, 500, 2500, 12_000, 2000

_SPECIAL = re.compile(r"[\\`*{}\[\]()#+\-.!_>|~]")
_NAMED = re.compile(r"(?<=[@#~:])(?=\S)|^(?==)", re.MULTILINE)
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", "$": "&#36;"})


def body(message: Message) -> Body:
    """Return the body for an incoming webhook."""
    if is_plain(message):
        return {"text": f"{_escaped(message.title, MOST_TITLE)}\n{_escaped(message.text, MOST_TEXT)}".strip()}
    told = "\n".join(filter(None, (f"**{_escaped(message.title, MOST_TITLE)}**", *_details(message))))
    plain = escaped(f"{message.title}. {message.text}", MOST_FALLBACK, escape=_broken)
    return {"attachments": [{"fallback": plain, "color": COLORS[message.level], "text": told}]}


def _details(message: Message) -> tuple[str, ...]:
    if message.kind is Kind.DIGEST:
        return listed(message, (_linked_line, _line, _short_line), fits=_fits, last=_escape)
    below = tuple(_footer(notice) for notice in message.notices)
    return (_escaped(message.text, MOST_TEXT) if message.text else "", *below)


def _footer(notice: Notice) -> str:
    said = f"{_escaped(footer(notice), MOST_LINE)}, {_escape(rfc3339(notice.at))}"
    return " · ".join(filter(None, (said, _link(notice))))


def _linked_line(notice: Notice) -> str:
    return " · ".join(filter(None, (_line(notice), _link(notice))))


def _line(notice: Notice) -> str:
    return _escaped(line(notice), MOST_LINE)


def _short_line(notice: Notice) -> str:
    return _escaped(short_line(notice), MOST_LINE)


def _fits(lines: Sequence[str]) -> bool:
    return sum(width(text) + 1 for text in lines) <= MOST_LIST


def _link(notice: Notice) -> str:
    """Return our own link, empty without one; what could end the address early is percent-encoded."""
    address = encoded(notice.link, "()<>[]{}\\\"'`*_~|$")
    return f"[Open]({address})" if address and width(address) <= MOST_LINK else ""


def _escaped(text: str, most: int) -> str:
    return escaped(text, most, escape=_escape)


def _escape(text: str) -> str:
    return _SPECIAL.sub(r"\\\g<0>", _broken(text)).translate(_ENTITIES)


def _broken(text: str) -> str:
    return _NAMED.sub(BREAK, text)
