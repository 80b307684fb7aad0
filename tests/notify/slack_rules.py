"""What Slack documents about messages, as a judge: ``refusals`` says everything in a body that Slack would not take.

It is stricter than Slack where the documents only advise: an unknown field, an unescaped ``<`` or a mention is refused,
``text`` is at most 4,000 characters, and all blocks of a message count together.

- blocks: https://docs.slack.dev/reference/block-kit/blocks
- text objects: https://docs.slack.dev/reference/block-kit/composition-objects/text-object
- messages and calls: https://docs.slack.dev/reference/methods/chat.postMessage
- escapes, links and dates: https://docs.slack.dev/messaging/formatting-message-text
- attachments: https://docs.slack.dev/legacy/legacy-messaging/legacy-secondary-message-attachments
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import chain

MOST_BLOCKS, MOST_ATTACHMENTS, MOST_TEXT = 50, 20, 4000

WEBHOOK = frozenset({"text", "blocks", "attachments", "thread_ts", "mrkdwn"})
POST = WEBHOOK | {"channel", "reply_broadcast", "unfurl_links", "unfurl_media"}
UPDATE = frozenset({"channel", "ts", "text", "blocks", "attachments"})

_TOKEN = re.compile(r"<(https?://[^\s|<>]+(\|[^<>|]+)?|!date\^\d{1,10}\^[^|<>^]+\|[^<>|]+)>")
_ENTITY = re.compile(r"&(amp|lt|gt);")
_TS = re.compile(r"\d{10}\.\d{6}")
_COLOR = re.compile(r"good|warning|danger|#[0-9a-fA-F]{6}")


def refusals(body: object, *, call: frozenset[str] = WEBHOOK) -> list[str]:
    """Return why Slack would refuse the body of a webhook (or of another call), one sentence each."""
    if not isinstance(body, dict):
        return ["the body is no object"]
    return [*_unsendable(body), *_fields(body, "body", call), *_message(body), *_required(body, call)]


def width(text: str) -> int:
    """Return the length in UTF-16 units, the larger of what may be counted."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _unsendable(body: Mapping[str, object]) -> Iterator[str]:
    try:
        json.dumps(body, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError) as error:
        yield f"the body is no JSON in UTF-8: {error}"


def _required(body: Mapping[str, object], call: frozenset[str]) -> Iterator[str]:
    if "channel" in call and not (isinstance(body.get("channel"), str) and body["channel"]):
        yield "channel is missing"
    for name in ("thread_ts", "ts"):
        if (name in body or name in call & {"ts"}) and not _TS.fullmatch(str(body.get(name, ""))):
            yield f"{name} is no timestamp"
    for name in ("mrkdwn", "reply_broadcast", "unfurl_links", "unfurl_media"):
        if name in body and not isinstance(body[name], bool):
            yield f"{name} is not true or false"
    if body.get("reply_broadcast") and "thread_ts" not in body:
        yield "reply_broadcast without thread_ts"


def _message(body: Mapping[str, object]) -> Iterator[str]:
    blocks, attachments = body.get("blocks", []), body.get("attachments", [])
    if not isinstance(blocks, list) or not isinstance(attachments, list):
        yield "blocks and attachments are lists"
        return
    text = body.get("text")
    if text is None and not blocks and not attachments:
        yield "no_text: a message needs text, blocks or attachments"
    if "text" in body:
        yield from _markup(text, "text", 1, MOST_TEXT)
    if len(attachments) > MOST_ATTACHMENTS:
        yield f"too many attachments: {len(attachments)}"
    inner = [attachment.get("blocks", []) for attachment in attachments if isinstance(attachment, dict)]
    every = [*blocks, *chain.from_iterable(part for part in inner if isinstance(part, list))]
    if len(every) > MOST_BLOCKS:
        yield f"too many blocks: {len(every)}"
    yield from chain.from_iterable(map(_block, every))
    yield from chain.from_iterable(map(_attachment, attachments))
    ids = [block["block_id"] for block in every if isinstance(block, dict) and "block_id" in block]
    if len(set(map(str, ids))) < len(ids):
        yield "a block_id is there twice"


def _attachment(attachment: object) -> Iterator[str]:
    if not isinstance(attachment, dict):
        yield "an attachment is no object"
        return
    yield from _fields(attachment, "attachment", frozenset({"blocks", "color", "fallback"}))
    if not isinstance(attachment.get("blocks"), list) or not attachment["blocks"]:
        yield "an attachment has no blocks"
    if "color" in attachment and not _COLOR.fullmatch(str(attachment["color"])):
        yield "color is no colour"
    if "fallback" in attachment:
        yield from _markup(attachment["fallback"], "fallback", 1, MOST_TEXT)


def _block(block: object) -> Iterator[str]:
    if not isinstance(block, dict) or block.get("type") not in _BLOCKS:
        yield f"invalid_blocks: unknown block {str(block)[:60]}"
        return
    if "block_id" in block:
        yield from _string(block["block_id"], "block_id", 1, 255)
    yield from _BLOCKS[block["type"]](block)


def _header(block: Mapping[str, object]) -> Iterator[str]:
    yield from _fields(block, "header", frozenset({"type", "text", "block_id"}))
    yield from _text(block.get("text"), "header text", 150, kinds=("plain_text",))


def _section(block: Mapping[str, object]) -> Iterator[str]:
    yield from _fields(block, "section", frozenset({"type", "text", "fields", "block_id", "accessory", "expand"}))
    if "text" not in block and "fields" not in block:
        yield "a section needs text or fields"
    if "text" in block:
        yield from _text(block["text"], "section text", 3000)
    if "fields" in block:
        yield from _list(block["fields"], "fields", 10)
        fields = block["fields"] if isinstance(block["fields"], list) else []
        yield from chain.from_iterable(_text(field, "field", 2000) for field in fields)
    if "accessory" in block:
        yield from _button(block["accessory"])


def _context(block: Mapping[str, object]) -> Iterator[str]:
    yield from _fields(block, "context", frozenset({"type", "elements", "block_id"}))
    yield from _list(block.get("elements"), "elements of a context", 10)
    elements = block.get("elements")
    for element in elements if isinstance(elements, list) else []:
        yield from _text(element, "context text", 3000)


def _actions(block: Mapping[str, object]) -> Iterator[str]:
    yield from _fields(block, "actions", frozenset({"type", "elements", "block_id"}))
    yield from _list(block.get("elements"), "elements of actions", 25)
    elements = block.get("elements")
    yield from chain.from_iterable(map(_button, elements if isinstance(elements, list) else []))


def _divider(block: Mapping[str, object]) -> Iterator[str]:
    yield from _fields(block, "divider", frozenset({"type", "block_id"}))


_BLOCKS: dict[str, Callable[[Mapping[str, object]], Iterator[str]]] = {
    "header": _header,
    "section": _section,
    "context": _context,
    "actions": _actions,
    "divider": _divider,
}


def _button(button: object) -> Iterator[str]:
    if not isinstance(button, dict) or button.get("type") != "button":
        yield f"unknown element {str(button)[:60]}"
        return
    known = {"type", "text", "action_id", "url", "value", "style", "accessibility_label"}
    yield from _fields(button, "button", frozenset(known))
    yield from _text(button.get("text"), "button text", 75, kinds=("plain_text",))
    for name, most in (("action_id", 255), ("url", 3000), ("value", 2000), ("accessibility_label", 75)):
        if name in button:
            yield from _string(button[name], name, 1, most)
    if button.get("style", "primary") not in {"primary", "danger"}:
        yield "style of a button is primary or danger"


def _text(text: object, where: str, most: int, *, kinds: tuple[str, ...] = ("plain_text", "mrkdwn")) -> Iterator[str]:
    if not isinstance(text, dict) or text.get("type") not in kinds:
        yield f"{where} is no text object of {' or '.join(kinds)}"
        return
    extra = "emoji" if text["type"] == "plain_text" else "verbatim"
    yield from _fields(text, where, frozenset({"type", "text", extra}))
    if not isinstance(text.get(extra, True), bool):
        yield f"{extra} is not true or false"
    if text["type"] == "mrkdwn":
        yield from _markup(text.get("text"), where, 1, most)
    else:
        yield from _plain(text.get("text"), where, most)


def _plain(text: object, where: str, most: int) -> Iterator[str]:
    yield from _string(text, where, 1, most)
    if re.search(r"[<>]|&(?!(amp|lt|gt);)", str(text)):
        yield f"{where} has a character that is not escaped"


def _markup(text: object, where: str, least: int, most: int) -> Iterator[str]:
    yield from _string(text, where, least, most)
    rest = _ENTITY.sub("", _TOKEN.sub(lambda match: _ENTITY.sub("", match[0])[1:-1], str(text)))
    if re.search(r"[<>&]", rest):
        yield f"{where} has a character that is not escaped, or a mention"


def _string(text: object, where: str, least: int, most: int) -> Iterator[str]:
    if not isinstance(text, str):
        yield f"{where} is no string"
    elif not least <= width(text) <= most:
        yield f"{where} has {width(text)} characters, not {least} to {most}"


def _list(value: object, where: str, most: int) -> Iterator[str]:
    if not isinstance(value, list) or not 1 <= len(value) <= most:
        yield f"{where} is no list of 1 to {most}"


def _fields(value: Mapping[str, object], where: str, known: frozenset[str]) -> Iterator[str]:
    for name in value:
        if name not in known:
            yield f"{where} has the unknown field {name}"
