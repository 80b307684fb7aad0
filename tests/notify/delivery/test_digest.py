"""Many at once: one message with a list for a chat, in order for each Rollout."""

import asyncio

import pytest

from rollout.notify.message import Kind
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
        assert [message.kind for message in sender.taken] == [Kind.DIGEST]
        return sender.numbers()

    assert play(story()) == [1, 2] * 10


def test_a_list_that_is_refused_keeps_nobody() -> None:
    """Refused as plain text, too, it is passed over."""

    async def story() -> list[int]:
        world, sender = World(), ScriptedSender(["never", "never"])
        keys = [world.add(number) for number in range(10)]
        replica = Replica(world, [sink(kind="Slack")], {"ops": sender})
        for web in keys:
            replica.look(web, "Started")
        await replica.settle(20)
        replica.look(keys[0], "StepStarted")
        await replica.settle(20)
        return sender.numbers()

    assert play(story()) == [2]


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
        return [len(message.notices) + message.more for message in sender.taken]

    assert play(story()) == [6 * 104]
