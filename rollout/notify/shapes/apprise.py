"""The shape for Apprise: a title and a body, in text, of which nobody knows where it will be read.

It may be an e-mail, or a chat that takes text for its own markup. So what would mention somebody or lead somewhere is
broken by a space without width: names, channels, tags, links of Markdown, addresses with a scheme and without. The
operator's own link stays as it is. That a star makes something bold somewhere is let be.
"""

from __future__ import annotations

import re

from rollout.notify.message import Message
from rollout.notify.shapes.parts import BREAK, Body

_MARKED = re.compile(r"(?<=[@#<~\]&])(?=[^\s\u200b])|(?<=/)(?=/)|(?<=\w\.)(?=[^\W\d])")


def body(message: Message) -> Body:
    """Return what Apprise is given."""
    ours = message.notices[0].link if message.notices else ""
    return {"title": _broken(message.title, ours), "body": _broken(message.text, ours)}


def _broken(text: str, ours: str) -> str:
    parts = text.split(ours) if ours else [text]
    return ours.join(_MARKED.sub(BREAK, part) for part in parts)
