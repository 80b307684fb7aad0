"""The shape for Slack: incoming webhooks, and the calls ``chat.postMessage`` and ``chat.update`` of a bot.

The title is a header block, all else stands in an attachment, which alone can have a colour; ``text`` is what a
notification on a phone shows. Texts from outside are ``plain_text``, where Slack knows no markup; the only ``mrkdwn``
is our own: a link and a date. Limits, as documented:

- at most 50 blocks in a message, header 150 characters: https://docs.slack.dev/reference/block-kit/blocks/header-block
- section text 3,000 characters: https://docs.slack.dev/reference/block-kit/blocks/section-block
- context 10 elements: https://docs.slack.dev/reference/block-kit/blocks/context-block
- text objects 1 to 3,000 characters: https://docs.slack.dev/reference/block-kit/composition-objects/text-object
- ``text`` best below 4,000 characters, cut after 40,000: https://docs.slack.dev/reference/methods/chat.postMessage
- colour and ``fallback`` of attachments: https://docs.slack.dev/legacy/legacy-messaging/legacy-secondary-message-attachments
- ``&``, ``<`` and ``>`` are escaped, and nothing else: https://docs.slack.dev/messaging/formatting-message-text
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from rollout.notify.message import Kind, Level, Message, Notice
from rollout.notify.shapes.parts import BREAK, Body, encoded, footer, is_plain, line, listed, short_line
from rollout.notify.texts import escaped, rfc3339, width

COLORS = {Level.GOOD: "#2eb886", Level.NEWS: "#5b7083", Level.WARNING: "#daa038", Level.BAD: "#a30200"}
MOST_HEADER, MOST_TEXT, MOST_LINE, MOST_LINK, MOST_FALLBACK = 150, 3000, 300, 2900, 3900
MOST_LIST = 24_000
"""In characters of JSON; how much blocks may be together is not documented, only that they can be too long."""

LAST_DATE = 4_102_444_800.0
"""The year 2100: Slack shows a date by itself up to here."""


_CONTROL = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_NAMED = re.compile(r"(?<=[@:*_~`])(?=\S)|(?<=\.)(?=[^\W\d])")


def body(message: Message) -> Body:
    """Return the body for an incoming webhook; all that ``chat.postMessage`` takes but the channel and the thread."""
    if is_plain(message):
        return {"text": _fallback(message), "mrkdwn": False}
    return {
        "text": _fallback(message),
        "mrkdwn": False,
        "blocks": [{"type": "header", "text": _plain(message.title, MOST_HEADER)}],
        "attachments": [{"color": COLORS[message.level], "blocks": _details(message)}],
    }


def root(message: Message, *, channel: str) -> Body:
    """Return the call of ``chat.postMessage`` that begins a thread, or is a message of its own."""
    return {**body(message), "channel": channel, "unfurl_links": False, "unfurl_media": False}


def answer(message: Message, *, channel: str, root: str) -> Body:
    """Return the call of ``chat.postMessage`` that answers to ``root`` (its ``ts``), in the channel too if bad."""
    loud = message.level in {Level.WARNING, Level.BAD}
    posted = {"channel": channel, "unfurl_links": False, "unfurl_media": False}
    return {**body(message), **posted, "thread_ts": root, "reply_broadcast": loud}


def update(message: Message, *, channel: str, root: str) -> Body:
    """Return the call of ``chat.update`` that lets ``root`` (its ``ts``) say what ``message`` says.

    What a call leaves out stays as it was, so a plain one empties what the message had before.
    """
    said = {name: value for name, value in body(message).items() if name != "mrkdwn"}
    return {"blocks": [], "attachments": [], **said, "channel": channel, "ts": root}


def _details(message: Message) -> list[Body]:
    if message.kind is Kind.DIGEST:
        return _list(message)
    blocks: list[Body] = []
    if message.text:
        blocks.append({"type": "section", "text": _plain(message.text, MOST_TEXT)})
    blocks.extend(_footer(notice) for notice in message.notices)
    return blocks


def _list(message: Message) -> list[Body]:
    return list(listed(message, (_linked_line, _line, _short_line), fits=_fits, last=_last))


def _linked_line(notice: Notice) -> Body:
    return _context(_plain(line(notice), MOST_LINE), *_links(notice))


def _line(notice: Notice) -> Body:
    return _context(_plain(line(notice), MOST_LINE))


def _short_line(notice: Notice) -> Body:
    return _context(_plain(short_line(notice), MOST_LINE))


def _last(text: str) -> Body:
    return _context(_plain(text, MOST_LINE))


def _fits(blocks: Sequence[Body]) -> bool:
    return len(json.dumps(blocks)) <= MOST_LIST


def _footer(notice: Notice) -> Body:
    at = int(min(max(notice.at, 0.0), LAST_DATE))
    when = f"<!date^{at}^{{date_short_pretty}} {{time_secs}}|{rfc3339(notice.at)}>"
    dated: Body = {"type": "mrkdwn", "text": when, "verbatim": True}
    return _context(_plain(footer(notice), MOST_LINE), dated, *_links(notice))


def _context(*elements: Body) -> Body:
    return {"type": "context", "elements": list(elements)}


def _plain(text: str, most: int) -> Body:
    return {"type": "plain_text", "text": escaped(text, most, escape=_escape), "emoji": False}


def _links(notice: Notice) -> list[Body]:
    """Return our own link, if there is one; what could end the address early is percent-encoded."""
    address = encoded(notice.link, "|<>").replace("&", "&amp;")
    return (
        [{"type": "mrkdwn", "text": f"<{address}|Open>", "verbatim": True}] if 0 < width(address) <= MOST_LINK else []
    )


def _escape(text: str) -> str:
    return text.translate(_CONTROL)


def _fallback(message: Message) -> str:
    said = f"{message.title}\n{message.text}".strip()
    return escaped(said, MOST_FALLBACK, escape=lambda text: _NAMED.sub(BREAK, _escape(text)))
