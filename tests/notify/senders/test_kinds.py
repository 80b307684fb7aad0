"""Each kind of webhook is taken by its stand-in, and each refusal of the service becomes the error that it is."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rollout.errors import PermanentError, RolloutError, Unavailable
from rollout.notify.message import Level
from rollout.notify.sending import MessageRefused, SinkBusy
from tests.notify import made
from tests.notify.senders.conftest import Making
from tests.notify.senders.messages import message, plain
from tests.notify.stands import discord, mattermost, slack_hook
from tests.notify.stands.discord import Discord
from tests.notify.stands.faults import answers, closes
from tests.notify.stands.mattermost import Mattermost
from tests.notify.stands.server import Fault, Stand, standing
from tests.notify.stands.slack_hook import SlackHook
from tests.notify.stands.teams import SIGNATURE, Teams

KINDS = {"Slack": SlackHook, "Mattermost": Mattermost, "Discord": Discord, "Teams": Teams, "CloudEvents": Stand}


@pytest.fixture(params=sorted(KINDS))
async def kind(request: pytest.FixtureRequest) -> AsyncIterator[tuple[str, Stand]]:
    """Run the stand-in of a kind."""
    async with standing(KINDS[request.param]()) as stand:
        yield request.param, stand


async def error_of(make: Making, kind: str, url: str) -> RolloutError:
    """Return the error that a message to this address ends in."""
    with pytest.raises(RolloutError) as caught:
        await make(kind, url=url).send(message())
    return caught.value


async def test_a_message_is_taken(make: Making, kind: tuple[str, Stand]) -> None:
    """Of any level, with its notice or plain."""
    name, stand = kind
    sender = make(name, url=stand.url)
    sent = [*(message(number, level=level) for number, level in enumerate(Level)), plain(message(9))]

    assert [await sender.send(one) for one in sent] == [""] * len(sent)
    assert stand.ids == [one.id for one in sent]


async def test_the_thread_given_comes_back(make: Making, kind: tuple[str, Stand]) -> None:
    """Such sinks have none of their own."""
    name, stand = kind

    assert await make(name, url=stand.url).send(message(thread="C0:1.2")) == "C0:1.2"


async def test_the_same_message_has_the_same_id(make: Making, kind: tuple[str, Stand]) -> None:
    """However often it is sent."""
    name, stand = kind
    sender = make(name, url=stand.url)
    stand.faults = [closes]

    with pytest.raises(Unavailable):
        await sender.send(message())
    await sender.send(message())
    await sender.send(message())
    assert {one.headers["Idempotency-Key"] for one in stand.received} == {message().id}
    assert len(stand.received) == 3


async def test_a_busy_sink_is_left_alone(make: Making, kind: tuple[str, Stand]) -> None:
    """For as long as it says."""
    name, stand = kind
    stand.faults = [answers(429, Retry_After="30")]

    error = await error_of(make, name, stand.url)

    assert isinstance(error, SinkBusy)
    assert error.seconds == 30


async def test_the_address_is_read_for_each_message(make: Making, kind: tuple[str, Stand], tmp_path: Path) -> None:
    """A rotated one is used at once."""
    name, stand = kind
    file = tmp_path / "url"
    sender = make(name, url_file=file)
    file.write_text("http://127.0.0.1:1/", encoding="utf-8")
    with pytest.raises(Unavailable):
        await sender.send(message(1))
    file.write_text(f"{stand.url}\n", encoding="utf-8")
    await sender.send(message(2))

    assert stand.ids == [message(2).id]


@pytest.mark.parametrize(
    ("fault", "kind", "said"),
    [
        (answers(400, "invalid_payload"), MessageRefused, "answered 400 (invalid_payload): it does not take"),
        (answers(400, "invalid_blocks"), MessageRefused, "answered 400 (invalid_blocks): it does not take"),
        (answers(400, "user_not_found"), PermanentError, "answered 400 (user_not_found)"),
        (answers(403, "action_prohibited"), PermanentError, "answered 403 (action_prohibited)"),
        (answers(410, "channel_is_archived"), PermanentError, "answered 410 (channel_is_archived)"),
        (answers(500, "rollup_error"), Unavailable, "answered 500 (rollup_error)"),
        (answers(500, "surprise"), Unavailable, "answered 500"),
    ],
)
async def test_the_words_of_slack_are_known(make: Making, *, fault: Fault, kind: type[RolloutError], said: str) -> None:
    """And shown, when they are known ones."""
    async with standing(SlackHook()) as stand:
        stand.faults = [fault]
        error = await error_of(make, "Slack", stand.url)

    assert type(error) is kind
    assert str(error).startswith(f"sink team {said}")


async def test_an_unknown_hook_of_slack_is_for_good(make: Making) -> None:
    """Its key was revoked."""
    async with standing(SlackHook()) as stand:
        error = await error_of(make, "Slack", stand.url.replace(slack_hook.KEY, "XXwrongXX"))

    assert type(error) is PermanentError
    assert str(error) == "sink team answered 404 (no_service)"


async def test_an_unknown_hook_of_mattermost_is_for_good(make: Making) -> None:
    """Though Mattermost says 400, as for a wrong message."""
    async with standing(Mattermost()) as stand:
        error = await error_of(make, "Mattermost", stand.url.replace(mattermost.HOOK, "wrong"))

    assert type(error) is PermanentError
    assert str(error) == "sink team answered 400 (web.incoming_webhook.invalid.app_error)"


@pytest.mark.parametrize("text", ["no JSON", '{"id": 7}', '{"id": "api.other.app_error"}', "[" * 5000])
async def test_what_mattermost_says_otherwise_is_its_status(make: Making, text: str) -> None:
    """Such as what a proxy in front of it says."""
    async with standing(Mattermost()) as stand:
        stand.faults = [answers(400, text)]
        error = await error_of(make, "Mattermost", stand.url)

    assert type(error) is MessageRefused
    assert str(error) == "sink team answered 400: it does not take this message"


async def test_discord_confirms_what_it_keeps(make: Making) -> None:
    """Without `wait` it says yes to messages that it loses; what the address asks for besides is kept."""
    async with standing(Discord()) as stand:
        await make("Discord", url=f"{stand.url}?thread_id=17&wait=false").send(message())

    assert [dict(one.query) for one in stand.taken] == [{"thread_id": "17", "wait": "true"}]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [(discord.ID, "answered 404 (Discord's code 10015)"), (discord.TOKEN, "answered 401 (Discord's code 50027)")],
    ids=["unknown", "revoked"],
)
async def test_an_unknown_hook_of_discord_is_for_good(make: Making, *, wrong: str, said: str) -> None:
    """It says so with a number."""
    async with standing(Discord()) as stand:
        error = await error_of(make, "Discord", stand.url.replace(wrong, "wrong"))

    assert type(error) is PermanentError
    assert str(error) == f"sink team {said}"


async def test_the_signature_of_a_workflow_reaches_teams_unchanged(make: Making) -> None:
    """Percent-encoded parts of the address, too; a wrong one is for good."""
    async with standing(Teams()) as stand:
        await make("Teams", url=stand.url).send(message())
        error = await error_of(make, "Teams", stand.url.replace(SIGNATURE, "wrong"))

    assert len(stand.taken) == 1
    assert (type(error), str(error)) == (PermanentError, "sink team answered 401")


async def test_a_receiver_that_has_had_an_event_is_content(make: Making) -> None:
    """409 is as good as taken: it must not be sent again and again."""
    async with standing(Stand()) as stand:
        stand.faults = [answers(409)]
        await make("CloudEvents", url=stand.url).send(message())

    assert len(stand.received) == 1


async def test_409_of_others_may_pass(make: Making) -> None:
    """Only receivers of events say with it that they have had an id."""
    async with standing(Teams()) as stand:
        stand.faults = [answers(409)]
        error = await error_of(make, "Teams", stand.url)

    assert type(error) is Unavailable


async def test_an_event_is_a_structured_cloud_event(make: Making) -> None:
    """By its media type and its attributes; without a secret it is not signed, but has id and time."""
    async with standing(Stand()) as stand:
        await make("CloudEvents", url=stand.url).send(message())

    [one] = stand.taken
    assert one.headers["Content-Type"] == "application/cloudevents+json; charset=utf-8"
    assert (one.json["specversion"], one.json["id"]) == ("1.0", message().id)
    assert one.headers["webhook-id"] == message().id
    assert "webhook-signature" not in one.headers


async def test_a_message_of_every_kind_is_taken(make: Making, kind: tuple[str, Stand]) -> None:
    """Of one transition, of many at once, of those not told one by one, and a trial."""
    name, stand = kind
    sender = make(name, url=stand.url)
    sent = [made.message(one, made.notice()) for one in made.Made]
    for one in sent:
        await sender.send(one)

    assert stand.ids == [one.id for one in sent]
