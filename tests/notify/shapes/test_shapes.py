"""What each sink shows of a message: the title, the sentence, the colour, the link; and what a bot is told to do."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from rollout.analysis.reasons import Reason as Judged
from rollout.engine.table import Phase
from rollout.notify.message import Kind, Level, Message, Notice
from rollout.notify.shapes import body, cloud_events, discord, mattermost, slack, teams
from rollout.notify.shapes.parts import listed
from rollout.notify.sinks import SinkKind
from tests.notify.made import KEY, Made, message, notice

BAD = notice(Judged.EVIDENCE_OF_ERRORS, Phase.ABORTED, message="12 of 100 requests failed.", step=0)
SAID = "12 of 100 requests failed. Attempt 3, weights checkout-v1 90, checkout-v2 10."
LINK = "https://rollouts.example/shop/checkout?why=12%20of%20100%20requests%20failed."
CHAT = (SinkKind.SLACK, SinkKind.MATTERMOST, SinkKind.DISCORD, SinkKind.TEAMS)


def test_slack_shows_title_sentence_place_and_link() -> None:
    """A message for Slack is a header, and an attachment in the colour of its level."""
    told = slack.body(message(Made.ALONE, BAD))
    context = [
        {"type": "plain_text", "text": "Aborted, transition 7", "emoji": False},
        {
            "type": "mrkdwn",
            "text": "<!date^1767000000^{date_short_pretty} {time_secs}|2025-12-29T09:20:00.250Z>",
            "verbatim": True,
        },
        {"type": "mrkdwn", "text": f"<{LINK}|Open>", "verbatim": True},
    ]
    title = {"type": "plain_text", "text": "shop/checkout: Aborted (evidence of errors)", "emoji": False}

    assert told["blocks"] == [{"type": "header", "text": title}]
    assert told["attachments"] == [
        {
            "color": "#a30200",
            "blocks": [
                {"type": "section", "text": {"type": "plain_text", "text": SAID, "emoji": False}},
                {"type": "context", "elements": context},
            ],
        }
    ]


def test_mattermost_shows_title_sentence_place_and_link() -> None:
    """A message for Mattermost is one attachment whose first line is the title, in bold."""
    (attached,) = attachments(mattermost.body(message(Made.ALONE, BAD)))

    assert attached["color"] == "#a30200"
    assert str(attached["text"]).startswith("**shop/checkout: Aborted \\(evidence of errors\\)**\n12 of 100 requests")
    assert str(attached["text"]).endswith(f" · [Open]({LINK})")


def test_discord_shows_title_sentence_place_and_link() -> None:
    """A message for Discord is one embed, and mentions nobody."""
    told = discord.body(message(Made.ALONE, BAD))

    assert told["allowed_mentions"] == {"parse": []}
    assert told["embeds"] == [
        {
            "title": "shop/checkout\\:\u200b Aborted \\(evidence of errors\\)",
            "color": 0xA30200,
            "description": SAID.replace(".", "\\.").replace("-", "\\-"),
            "url": LINK,
            "timestamp": "2025-12-29T09:20:00.250Z",
            "footer": {"text": "Aborted, transition 7"},
        }
    ]


def test_teams_shows_title_sentence_place_and_link() -> None:
    """A message for Teams is one card with an action that opens the link."""
    (attached,) = attachments(teams.body(message(Made.ALONE, BAD)))
    card = json.dumps(attached["content"])

    assert [text in card for text in ("shop/checkout: Aborted (evidence of errors)", SAID, '"attention"')] == [True] * 3
    assert json.loads(card)["actions"] == [{"type": "Action.OpenUrl", "title": "Open", "url": LINK}]


def test_a_cloud_event_has_all_of_a_notice() -> None:
    """An event is identified by its notice, sorts by its number, and has every field of the notice."""
    event = cloud_events.body(message(Made.ALONE, BAD))
    inner = event.pop("data")

    assert event == {
        "id": BAD.id,
        "source": "/rollouts/shop/checkout",
        "type": "dev.rollout.transition",
        "time": "2025-12-29T09:20:00.250000Z",
        "datacontenttype": "application/json",
        "subject": "shop/checkout",
        "sequence": "0000000007",
        "specversion": "1.0",
    }
    assert inner == {
        "title": "shop/checkout: Aborted (evidence of errors)",
        "text": SAID,
        "id": BAD.id,
        "namespace": "shop",
        "name": "checkout",
        "number": 7,
        "at": "2025-12-29T09:20:00.250Z",
        "reason": "EvidenceOfErrors",
        "message": "12 of 100 requests failed.",
        "level": "Bad",
        "phase": "Aborted",
        "attempt": 3,
        "step": 0,
        "steps": 0,
        "revision": "",
        "weights": {"checkout-v1": 90, "checkout-v2": 10},
        "failover": None,
        "link": LINK,
    }


@pytest.mark.parametrize(
    ("kind", "type_"),
    [
        (Made.PLAIN, "dev.rollout.transition"),
        (Made.SHORT_LIST, "dev.rollout.digest"),
        (Made.EARLIER, "dev.rollout.earlier"),
        (Made.TRIAL, "dev.rollout.trial"),
    ],
)
def test_events_of_other_kinds_have_a_type_of_their_own(kind: Made, type_: str) -> None:
    """The type of an event tells what it is, and its id is the message's."""
    told = message(kind, BAD)
    event = cloud_events.body(told)

    assert (event["type"], event["id"]) == (type_, told.id)


@pytest.mark.parametrize("kind", [Made.PLAIN, Made.EARLIER])
def test_an_event_without_a_time_of_its_own_tells_none(kind: Made) -> None:
    """A message that is sent again is the same event: no time of sending is in it."""
    assert "time" not in cloud_events.body(message(kind, BAD))


def test_an_event_of_a_failover_tells_where_it_stands() -> None:
    """Phase, backup and number of failover are in the event."""
    away = replace(BAD, stage="FailedOver", active="checkout-dr", epoch=4)
    inner = cloud_events.body(message(Made.ALONE, away))["data"]

    assert isinstance(inner, dict)
    assert inner["failover"] == {"phase": "FailedOver", "active": "checkout-dr", "epoch": 4}


@pytest.mark.parametrize("kind", CHAT)
def test_a_list_has_a_line_for_each_rollout(kind: SinkKind) -> None:
    """A digest names what happened to each Rollout, and counts those that it only counts."""
    told = json.dumps(body(kind, message(Made.LONG_LIST, BAD)), ensure_ascii=False)

    assert told.count("✗ shop/checkout") == 40
    assert "and 8 more" in told


@pytest.mark.parametrize("kind", CHAT)
def test_a_list_that_does_not_fit_counts_the_rest(kind: SinkKind) -> None:
    """Where 40 lines are too long, there are fewer, and the last one says how many are left out."""
    long = [
        replace(BAD, reason="Why" * 60, key=replace(KEY, name=letter * 250)) for letter in "*@😀" for _ in range(13)
    ]
    lists = Message("i", Kind.DIGEST, "Many", "", Level.BAD, notices=tuple(long))
    told = json.dumps(body(kind, lists), ensure_ascii=False)
    shown = told.count("✗")

    assert 10 <= shown <= 39
    assert f"and {39 - shown} more" in told or shown == 39


@pytest.mark.parametrize("kind", CHAT)
def test_a_list_shows_links_where_they_fit(kind: SinkKind) -> None:
    """A short digest leads to each Rollout; cards of Teams alone have no links in lines."""
    told = json.dumps(body(kind, message(Made.SHORT_LIST, BAD)))

    assert told.count("https://rollouts.example/") == (0 if kind is SinkKind.TEAMS else 2)


def test_a_list_of_which_nothing_fits_is_empty() -> None:
    """A sink with no room at all gets no line."""
    assert listed(message(Made.SHORT_LIST, BAD), (str,), fits=lambda rows: not rows, last=str) == ()


@pytest.mark.parametrize("kind", CHAT)
def test_a_message_without_link_and_sentence_shows_neither(kind: SinkKind) -> None:
    """What is empty is left out, as sinks refuse empty texts."""
    bare = replace(message(Made.ALONE, replace(BAD, link="")), text="")
    told = json.dumps(body(kind, bare))

    assert '""' not in told
    assert "Open" not in told


@pytest.mark.parametrize("kind", CHAT)
def test_a_plain_message_is_title_and_text(kind: SinkKind) -> None:
    """A message left plain shows its title and its text, and nothing that needs a notice."""
    told = json.dumps(body(kind, message(Made.PLAIN, BAD)))

    assert "12 of 100 requests failed" in told
    assert "transition 7" not in told


def test_a_slack_bot_gets_what_slack_gets() -> None:
    """Kind SlackBot has the body of kind Slack."""
    told = message(Made.ALONE, BAD)

    assert body(SinkKind.SLACK_BOT, told) == body(SinkKind.SLACK, told)


def test_apprise_gets_plain_text() -> None:
    """Kind Apprise has the title and the text, the operator's own link as it is."""
    told = replace(message(Made.ALONE, BAD), title="shop/web: Aborted", text=f"It failed. See {BAD.link} now.")

    assert BAD.link.startswith("https://")
    assert body(SinkKind.APPRISE, told) == {"title": told.title, "body": told.text}


@pytest.mark.parametrize(
    ("level", "loud"), [(Level.GOOD, False), (Level.NEWS, False), (Level.WARNING, True), (Level.BAD, True)]
)
def test_bad_answers_are_seen_in_the_channel(level: Level, *, loud: bool) -> None:
    """An answer in a thread is broadcast when it is a warning or bad."""
    call = slack.answer(replace(message(Made.ALONE, BAD), level=level), channel="C1", root="1.2")

    assert (call["thread_ts"], call["channel"], call["reply_broadcast"]) == ("1.2", "C1", loud)


def test_an_update_leaves_nothing_of_before() -> None:
    """An update names what it empties, since Slack keeps what a call leaves out."""
    call = slack.update(message(Made.PLAIN, BAD), channel="C1", root="1.2")

    assert (call["blocks"], call["attachments"], call["ts"]) == ([], [], "1.2")


def test_a_root_is_a_message_of_its_own() -> None:
    """What begins a thread is in no thread, and shows no preview of its links."""
    call = slack.root(message(Made.ALONE, BAD), channel="C1")

    assert "thread_ts" not in call
    assert (call["channel"], call["unfurl_links"], call["unfurl_media"]) == ("C1", False, False)


@pytest.mark.parametrize("shape", [slack, mattermost, discord])
def test_a_link_cannot_end_early(shape: object) -> None:
    """What would end an address in the sink's markup is percent-encoded in it."""
    wild = replace(BAD, link="https://a.example/(b)[c]|<d>")
    two: tuple[Notice, ...] = (wild, wild)
    told = json.dumps(shape.body(replace(message(Made.SHORT_LIST, BAD), notices=two)))  # type: ignore[attr-defined]

    assert "%7C%3Cd%3E" in told


def attachments(told: object) -> list[dict[str, object]]:
    """The attachments of a body."""
    assert isinstance(told, dict)
    return list(told["attachments"])
