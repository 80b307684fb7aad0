"""Nothing of a text from outside becomes markup, a mention or a link of its own in any sink."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from markdown_it import MarkdownIt

from rollout.notify.message import Kind, Level, Message
from rollout.notify.shapes import apprise, discord, mattermost, slack, teams
from rollout.notify.shapes.parts import BREAK
from tests.notify import made

pytestmark = pytest.mark.long

WITH_ENTITIES = MarkdownIt("commonmark", {"breaks": True}).enable(["table", "strikethrough"])
WITHOUT = MarkdownIt("commonmark", {"breaks": True}).enable(["table", "strikethrough"]).disable("entity")
TEXT = {"text", "softbreak", "paragraph_open", "paragraph_close", "inline"}
OURS = TEXT | {"strong_open", "strong_close", "link_open", "link_close"}
OURS_IN_SLACK = re.compile(r"<https?://[^\s|<>]+\|Open>|<!date\^\d+\^\{date_short_pretty\} \{time_secs\}\|[\d\-T:.]+Z>")
LINK = re.compile(r"\[Open\]\(https?://[!-~]+\)")
FOUND = re.compile(r"[@#:][^\s\u200b…*]")
"""What Mattermost takes for a mention, a hashtag, an emoji or an address by itself (no cut, no end of bold)."""

hostile = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def plain(text: str) -> Message:
    """A message that was left with its title and text only, short enough to be shown whole."""
    return Message("i", Kind.TRANSITION, "title", text, Level.NEWS)


def shown(markdown: MarkdownIt, text: str) -> str:
    """What Markdown shows of a text, in one line and without spaces of no width."""
    children = [child for token in markdown.parse(text) for child in token.children or []]
    said = "".join(" " if child.type == "softbreak" else child.content for child in children)
    return " ".join(said.replace(BREAK, "").split())


def tokens(markdown: MarkdownIt, text: str) -> set[str]:
    """The kinds of what a text consists of."""
    parsed = markdown.parse(text)
    return {token.type for token in (*parsed, *(child for token in parsed for child in token.children or []))}


def hrefs(text: str) -> list[str]:
    """Where the links of a text lead."""
    children = (child for token in WITHOUT.parse(text) for child in token.children or [])
    return [str(child.attrs["href"]) for child in children if child.type == "link_open"]


def parts(value: object) -> Iterator[dict[str, object]]:
    """All objects anywhere in a body."""
    if isinstance(value, dict):
        yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for one in inner:
        yield from parts(one)


def strings(body: object, name: str) -> list[str]:
    """All strings of this name anywhere in a body."""
    return [text for part in parts(body) if isinstance(text := part.get(name), str)]


@hostile
@given(text=made.lines)
def test_mattermost_shows_a_text_as_it_is(text: str) -> None:
    """What Mattermost shows of a text is the text: no emphasis, no link, no list, no heading."""
    told = str(mattermost.body(plain(text))["text"])

    assert tokens(WITH_ENTITIES, told) <= TEXT
    assert shown(WITH_ENTITIES, told) == f"title {text}".strip()


@hostile
@given(text=made.lines)
def test_discord_shows_a_text_as_it_is(text: str) -> None:
    """What Discord, which knows no entities, shows of a text is the text."""
    told = str(discord.body(plain(text))["content"])

    assert tokens(WITHOUT, told) <= TEXT
    assert shown(WITHOUT, told) == f"title {text}".strip()


@hostile
@given(message=made.messages)
def test_markdown_has_only_our_markup(message: Message) -> None:
    """In Markdown there is no markup but our bold title, and no link but ours."""
    in_mattermost = strings(mattermost.body(message), "text")
    in_discord = strings(discord.body(message), "description")
    links = [link for text in (*in_mattermost, *in_discord) for link in hrefs(text)]

    assert [found for text in in_mattermost for found in tokens(WITH_ENTITIES, text) - OURS] == []
    assert [found for text in in_discord for found in tokens(WITHOUT, text) - OURS] == []
    assert all(link.startswith(("https://rollouts.example/", "https://a.example/")) for link in links)


@hostile
@given(message=made.messages)
def test_slack_has_only_our_markup(message: Message) -> None:
    """All text objects are plain but our links and dates, and what a phone shows has no mention and no address."""
    body = slack.body(message)
    marked = [str(part["text"]) for part in parts(body) if part.get("type") == "mrkdwn"]

    assert [text for text in marked if not OURS_IN_SLACK.fullmatch(text)] == []
    assert re.findall(r"[<>]|[@:][^\s\u200b…]|\.[^\W\d]", str(body["text"])) == []


@hostile
@given(message=made.messages)
def test_nobody_is_mentioned_in_mattermost(message: Message) -> None:
    """No text has a name, a channel, a hashtag, an emoji or an address that Mattermost would find by itself."""
    texts = [LINK.sub("", text).replace("&#36;", "") for text in strings(mattermost.body(message), "text")]

    assert [found for text in texts for found in FOUND.findall(re.sub(r"\\(?!\\)", "", text))] == []


@hostile
@given(message=made.messages)
def test_a_card_evaluates_nothing(message: Message) -> None:
    """No text of a card has the braces of a function, and all stand where there is no Markdown."""
    body = teams.body(message)
    texts = [part["type"] for part in parts(body) if "text" in part]

    assert [text for text in strings(body, "text") if "{{" in text] == []
    assert set(texts) == {"TextRun"}


@pytest.mark.parametrize("braces", range(2, 9))
def test_many_braces_are_broken_too(braces: int) -> None:
    """Between any two of them."""
    assert [text for text in strings(teams.body(plain("{" * braces)), "text") if "{{" in text] == []


@hostile
@given(message=made.messages)
def test_apprise_mentions_nobody_and_leads_nowhere(message: Message) -> None:
    """Whatever service is behind it: no name, channel, tag, link of Markdown or address is left whole, but our link."""
    ours = message.notices[0].link if message.notices else ""
    told = "\n".join(str(text).replace(ours or "\0", "") for text in apprise.body(message).values())

    assert re.findall(r"[@#<~\]][^\s\u200b]|//|\w\.[^\W\d]", told) == []


def test_a_mention_through_apprise_reads_as_before() -> None:
    """What is broken cannot be seen."""
    told = str(apprise.body(plain("by @everyone <@123> [x](http://evil.example)"))["body"])

    assert "@everyone" not in told
    assert told.replace(BREAK, "") == "by @everyone <@123> [x](http://evil.example)"
