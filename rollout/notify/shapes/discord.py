"""The shape for Discord: a webhook with one embed, coloured by level; nobody is ever mentioned.

Titles and descriptions of embeds are Markdown, so texts from outside are escaped. Documented:

- a title of 256, a description of 4,096, a footer of 2,048 characters, 6,000 in all embeds together, 10 embeds, 25
  fields: https://discord.com/developers/docs/resources/message#embed-object-embed-limits
- ``content`` of 2,000 characters: https://discord.com/developers/docs/resources/webhook#execute-webhook
- an empty ``parse`` mentions nobody: https://discord.com/developers/docs/resources/message#allowed-mentions-object
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rollout.notify.message import Kind, Level, Message, Notice
from rollout.notify.shapes.parts import BREAK, Body, encoded, footer, is_plain, line, listed, short_line
from rollout.notify.texts import escaped, rfc3339, width

COLORS = {Level.GOOD: 0x2EB886, Level.NEWS: 0x5B7083, Level.WARNING: 0xDAA038, Level.BAD: 0xA30200}
MOST_TITLE, MOST_DESCRIPTION, MOST_FOOTER, MOST_CONTENT, MOST_URL = 256, 4096, 200, 2000, 2048
MOST_LINE = 300

_SPECIAL = re.compile(r"[\\*_~`|<>#\[\]():@.+=\-]")
_NAMED = re.compile(r"([@:])(?=\S)")


def body(message: Message) -> Body:
    """Return the body for a webhook."""
    nobody: Body = {"parse": []}
    if is_plain(message):
        said = f"{message.title}\n{message.text}".strip()
        return {"content": escaped(said, MOST_CONTENT, escape=_escape), "allowed_mentions": nobody}
    return {"embeds": [_embed(message)], "allowed_mentions": nobody}


def _embed(message: Message) -> Body:
    embed: Body = {
        "title": escaped(message.title, MOST_TITLE, escape=_escape),
        "color": COLORS[message.level],
    }
    described = _description(message)
    if described:
        embed["description"] = described
    if message.kind is Kind.TRANSITION:
        embed |= _details(message.notices[0])
    return embed


def _details(notice: Notice) -> Body:
    link: Body = {"url": notice.link} if notice.link and width(notice.link) <= MOST_URL else {}
    below = escaped(footer(notice), MOST_FOOTER, escape=_broken)
    return {**link, "timestamp": rfc3339(notice.at), "footer": {"text": below}}


def _description(message: Message) -> str:
    if message.kind is not Kind.DIGEST:
        return escaped(message.text, MOST_DESCRIPTION, escape=_escape)
    return "\n".join(listed(message, (_linked_line, _line, _short_line), fits=_fits, last=_escape))


def _linked_line(notice: Notice) -> str:
    return " · ".join(filter(None, (_line(notice), _link(notice))))


def _line(notice: Notice) -> str:
    return escaped(line(notice), MOST_LINE, escape=_escape)


def _short_line(notice: Notice) -> str:
    return escaped(short_line(notice), MOST_LINE, escape=_escape)


def _fits(lines: Sequence[str]) -> bool:
    return sum(width(text) + 1 for text in lines) <= MOST_DESCRIPTION


def _link(notice: Notice) -> str:
    """Return our own link, empty without one; what could end the address early is percent-encoded."""
    address = encoded(notice.link, "()<>[]\\\"'`*_~|")
    return f"[Open]({address})" if address else ""


def _escape(text: str) -> str:
    return _SPECIAL.sub(r"\\\g<0>", text).replace("\\@", f"\\@{BREAK}").replace("\\:", f"\\:{BREAK}")


def _broken(text: str) -> str:
    return _NAMED.sub(rf"\1{BREAK}", text)
