"""The judge of Slack's rules refuses what Slack would, and takes what its documents show."""

from __future__ import annotations

import pytest

from tests.notify.slack_rules import POST, UPDATE, refusals


def plain(text: str, **more: object) -> dict[str, object]:
    """A text object of type plain_text."""
    return {"type": "plain_text", "text": text, **more}


def mrkdwn(text: str, **more: object) -> dict[str, object]:
    """A text object of type mrkdwn."""
    return {"type": "mrkdwn", "text": text, **more}


def section(**fields: object) -> dict[str, object]:
    """A section block."""
    return {"type": "section", **fields}


def button(**more: object) -> dict[str, object]:
    """A button in a block of actions."""
    return {"type": "actions", "elements": [{"type": "button", "text": plain("Go"), "action_id": "go", **more}]}


GOOD = (
    {"text": "Hello"},
    {"blocks": [{"type": "header", "text": plain("x" * 150, emoji=True)}]},
    {"text": "a &amp; b", "blocks": [section(text=mrkdwn("<https://a.example/?x=1&amp;y=2|Open> *b*", verbatim=True))]},
    {"blocks": [section(fields=[plain("x" * 2000)] * 10)]},
    {"blocks": [{"type": "context", "elements": [mrkdwn("<!date^1392734382^{date_short}|then>")] * 10}]},
    {"blocks": [{"type": "divider", "block_id": "a"}, button(url="https://a.example", style="danger", value="v")]},
    {
        "text": "x",
        "mrkdwn": False,
        "attachments": [{"color": "#a30200", "fallback": "f", "blocks": [section(text=plain("a"))]}],
    },
    {"blocks": [{"type": "divider"}] * 50},
)

BAD = {
    "no object": ["text"],
    "nothing to show": {"mrkdwn": True},
    "unknown field": {"text": "a", "colour": "red"},
    "long text": {"text": "x" * 4001},
    "empty text": {"text": ""},
    "no string": {"text": 3},
    "channel mention": {"text": "<!channel> look"},
    "user mention": {"text": "<@U024BE7LH>"},
    "bare bracket": {"text": "a < b"},
    "bare ampersand": {"text": "a & b"},
    "no UTF-8": {"text": "\ud800"},
    "no JSON": {"text": "a", "blocks": [{"type": "divider", "block_id": {1}}]},
    "blocks no list": {"blocks": {}},
    "unknown block": {"blocks": [{"type": "markdown", "text": "a"}]},
    "block no object": {"blocks": ["a"]},
    "51 blocks": {"blocks": [{"type": "divider"}] * 51},
    "51 blocks in all": {
        "blocks": [{"type": "divider"}],
        "attachments": [{"blocks": [{"type": "divider"}] * 25}, {"blocks": [{"type": "divider"}] * 25}],
    },
    "two of one id": {"blocks": [{"type": "divider", "block_id": "a"}] * 2},
    "long id": {"blocks": [{"type": "divider", "block_id": "a" * 256}]},
    "long header": {"blocks": [{"type": "header", "text": plain("x" * 151)}]},
    "header of two units each": {"blocks": [{"type": "header", "text": plain("😀" * 76)}]},
    "header in mrkdwn": {"blocks": [{"type": "header", "text": mrkdwn("x")}]},
    "header without text": {"blocks": [{"type": "header"}]},
    "empty section": {"blocks": [section()]},
    "long section": {"blocks": [section(text=plain("x" * 3001))]},
    "section as string": {"blocks": [section(text="x")]},
    "empty section text": {"blocks": [section(text=plain(""))]},
    "eleven fields": {"blocks": [section(fields=[plain("x")] * 11)]},
    "no fields": {"blocks": [section(fields=[])]},
    "fields no list": {"blocks": [section(fields="x")]},
    "long field": {"blocks": [section(fields=[plain("x" * 2001)])]},
    "unknown accessory": {"blocks": [section(text=plain("x"), accessory={"type": "image"})]},
    "unescaped plain text": {"blocks": [section(text=plain("<b>"))]},
    "verbatim plain text": {"blocks": [section(text=plain("x", verbatim=True))]},
    "emoji in mrkdwn": {"blocks": [section(text=mrkdwn("x", emoji=True))]},
    "emoji a word": {"blocks": [section(text=plain("x", emoji="yes"))]},
    "eleven elements": {"blocks": [{"type": "context", "elements": [plain("x")] * 11}]},
    "no elements": {"blocks": [{"type": "context", "elements": []}]},
    "context without elements": {"blocks": [{"type": "context"}]},
    "26 buttons": {"blocks": [{"type": "actions", "elements": [{"type": "button", "text": plain("Go")}] * 26}]},
    "long button": {"blocks": [button(text=plain("x" * 76))]},
    "long address": {"blocks": [button(url="https://a.example/" + "x" * 3000)]},
    "style": {"blocks": [button(style="good")]},
    "divider with text": {"blocks": [{"type": "divider", "text": plain("x")}]},
    "21 attachments": {"attachments": [{"blocks": [{"type": "divider"}]}] * 21},
    "attachment no object": {"attachments": ["x"]},
    "attachment without blocks": {"attachments": [{"color": "good"}]},
    "attachment with markup": {"attachments": [{"blocks": [{"type": "divider"}], "pretext": "<!here>"}]},
    "colour": {"attachments": [{"blocks": [{"type": "divider"}], "color": "red"}]},
    "fallback": {"attachments": [{"blocks": [{"type": "divider"}], "fallback": "<!here>"}]},
    "mrkdwn a word": {"text": "x", "mrkdwn": "no"},
    "thread of words": {"text": "x", "thread_ts": "yesterday"},
    "channel in a webhook": {"text": "x", "channel": "C1"},
}


@pytest.mark.parametrize("body", GOOD)
def test_what_is_documented_is_taken(body: dict[str, object]) -> None:
    """A body at the limits of the documents is not refused."""
    assert refusals(body) == []


@pytest.mark.parametrize("body", BAD.values(), ids=list(BAD))
def test_what_breaks_a_rule_is_refused(body: object) -> None:
    """Each rule refuses what breaks it."""
    assert refusals(body)


@pytest.mark.parametrize(
    ("body", "call"),
    [
        ({"text": "x"}, POST),
        ({"text": "x", "channel": "C1", "reply_broadcast": True}, POST),
        ({"text": "x", "channel": "C1", "ts": "1503435956.000247"}, POST),
        ({"text": "x", "channel": "C1"}, UPDATE),
        ({"text": "x", "channel": "C1", "ts": "1503435956.000247", "mrkdwn": False}, UPDATE),
    ],
)
def test_a_call_needs_its_arguments(body: dict[str, object], call: frozenset[str]) -> None:
    """A call without its channel or timestamp, or with an argument of another call, is refused."""
    assert refusals(body, call=call)


@pytest.mark.parametrize(
    ("body", "call"),
    [
        ({"text": "x", "channel": "C1", "thread_ts": "1503435956.000247", "reply_broadcast": True}, POST),
        ({"text": "x", "channel": "C1", "ts": "1503435956.000247", "blocks": [], "attachments": []}, UPDATE),
    ],
)
def test_a_call_with_its_arguments_is_taken(body: dict[str, object], call: frozenset[str]) -> None:
    """An answer in a thread and an update are taken."""
    assert refusals(body, call=call) == []
