"""Sinks over the API: how it goes with them, trials, and how far each was told of a Rollout."""

from dataclasses import replace

import pytest

from rollout.api.sinks import NO_SUCH_SINK, notified_of
from rollout.controller.look import Look
from rollout.engine.observation import Cursor
from rollout.engine.outlook import Outlook
from rollout.engine.state import State, Transition
from rollout.engine.table import Phase
from rollout.errors import PermanentError, Unavailable
from rollout.ports import StoredRollout
from rollout.signals import SinkStanding
from rollout.spec.resource import Rollout
from tests.api.world import NOBODY, OPERATOR, VIEWER, WEB, world
from tests.controller.builders import NOW
from tests.engine.builders import rollout
from tests.fakes.sinks import FakeDesk

PATH = "/api/v1/sinks"
CHAT = SinkStanding(
    "chat",
    "Slack",
    delivered=3,
    failed=2,
    folded=1,
    passed_over=5,
    pending=4,
    lag_seconds=12.5,
    delivered_at=NOW,
    problem="Slack answered 503",
    problem_at=NOW + 1,
    closed_until=9e9,
    quiet=True,
)
BUS = SinkStanding("bus", "CloudEvents")


async def test_all_sinks_are_listed_in_their_order() -> None:
    """Whoever may list Rollouts sees how it goes with each."""
    async with world(desk=FakeDesk(CHAT, BUS)) as api:
        reply = await api.ask("GET", PATH, token=VIEWER)

    assert reply.json["items"][0] == {
        "name": "chat",
        "kind": "Slack",
        "delivered": 3,
        "failed": 2,
        "folded": 1,
        "passedOver": 5,
        "pending": 4,
        "lagSeconds": 12.5,
        "deliveredAt": NOW,
        "problem": "Slack answered 503",
        "problemAt": NOW + 1,
        "closedUntil": 9e9,
        "quiet": True,
    }
    assert (reply.json["items"][1]["name"], reply.json["items"][1]["deliveredAt"]) == ("bus", None)


async def test_a_circuit_that_may_be_tried_again_is_not_closed_any_more() -> None:
    """What was until a time in the past is over."""
    async with world(desk=FakeDesk(replace(CHAT, closed_until=1.0))) as api:
        reply = await api.ask("GET", PATH)

    assert reply.json["items"][0]["closedUntil"] is None


async def test_without_sinks_the_list_is_empty_and_a_trial_says_why() -> None:
    """The operator has set up none."""
    async with world() as api:
        listed, tried = await api.ask("GET", PATH), await api.ask("POST", f"{PATH}/chat/test")

    assert listed.json == {"items": []}
    assert (tried.status, "without the setting sinks" in tried.json["detail"]) == (404, True)


@pytest.mark.parametrize(("token", "status"), [(NOBODY, 403), ("", 401)])
async def test_who_may_not_list_rollouts_sees_no_sinks(token: str, status: int) -> None:
    """As everywhere."""
    async with world(desk=FakeDesk(CHAT)) as api:
        assert (await api.ask("GET", PATH, token=token)).status == status


async def test_an_operator_sends_a_message_for_trial() -> None:
    """It says by whom."""
    desk = FakeDesk(CHAT)
    async with world(desk=desk) as api:
        reply = await api.ask("POST", f"{PATH}/chat/test", token=OPERATOR)

    assert (reply.status, reply.json["sink"]) == (200, "chat")
    assert desk.tried == [("chat", "olga")]


@pytest.mark.parametrize("token", [VIEWER, NOBODY])
async def test_who_may_not_update_all_rollouts_sends_no_trial(token: str) -> None:
    """People would be disturbed by whoever may only look."""
    desk = FakeDesk(CHAT)
    async with world(desk=desk) as api:
        reply = await api.ask("POST", f"{PATH}/chat/test", token=token)

    assert (reply.status, desk.tried) == (403, [])


async def test_a_trial_of_an_unknown_sink_is_not_found() -> None:
    """With its name."""
    async with world(desk=FakeDesk(CHAT)) as api:
        reply = await api.ask("POST", f"{PATH}/chta/test")

    assert (reply.status, reply.json["detail"]) == (404, "there is no sink chta")


@pytest.mark.parametrize(
    ("failure", "status"), [(PermanentError("the token was revoked"), 502), (Unavailable("it is away"), 503)]
)
async def test_a_trial_that_fails_says_why(failure: PermanentError | Unavailable, status: int) -> None:
    """As a gateway says it: for good, or for now."""
    desk = FakeDesk(CHAT)
    desk.failure = failure
    async with world(desk=desk) as api:
        reply = await api.ask("POST", f"{PATH}/chat/test")

    assert (reply.status, reply.json["detail"]) == (status, str(failure))


async def test_an_apply_warns_of_a_sink_that_is_not_there() -> None:
    """It is taken all the same: the operator may set the sink up later."""
    async with world(desk=FakeDesk(CHAT)) as api:
        reply = await api.apply(notify=[{"sink": "chat"}, {"sink": "chta"}])

    assert reply.status in {200, 201}
    assert [line for line in reply.json["warnings"] if "notify" in line] == [
        'spec.notify[1].sink: there is no such sink; did you mean chat? (given: "chta"); allowed: chat'
    ]


async def test_the_live_numbers_have_how_far_each_sink_was_told() -> None:
    """Newer than the status, where this replica knows."""
    desk = FakeDesk(CHAT)
    desk.cursors[WEB] = (Cursor("chat", 1, NOW),)
    async with world(desk=desk) as api:
        await api.under_way()
        reply = await api.ask("GET", "/api/v1/rollouts/shop/web/live")

    (chat,) = reply.json["notified"]
    assert (chat["sink"], chat["number"]) == ("chat", 1)
    assert chat["behind"] == reply.json["notified"][0]["behind"]


def look(state: State, wanted: Rollout | None = None) -> Look:
    """Return a look at this state, a minute after the beginning."""
    stored = StoredRollout(WEB, {}, {}, "7", 1)
    return Look(
        at=NOW + 60,
        key=WEB,
        stored=stored,
        state=state,
        rollout=wanted,
        problems=(),
        endpoints={},
        steps=(),
        outlook=Outlook(),
        is_new=False,
    )


TOLD = State(
    transitions=tuple(Transition(number, NOW + number, Phase.IDLE, 0, (), "Promoted", "So.") for number in (4, 5, 6)),
    notified=(Cursor("bus", 6, NOW + 7), Cursor("chat", 3, NOW + 3, problem="away")),
)


def test_what_a_sink_was_not_told_is_counted_and_dated() -> None:
    """The oldest of it gives the lag; where everything was told there is none."""
    bus, chat = notified_of(look(TOLD), FakeDesk())

    assert (bus.sink, bus.behind, bus.lag_seconds) == ("bus", 0, 0.0)
    assert (chat.sink, chat.number, chat.behind, chat.lag_seconds, chat.problem) == ("chat", 3, 3, 56.0, "away")


def test_what_this_replica_knows_counts_where_it_is_newer() -> None:
    """A cursor is recorded a little later than it moves."""
    desk = FakeDesk()
    desk.cursors[WEB] = (Cursor("bus", 5, NOW), Cursor("chat", 5, NOW + 8))
    bus, chat = notified_of(look(TOLD), desk)

    assert (bus.number, chat.number, chat.problem) == (6, 5, "")


def test_a_sink_that_is_named_and_not_there_is_said_once() -> None:
    """So that nobody waits for its messages."""
    wanted = rollout(notify=[{"sink": "chat"}, {"sink": "chta"}, {"sink": "chta", "on": ["Promoted"]}])
    (found,) = notified_of(look(State(), wanted), FakeDesk(CHAT))

    assert (found.sink, found.number, found.problem) == ("chta", 0, NO_SUCH_SINK)
