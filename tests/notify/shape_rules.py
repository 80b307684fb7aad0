"""What Mattermost, Discord, Teams and CloudEvents document about a body, as judges: each says what would be refused.

- https://developers.mattermost.com/integrate/reference/message-attachments
- https://discord.com/developers/docs/resources/message#embed-object-embed-limits
- https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using
- https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from tests.notify.slack_rules import width

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_URL = re.compile(r"https?://[!-~]+")
_URI_REFERENCE = re.compile(r"([A-Za-z0-9\-._~!$&'()*+,;=:@/?]|%[0-9A-F]{2})+")
_BLOCK = {"type", "inlines"}
_RUN = {"type", "text", "weight", "size"}


def mattermost(body: Mapping[str, object]) -> list[str]:
    """Return why Mattermost would refuse the body, or cut it in parts."""
    return [*_unsendable(body), *_fields(body, {"text", "attachments"}), *_mattermost(body)]


def discord(body: Mapping[str, object]) -> list[str]:
    """Return why Discord would refuse the body, or mention somebody."""
    return [*_unsendable(body), *_fields(body, {"content", "embeds", "allowed_mentions"}), *_discord(body)]


def teams(body: Mapping[str, object]) -> list[str]:
    """Return why a webhook of Workflows would refuse the body."""
    return [*_unsendable(body), *_fields(body, {"type", "attachments"}), *_teams(body)]


def cloud_event(body: Mapping[str, object]) -> list[str]:
    """Return why the body is no CloudEvent 1.0 in structured mode."""
    return [*_unsendable(body), *_cloud_event(body)]


def _unsendable(body: Mapping[str, object]) -> Iterator[str]:
    try:
        json.dumps(body, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError) as error:
        yield f"no JSON in UTF-8: {error}"


def _mattermost(body: Mapping[str, object]) -> Iterator[str]:
    attachments = body.get("attachments", [])
    if not isinstance(attachments, list) or not (attachments or body.get("text")):
        yield "needs text or attachments"
        return
    said = [body.get("text", ""), *(text for attachment in attachments for text in attachment.values())]
    if sum(width(str(text)) for text in said) > 16_383:
        yield "longer than a post"
    for attachment in attachments:
        yield from _fields(attachment, {"fallback", "color", "text"})
        if not attachment.get("fallback") or not attachment.get("text"):
            yield "an attachment needs fallback and text"
        if not re.fullmatch(r"#[0-9a-f]{6}", attachment.get("color", "")):
            yield "color is no colour"


def _discord(body: Mapping[str, object]) -> Iterator[str]:
    embeds = body.get("embeds", [])
    if body.get("allowed_mentions") != {"parse": []}:
        yield "may mention somebody"
    if not isinstance(embeds, list) or len(embeds) > 10 or not (embeds or body.get("content")):
        yield "needs content or up to 10 embeds"
        return
    if "content" in body:
        yield from _length(body["content"], "content", 2000)
    for embed in embeds:
        yield from _embed(embed)
    said = (part for embed in embeds for part in (embed.get("title"), embed.get("description"), *_footers(embed)))
    if sum(width(str(part or "")) for part in said) > 6000:
        yield "more than 6,000 characters in all"


def _embed(embed: Mapping[str, object]) -> Iterator[str]:
    yield from _fields(embed, {"title", "description", "url", "color", "timestamp", "footer"})
    for name, most in (("title", 256), ("description", 4096), ("url", 2048)):
        if name in embed:
            yield from _length(embed[name], name, most)
    for text in _footers(embed):
        yield from _length(text, "footer", 2048)
    if "url" in embed and not _URL.fullmatch(str(embed["url"])):
        yield "url is no address"
    if "timestamp" in embed and not _TIME.fullmatch(str(embed["timestamp"])):
        yield "timestamp is no time"
    if not isinstance(embed.get("color"), int):
        yield "color is no number"
    if "title" not in embed and "description" not in embed:
        yield "an embed shows nothing"


def _footers(embed: Mapping[str, object]) -> list[object]:
    footer = embed.get("footer")
    return [footer.get("text")] if isinstance(footer, dict) else []


def _teams(body: Mapping[str, object]) -> Iterator[str]:
    if len(json.dumps(body)) > 28 * 1024:
        yield "longer than 28 KB"
    attachments = body.get("attachments")
    if body.get("type") != "message" or not isinstance(attachments, list) or len(attachments) != 1:
        yield "is no message with one attachment"
        return
    attached = attachments[0]
    yield from _fields(attached, {"contentType", "contentUrl", "content"})
    if attached.get("contentType") != "application/vnd.microsoft.card.adaptive" or attached.get("contentUrl"):
        yield "is no Adaptive Card"
    card = attached.get("content", {})
    yield from _fields(card, {"type", "$schema", "version", "body", "actions"})
    if (card.get("type"), card.get("version")) != ("AdaptiveCard", "1.4"):
        yield "is no card of version 1.4"
    for element in card.get("body", []):
        yield from _container(element)
    for action in card.get("actions", []):
        yield from _fields(action, {"type", "title", "url"})
        if action.get("type") != "Action.OpenUrl" or not _URL.fullmatch(str(action.get("url"))):
            yield "an action opens no address"


def _container(element: Mapping[str, object]) -> Iterator[str]:
    yield from _fields(element, {"type", "style", "bleed", "items"})
    if element.get("style") not in {"default", "emphasis", "good", "attention", "warning", "accent"}:
        yield "style of a container is unknown"
    items = element.get("items")
    if element.get("type") != "Container" or not isinstance(items, list) or not items:
        yield "a container holds nothing"
        return
    for block in items:
        yield from _fields(block, _BLOCK)
        if block.get("type") != "RichTextBlock":
            yield "a text may have markup"
        for run in block.get("inlines", []):
            yield from _fields(run, _RUN)
            yield from _length(run.get("text"), "text", 28 * 1024)


def _cloud_event(body: Mapping[str, object]) -> Iterator[str]:
    for name in ("id", "source", "type", "specversion"):
        if not isinstance(body.get(name), str) or not body[name]:
            yield f"{name} is missing"
    for name in body.keys() - {"data"}:
        yield from _attribute(name, body[name])
    if body.get("specversion") != "1.0" or body.get("datacontenttype") != "application/json":
        yield "is of another version or type of content"
    if not _URI_REFERENCE.fullmatch(str(body.get("source"))):
        yield "source is no URI-reference"
    if "time" in body and not _TIME.fullmatch(str(body["time"])):
        yield "time is no RFC 3339"
    if body.get("subject") == "" or body.get("sequence") == "":
        yield "subject or sequence is empty"


def _attribute(name: str, value: object) -> Iterator[str]:
    if not re.fullmatch(r"[a-z0-9]{1,20}", name):
        yield f"{name} is no name of an attribute"
    if not isinstance(value, str) or re.search(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]", value):
        yield f"{name} is no string, or has a control character"


def _length(text: object, where: str, most: int) -> Iterator[str]:
    if not isinstance(text, str) or not 1 <= width(text) <= most:
        yield f"{where} is no text of 1 to {most}"


def _fields(value: Mapping[str, object], known: set[str]) -> Iterator[str]:
    for name in value:
        if name not in known:
            yield f"has the unknown field {name}"
