"""A bot begins a thread for each attempt, answers in it, and keeps its first message up to date."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pytest
import structlog

from rollout.errors import PermanentError, RolloutError, Unavailable
from rollout.notify.message import Kind, Level, Message
from rollout.notify.sending import MessageRefused, Sender, SinkBusy
from tests.notify import made
from tests.notify.senders.conftest import Making
from tests.notify.senders.messages import KEY, message
from tests.notify.stands.faults import answers, breaks_off, floods, hangs
from tests.notify.stands.server import Fault, says, standing
from tests.notify.stands.slack_api import TOKEN, SlackApi

POST, UPDATE = "chat.postMessage", "chat.update"


class Bots(Protocol):
    """Makes a bot."""

    def __call__(self, *, channel: str = "#deploys", timeout: str = "5s") -> Sender:
        """Return it."""
        ...


@pytest.fixture
async def slack() -> AsyncIterator[SlackApi]:
    """Run Slack's API."""
    async with standing(SlackApi()) as stand:
        yield stand


@pytest.fixture
def token(tmp_path: Path) -> Path:
    """Return the file of the bot's token."""
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n", encoding="utf-8")
    return file


@pytest.fixture
def bot(make: Making, slack: SlackApi, token: Path) -> Bots:
    """Return what makes a bot."""

    def one(*, channel: str = "#deploys", timeout: str = "5s") -> Sender:
        return make("SlackBot", url=slack.url, token_file=token, channel=channel, timeout=timeout)

    return one


async def error_of(sender: Sender, sent: Message) -> RolloutError:
    """Return the error that sending ends in."""
    with pytest.raises(RolloutError) as caught:
        await sender.send(sent)
    return caught.value


def says_error(word: str) -> Fault:
    """Return an answer of the API with this word."""

    async def fault(_: object) -> object:
        return says({"ok": False, "error": word})

    return fault  # type: ignore[return-value]


async def test_the_first_message_of_an_attempt_begins_a_thread(slack: SlackApi, bot: Bots) -> None:
    """Named by the channel's id and the message's time, as Slack has them."""
    thread = await bot().send(message())

    assert thread == "C0DEPLOYS:1700000000.000001"
    assert slack.calls == [POST]
    assert "thread_ts" not in slack.posts[thread]


async def test_later_ones_answer_in_it(slack: SlackApi, bot: Bots) -> None:
    """And the first message says where the attempt stands."""
    sender = bot()
    thread = await sender.send(message(1))
    later = replace(message(2, thread=thread), title="shop/checkout: promoted")

    assert await sender.send(later) == thread
    assert slack.calls == [POST, POST, UPDATE]
    assert slack.posts["C0DEPLOYS:1700000000.000002"]["thread_ts"] == "1700000000.000001"
    assert "promoted" in str(slack.posts[thread]["text"])


@pytest.mark.parametrize(
    ("level", "loud"), [(Level.GOOD, False), (Level.NEWS, False), (Level.WARNING, True), (Level.BAD, True)]
)
async def test_what_is_bad_is_seen_in_the_channel(slack: SlackApi, bot: Bots, *, level: Level, loud: bool) -> None:
    """Answers in a thread are easily overlooked."""
    sender = bot()
    thread = await sender.send(message(1))
    await sender.send(message(2, level=level, thread=thread))

    assert slack.posts["C0DEPLOYS:1700000000.000002"]["reply_broadcast"] is loud


async def test_each_message_carries_its_id(slack: SlackApi, bot: Bots) -> None:
    """As metadata, so that one that was sent twice can be told."""
    thread = await bot().send(message(5))

    assert slack.posts[thread]["metadata"] == {
        "event_type": "rollout_message",
        "event_payload": {"id": message(5).id},
    }


@pytest.mark.parametrize("kind", [Kind.DIGEST, Kind.EARLIER, Kind.TRIAL])
async def test_what_is_of_no_attempt_begins_no_thread(slack: SlackApi, bot: Bots, kind: Kind) -> None:
    """It is a message of its own."""
    one = Message(id="dg_1", kind=kind, title="5 Rollouts", text="were rolled back", level=Level.BAD, key=KEY)

    assert await bot().send(one) == ""
    assert slack.calls == [POST]


async def test_what_was_not_told_is_said_in_the_thread(slack: SlackApi, bot: Bots) -> None:
    """It does not say where the attempt stands, so the first message stays."""
    sender = bot()
    thread = await sender.send(message(1))
    one = Message(
        id="ea_1", kind=Kind.EARLIER, title="3 earlier", text="…", level=Level.NEWS, key=KEY, more=3, thread=thread
    )

    assert await sender.send(one) == thread
    assert slack.calls == [POST, POST]


@pytest.mark.parametrize(
    "fault",
    [answers(500), answers(429, Retry_After="9"), says_error("cant_update_message"), breaks_off, hangs],
    ids=["500", "429", "word", "breaks_off", "hangs"],
)
async def test_an_answer_is_not_sent_again_because_of_an_update(slack: SlackApi, bot: Bots, fault: Fault) -> None:
    """People have it; that the first message is out of date is logged."""
    sender = bot(timeout="500ms")
    thread = await sender.send(message(1))

    async def usual(_: object) -> None:
        return None

    slack.faults = [usual, fault]
    with structlog.testing.capture_logs() as logs:
        told = await sender.send(message(2, thread=thread))

    assert told == thread
    assert slack.calls == [POST, POST, UPDATE]
    assert [line["event"] for line in logs] == ["first_message_not_updated"]


@pytest.mark.parametrize("thread", ["C0DEPLOYS:1600000000.000001", "C0GONE:1600000000.000001"])
async def test_a_thread_that_is_gone_is_begun_anew(slack: SlackApi, bot: Bots, thread: str) -> None:
    """Somebody deleted the message, or the channel."""
    assert await bot().send(message(2, thread=thread)) == "C0DEPLOYS:1700000000.000001"
    assert slack.calls == [POST, POST]


@pytest.mark.parametrize("thread", ["nonsense", "C0:1.2:3", "c0:1.2", "C0/../x:1.2", ":", "C0:1"])
async def test_what_is_no_thread_of_slack_is_none(slack: SlackApi, bot: Bots, thread: str) -> None:
    """As when a sink was of another kind before."""
    assert await bot().send(message(2, thread=thread)) == "C0DEPLOYS:1700000000.000001"
    assert slack.calls == [POST]


@pytest.mark.parametrize(
    ("word", "kind", "said"),
    [
        ("channel_not_found", PermanentError, "answered 200 (channel_not_found)"),
        ("is_archived", PermanentError, "answered 200 (is_archived)"),
        ("missing_scope", PermanentError, "answered 200 (missing_scope)"),
        ("token_revoked", PermanentError, "answered 200 (token_revoked)"),
        ("msg_too_long", MessageRefused, "answered 200 (msg_too_long): it does not take this message"),
        ("invalid_blocks", MessageRefused, "answered 200 (invalid_blocks): it does not take this message"),
        ("internal_error", Unavailable, "answered 200 (internal_error)"),
        ("rate_limited", SinkBusy, "answered 200 (rate_limited) and does not say until when"),
        ("xoxb-t0k3n", PermanentError, "answered 200 (with a word that is not known)"),
    ],
)
async def test_the_words_of_the_api_are_known(
    slack: SlackApi, bot: Bots, *, word: str, kind: type[RolloutError], said: str
) -> None:
    """Those that are not are not shown, and taken as said of the sink: a message is never passed over for them."""
    slack.faults = [says_error(word)]
    error = await error_of(bot(), message())

    assert type(error) is kind
    assert str(error) == f"sink team {said}"


async def test_a_limit_of_calls_is_kept(slack: SlackApi, bot: Bots) -> None:
    """For as long as the header says."""
    slack.limited = {POST: 1}
    error = await error_of(bot(), message())

    assert isinstance(error, SinkBusy)
    assert error.seconds == 7


async def test_a_wrong_token_is_for_good(slack: SlackApi, bot: Bots, token: Path) -> None:
    """Until another one is in its file, without a restart."""
    sender = bot()
    token.write_text("xoxb-wrong", encoding="utf-8")
    error = await error_of(sender, message())
    token.write_text(TOKEN, encoding="utf-8")

    assert (type(error), str(error)) == (PermanentError, "sink team answered 200 (invalid_auth)")
    assert await sender.send(message())


async def test_a_channel_that_does_not_exist_is_for_good(bot: Bots) -> None:
    """The bot was never invited."""
    assert str(await error_of(bot(channel="#nowhere"), message())) == "sink team answered 200 (channel_not_found)"


@pytest.mark.parametrize("fault", [floods(200), answers(200, "<html>"), answers(200, '["ok"]')])
async def test_an_answer_that_is_none_of_slacks_may_pass(slack: SlackApi, bot: Bots, fault: Fault) -> None:
    """A page of a proxy is no proof that anything was posted."""
    slack.faults = [fault]
    error = await error_of(bot(), message())

    assert (type(error), str(error)) == (Unavailable, "sink team answered 200 (not as Slack's API does)")


@pytest.mark.parametrize("place", ['"channel": "C0"', '"channel": "C0", "ts": 7', '"ts": "1.2", "channel": null'])
async def test_a_message_whose_place_is_not_told_has_no_thread(slack: SlackApi, bot: Bots, place: str) -> None:
    """It was posted, and that counts."""
    slack.faults = [answers(200, f'{{"ok": true, {place}}}')]

    assert await bot().send(message()) == ""


@pytest.mark.parametrize("kind", made.Made)
async def test_a_message_of_every_kind_is_taken(slack: SlackApi, bot: Bots, kind: made.Made) -> None:
    """As a message of its own, as an answer, and as a new state of the first one."""
    sender, one = bot(), made.message(kind, made.notice())
    thread = await sender.send(message())
    await sender.send(one)
    await sender.send(replace(one, thread=thread))

    assert slack.problems == []
    assert len(slack.taken) == len(slack.received)
