"""The shape for Teams: a message with one Adaptive Card, as webhooks of the Workflows app take it.

Texts from outside stand in ``RichTextBlock``, which knows no Markdown, so that they need no escapes; the one function
that cards evaluate in texts, ``{{DATE(...)}}``, is broken by a space without width. A card has no mention unless it
names one in ``msteams.entities``, which ours never have. Documented:

- only Adaptive Cards, at most 28 KB: https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using
- RichTextBlock has no Markdown: https://learn.microsoft.com/adaptive-cards/create/textfeatures
- its elements and properties: https://adaptivecards.io/explorer/RichTextBlock.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from rollout.notify.message import Kind, Level, Message, Notice
from rollout.notify.shapes.parts import BREAK, Body, footer, is_plain, line, listed, short_line
from rollout.notify.texts import cut, rfc3339

STYLES = {Level.GOOD: "good", Level.NEWS: "emphasis", Level.WARNING: "warning", Level.BAD: "attention"}
MOST_BYTES = 28 * 1024
MOST_LIST_BYTES = 20 * 1024
"""Kept for a list, in bytes of JSON in ASCII, in which a character has up to twelve: the rest is for what is around."""

MOST_LINE = 300

_BRACES = re.compile(r"\{(?=\{)")


def body(message: Message) -> Body:
    """Return the body for a webhook."""
    below = () if is_plain(message) else _details(message)
    title = _block(message.title, weight="Bolder", size="Medium")
    texts = [] if message.kind is Kind.DIGEST and not is_plain(message) else [_block(message.text)]
    items = [title, *(text for text in texts if message.text), *below]
    card: Body = {
        "type": "AdaptiveCard",
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "version": "1.4",
        "body": [{"type": "Container", "style": STYLES[message.level], "bleed": True, "items": items}],
    }
    links = [notice.link for notice in message.notices if notice.link and message.kind is Kind.TRANSITION]
    if links:
        card["actions"] = [{"type": "Action.OpenUrl", "title": "Open", "url": links[0]}]
    attached = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attached]}


def _details(message: Message) -> Sequence[Body]:
    if message.kind is Kind.DIGEST:
        return listed(message, (_line, _short_line), fits=_fits, last=_block)
    return [_block(f"{footer(notice)}, {rfc3339(notice.at)}", size="Small") for notice in message.notices]


def _line(notice: Notice) -> Body:
    return _block(cut(line(notice), MOST_LINE))


def _short_line(notice: Notice) -> Body:
    return _block(short_line(notice))


def _fits(blocks: Sequence[Body]) -> bool:
    return len(json.dumps(blocks)) <= MOST_LIST_BYTES


def _block(text: str, **look: str) -> Body:
    run = {"type": "TextRun", "text": _BRACES.sub(f"{{{BREAK}", text), **look}
    return {"type": "RichTextBlock", "inlines": [run]}
