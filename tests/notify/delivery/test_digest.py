"""Many at once: one message with a list for a chat, in order for each Rollout."""

import asyncio

import pytest
from structlog.testing import capture_logs

from rollout.engine.table import Phase
from rollout.errors import PermanentError
from rollout.notify.message import Kind, Level, Message
from rollout.notify.sending import MessageRefused
from tests.notify.delivery.hours import play
from tests.notify.delivery.world import Replica, ScriptedSender, World, sink


async def _burst(rollouts: int, *made: str, **fields: object) -> ScriptedSender:
    """Return the sender of a chat after that many Rollouts made transitions at the same time."""
    world, sender = World(), ScriptedSender()
    keys = [world.add(number) for number in range(rollouts)]
    replica = Replica(world, [sink(**{"kind": "Slack", **fields})], {"ops": sender})
    for web in keys:
        replica.look(web, *made)
    await replica.settle(30)
    assert all(world.recorded[web].notified[0].number == len(made) for web in keys)
    return sender


def test_few_are_told_one_by_one() -> None:
    """Four Rollouts are four messages, after a tenth of a second."""
    sender = play(_burst(4, "Started"))

    assert [message.kind for message in sender.taken] == [Kind.TRANSITION] * 4
    assert max(sender.times) < 0.15


def test_many_are_one_message() -> None:
    """Five Rollouts are one message with a list."""
    sender = play(_burst(5, "Started"))

    assert [message.kind for message in sender.taken] == [Kind.DIGEST]
    assert [notice.key.name for notice in sender.taken[0].notices] == [f"web-{number}" for number in range(5)]


def test_a_list_keeps_order() -> None:
    """Several transitions of a Rollout stand in the list by their numbers."""
    sender = play(_burst(6, "FailingOver", "FailedOver"))

    assert sender.numbers() == [1, 2] * 6


def test_a_list_ends_with_a_number() -> None:
    """A whole fleet is one message of 40 lines and a count."""
    sender = play(_burst(1000, "FailedOver"))

    assert len(sender.taken) == 1
    assert (len(sender.taken[0].notices), sender.taken[0].more) == (40, 960)


@pytest.mark.parametrize("fields", [{"digest": False}, {"kind": "CloudEvents"}], ids=["told so", "for programs"])
def test_some_sinks_get_no_lists(fields: dict[str, object]) -> None:
    """A sink for programs, or one that was told so, gets each by itself."""
    sender = play(_burst(30, "Started", **fields))

    assert [message.kind for message in sender.taken] == [Kind.TRANSITION] * 30


def test_a_program_may_ask_for_lists() -> None:
    """With ``digest`` said, they come for any kind."""
    sender = play(_burst(30, "Started", kind="CloudEvents", digest={"least": 20}))

    assert [message.kind for message in sender.taken] == [Kind.DIGEST]


def test_after_a_list_more_is_gathered_for_longer() -> None:
    """What follows within ten seconds waits for five, so that a storm is a few messages; then all is as before."""

    async def story() -> list[float]:
        world, sender = World(), ScriptedSender()
        keys = [world.add(number) for number in range(10)]
        replica = Replica(world, [sink(kind="Slack")], {"ops": sender})
        for _ in range(8):
            for web in keys:
                replica.look(web, "StepStarted")
            await replica.settle(1)
        await replica.settle(60)
        replica.look(keys[0], "Promoted")
        await replica.settle(60)
        return [round(at, 1) for at in sender.times]

    assert play(story()) == [0.1, 6.0, 12.0, 68.1]


def test_a_list_that_fails_is_made_anew() -> None:
    """What came meanwhile is in the next one, and nothing is told twice."""

    async def story() -> list[int]:
        world, sender = World(), ScriptedSender(always="down")
        keys = [world.add(number) for number in range(10)]
        replica = Replica(world, [sink(kind="Slack")], {"ops": sender})
        for web in keys:
            replica.look(web, "Started")
        await replica.settle(20)
        for web in keys:
            replica.look(web, "StepStarted")
        sender.always = "take"
        await replica.settle(600)
        assert [message.kind for message in sender.taken] == [Kind.TRANSITION, Kind.DIGEST]
        return sender.numbers(keys[0]) + sender.numbers(keys[1])

    assert play(story()) == [1, 2] * 2


class Picky(ScriptedSender):
    """It takes nothing of ``web-3``; what it says then is ``error``."""

    error: type[PermanentError] = MessageRefused

    async def send(self, message: Message) -> str:
        """Refuse, or take."""
        if "web-3:" in message.text + message.title:
            self.tries += 1
            raise self.error("it does not take this message")
        return await ScriptedSender.send(self, message)


class Wall(Picky):
    """It says so as if it took nothing at all."""

    error = PermanentError


@pytest.mark.parametrize("sender", [Picky(), Wall()], ids=["refused", "forbidden"])
def test_a_list_that_is_refused_is_told_one_by_one(sender: Picky) -> None:
    """Only what is refused alone, too, is passed over; that is counted, logged, and stands in the cursor."""

    async def story() -> World:
        world = World()
        keys = [world.add(number) for number in range(50)]
        replica = Replica(world, [sink(kind="Slack")], {"ops": sender})
        for web in keys:
            replica.look(web, "Aborted", phase=Phase.ABORTED)
        await replica.settle(1000)
        assert {world.recorded[web].notified[0].number for web in keys} == {1}
        return world

    with capture_logs() as logs:
        world = play(story())

    named = {notice.key.name for notice in sender.notices()}
    assert len(named) + sum(message.more for message in sender.taken) == 49
    assert {state.notified[0].problem for state in world.recorded.values()} == {"", "it does not take this message"}
    (line,) = (line for line in logs if line["event"] == "a sink refused a message")
    assert (line["rollout"], line["number"], line["id"][:3]) == ("shop/web-3", 1, "tr_")


def test_a_list_counts_all_and_shows_the_worst() -> None:
    """However late they come, and how chatty another Rollout is."""

    async def story() -> Message:
        world, sender = World(), ScriptedSender()
        keys = [world.add(number) for number in range(100)]
        replica = Replica(world, [sink(kind="Slack")], {"ops": sender})
        replica.look(keys[0], *["StepStarted"] * 60)
        for web in keys[1:40]:
            replica.look(web, "StepStarted")
        for web in keys[40:]:
            replica.look(web, "StepStarted")
            replica.look(web, "Aborted", phase=Phase.ABORTED)
        await replica.settle(30)
        return sender.taken[0]

    message = play(story())

    assert message.title == "219 transitions of 100 Rollouts (60 bad)"
    assert message.level is Level.BAD
    assert [(notice.key.name, notice.number) for notice in message.notices] == [(f"web-{n}", 2) for n in range(40, 80)]
    assert (message.more, message.folded) == (179, 0)


def test_a_list_of_what_is_kept_no_more() -> None:
    """Rollouts that owe nothing but a number are told of, too."""

    async def story() -> tuple[list[Message], set[int]]:
        world, sender = World(), ScriptedSender(always="down")
        keys = [world.add(number, [{"sink": "ops", "on": ["Aborted"]}]) for number in range(6)]
        replica = Replica(world, [sink(kind="Slack")], {"ops": sender})
        for web in keys:
            replica.look(web, "Aborted", phase=Phase.ABORTED)
        await replica.settle(60)
        for web in keys:
            replica.look(web, *["StepStarted"] * 130)
        await replica.settle(20)
        sender.always = "take"
        await replica.settle(600)
        return sender.taken, {world.recorded[web].notified[0].number for web in keys}

    messages, cursors = play(story())

    assert [message.kind for message in messages] == [Kind.EARLIER, Kind.DIGEST]
    assert messages[1].folded == 5 * 31
    assert cursors == {131}


def test_a_list_tells_of_no_rollout_that_is_lost() -> None:
    """What others act for by the time of the message is theirs to tell."""

    async def story() -> set[str]:
        world, sender = World(), ScriptedSender()
        keys = [world.add(number) for number in range(60)]
        replica = Replica(world, [sink(kind="Slack")], {"ops": sender})
        for web in keys:
            replica.look(web, "Started")
        replica.held = set(keys)

        def lost_later() -> None:
            if sender.tries == 0 and replica.held is not None:
                replica.held.discard(keys[0])

        asyncio.get_running_loop().call_later(0.1, lost_later)
        await replica.settle(30)
        return {notice.key.name for notice in sender.notices()}

    assert "web-0" not in play(story())


def test_what_is_folded_counts_in_a_list() -> None:
    """Transitions that are kept no more are a part of its number."""

    async def story() -> list[int]:
        world, sender = World(), ScriptedSender(always="down")
        keys = [world.add(number) for number in range(6)]
        replica = Replica(world, [sink(kind="Slack")], {"ops": sender})
        for web in keys:
            replica.look(web, *["StepStarted"] * 103)
        for web in keys:
            replica.look(web, "Promoted")
        await replica.settle(60)
        sender.always = "take"
        await replica.settle(600)
        assert replica.notifier.standings()[0].folded == 6 * 4
        return [len(message.notices) + message.more for message in sender.taken]

    assert play(story()) == [4, 6 * 104 - 4]
