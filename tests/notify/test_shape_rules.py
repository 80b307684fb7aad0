"""The judges of the other shapes refuse what breaks a documented limit."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.notify.shape_rules import cloud_event, discord, mattermost, teams

ATTACHED = {"fallback": "f", "color": "#a30200", "text": "t"}
EMBED = {"title": "t", "description": "d", "color": 1}
NOBODY: Mapping[str, object] = {"allowed_mentions": {"parse": []}}
EVENT = {"id": "1", "source": "/a", "type": "t", "specversion": "1.0", "datacontenttype": "application/json"}


def card(**block: object) -> dict[str, object]:
    """A message with a card of one block."""
    whole = {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": "t"}], **block}
    inner = {"type": "Container", "style": "good", "bleed": True, "items": [whole]}
    content = {"type": "AdaptiveCard", "version": "1.4", "body": [inner]}
    kind = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": kind, "contentUrl": None, "content": content}]}


def test_what_is_documented_is_taken() -> None:
    """The least that each sink takes is not refused."""
    assert mattermost({"attachments": [ATTACHED]}) == mattermost({"text": "t"}) == []
    assert discord({"embeds": [EMBED], **NOBODY}) == discord({"content": "t", **NOBODY}) == []
    assert teams(card()) == []
    assert cloud_event(EVENT) == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"attachments": "x"},
        {"text": "t", "channel": "town-square"},
        {"text": "x" * 16_384},
        {"text": "\udc00"},
        {"attachments": [{**ATTACHED, "text": ""}]},
        {"attachments": [{**ATTACHED, "color": "red"}]},
        {"attachments": [{**ATTACHED, "pretext": "@all"}]},
    ],
)
def test_mattermost_refuses(body: Mapping[str, object]) -> None:
    """What Mattermost would not take as one post is refused."""
    assert mattermost(body)


@pytest.mark.parametrize(
    "body",
    [
        {**NOBODY},
        {"content": "t"},
        {"content": "x" * 2001, **NOBODY},
        {"embeds": [EMBED] * 11, **NOBODY},
        {"embeds": [{**EMBED, "title": "x" * 257}], **NOBODY},
        {"embeds": [{**EMBED, "description": "x" * 4097}], **NOBODY},
        {"embeds": [{**EMBED, "description": ""}], **NOBODY},
        {"embeds": [{**EMBED, "description": "x" * 4000, "footer": {"text": "x" * 2000}}], **NOBODY},
        {"embeds": [{**EMBED, "footer": {"text": "x" * 2049}}], **NOBODY},
        {"embeds": [{**EMBED, "url": "evil"}], **NOBODY},
        {"embeds": [{**EMBED, "timestamp": "now"}], **NOBODY},
        {"embeds": [{**EMBED, "color": "red"}], **NOBODY},
        {"embeds": [{"color": 1}], **NOBODY},
        {"embeds": [{**EMBED, "type": "video"}], **NOBODY},
    ],
)
def test_discord_refuses(body: Mapping[str, object]) -> None:
    """What Discord would not take, or what might mention somebody, is refused."""
    assert discord(body)


@pytest.mark.parametrize(
    "body",
    [
        {"type": "message"},
        {"text": "t"},
        card(type="TextBlock"),
        card(wrap=True),
        card(inlines=[{"type": "TextRun", "text": ""}]),
        card(inlines=[{"type": "TextRun", "text": "x" * 28 * 1024}]),
    ],
)
def test_teams_refuses(body: Mapping[str, object]) -> None:
    """What is no small Adaptive Card without markup is refused."""
    assert teams(body)


@pytest.mark.parametrize(
    "broken",
    [
        {"id": ""},
        {"source": "a b"},
        {"specversion": "0.3"},
        {"time": "1767000000"},
        {"Sequence": "1"},
        {"sequence": 1},
        {"sequence": ""},
        {"subject": "a\nb"},
        {"datacontenttype": "text/plain"},
    ],
)
def test_an_event_that_breaks_the_specification_is_refused(broken: Mapping[str, object]) -> None:
    """Each rule of CloudEvents refuses what breaks it."""
    assert cloud_event({**EVENT, **broken})
