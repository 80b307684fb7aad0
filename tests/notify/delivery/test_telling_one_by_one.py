"""One sink that is told one by one: what it gets, when, in which order, and what is recorded of that."""

import asyncio

from rollout.notify.message import Kind, Message
from tests.notify.delivery.hours import play
from tests.notify.delivery.world import Replica, ScriptedSender, World, sink


def test_a_transition_is_told_at_once() -> None:
    """What a pass makes is with the sink in the same second, with an id of its own."""

    async def story() -> ScriptedSender:
        world, sender = World(), ScriptedSender()
        web = world.add()
        replica = Replica(world, [sink()], {"ops": sender})
        replica.look(web, "Started")
        await replica.settle(0.01)
        return sender

    sender = play(story())

    assert [message.kind for message in sender.taken] == [Kind.TRANSITION]
    assert sender.taken[0].id.startswith("tr_")


def test_transitions_come_in_order_and_once() -> None:
    """Many transitions of one Rollout are told by their numbers, each once."""

    async def story() -> list[int]:
        world, sender = World(), ScriptedSender(takes_seconds=0.1)
        web = world.add()
        replica = Replica(world, [sink()], {"ops": sender})
        for _ in range(30):
            replica.look(web, "StepStarted")
            await replica.settle(0.03)
        await replica.settle(10)
        return sender.numbers()

    assert play(story()) == list(range(1, 31))


def test_history_is_not_told_to_a_sink_that_is_new() -> None:
    """A sink that is named later hears of what comes, not of what was."""

    async def story() -> list[int]:
        world, sender = World(), ScriptedSender()
        web = world.add(notify=())
        replica = Replica(world, [sink()], {"ops": sender})
        replica.look(web, "Started", "StepStarted")
        world.specs[web] = world.specs[world.add(2)]
        replica.look(web)
        replica.look(web, "Promoted")
        await replica.settle()
        return sender.numbers(web)

    assert play(story()) == [3]


def test_cursors_are_recorded_together_every_five_seconds() -> None:
    """What was told is recorded with the next tick, once for each Rollout."""

    async def story() -> tuple[int, int, list[int]]:
        world, sender = World(), ScriptedSender()
        keys = [world.add(number) for number in range(20)]
        replica = Replica(world, [sink()], {"ops": sender})
        for web in keys:
            replica.look(web, "Started")
        before = world.records
        await replica.settle(4.5)
        between = world.records - before
        await replica.settle(1.0)
        return between, world.records - before, [world.recorded[web].notified[0].number for web in keys]

    assert play(story()) == (0, 20, [1] * 20)


def test_a_pass_that_does_not_come_is_not_asked_for_again() -> None:
    """Those that fail have their own patience; when one comes, it records the newest cursors."""

    async def story() -> tuple[int, int]:
        world, sender = World(), ScriptedSender()
        web = world.add()
        replica = Replica(world, [sink()], {"ops": sender})
        replica.look(web, "Started")
        replica.records = False
        await replica.settle(6)
        before = replica.wakes
        await replica.settle(600)
        between = replica.wakes - before
        replica.records = True
        await replica.settle(11)
        return between, world.recorded[web].notified[0].number

    assert play(story()) == (0, 1)


def test_a_quiet_world_writes_nothing() -> None:
    """When all is recorded, no tick writes anything any more."""

    async def story() -> int:
        world, sender = World(), ScriptedSender()
        web = world.add()
        replica = Replica(world, [sink()], {"ops": sender})
        replica.look(web, "Started")
        await replica.settle(20)
        before = world.records
        await replica.settle(600)
        return world.records - before

    assert play(story()) == 0


def test_the_end_records_what_was_told() -> None:
    """A replica that ends in order leaves nothing that is told twice, and closes its senders."""

    async def story() -> tuple[list[int], bool]:
        world, sender = World(), ScriptedSender()
        web = world.add()
        replica = Replica(world, [sink()], {"ops": sender})
        replica.look(web, "Started")
        await replica.settle(0.1)
        await replica.notifier.aclose()
        Replica(world, [sink()], {"ops": sender})
        await asyncio.sleep(60)
        return sender.numbers(), sender.closed

    assert play(story()) == ([1], True)


def test_the_end_waits_a_second_at_most_for_a_record() -> None:
    """A store that takes nothing holds up nobody."""

    async def story() -> float:
        world, sender = World(), ScriptedSender()
        web = world.add()
        replica = Replica(world, [sink()], {"ops": sender})
        replica.look(web, "Started")
        await replica.settle(0.1)
        replica.records = False
        began = asyncio.get_running_loop().time()
        await replica.notifier.aclose()
        return asyncio.get_running_loop().time() - began

    assert 0.9 < play(story()) < 1.2


def test_what_is_under_way_may_come_to_its_end() -> None:
    """A message that is being taken when all ends is not sent again afterwards."""

    async def story() -> list[int]:
        world, sender = World(), ScriptedSender(takes_seconds=0.3)
        web = world.add()
        replica = Replica(world, [sink()], {"ops": sender})
        replica.look(web, "Started", "StepStarted")
        await replica.settle(0.1)
        await replica.notifier.aclose()
        Replica(world, [sink()], {"ops": sender})
        await asyncio.sleep(60)
        return sender.numbers()

    assert play(story()) == [1, 2]


def test_a_kill_has_things_told_again_with_the_same_id() -> None:
    """What was told and not recorded comes again, and can be known by its id."""

    async def story() -> ScriptedSender:
        world, sender = World(), ScriptedSender()
        web = world.add()
        replica = Replica(world, [sink()], {"ops": sender})
        replica.look(web, "Started", "StepStarted")
        await replica.settle(1)
        replica.kill()
        Replica(world, [sink()], {"ops": sender})
        await asyncio.sleep(1)
        return sender

    sender = play(story())

    assert sender.numbers() == [1, 2, 1, 2]
    assert [message.id for message in sender.taken[:2]] == [message.id for message in sender.taken[2:]]


def test_a_slow_sink_gets_eight_messages_at_once_at_most() -> None:
    """However many Rollouts wait, few messages are under way, one for each Rollout."""

    async def story() -> int:
        world, sender = World(), ScriptedSender(takes_seconds=1.0)
        keys = [world.add(number) for number in range(40)]
        replica = Replica(world, [sink()], {"ops": sender})
        for web in keys:
            replica.look(web, "Started", "StepStarted")
        await replica.settle(60)
        return sender.most_at_once

    assert play(story()) == 8


def test_later_messages_of_an_attempt_belong_to_its_thread() -> None:
    """The thread that the sink names goes with what follows, until another attempt begins; a restart keeps it."""

    async def story() -> list[str]:
        world, sender = World(), ScriptedSender()
        web = world.add()
        replica = Replica(world, [sink()], {"ops": sender})
        replica.look(web, "Started", "StepStarted")
        await replica.settle(10)
        await replica.notifier.aclose()
        replica = Replica(world, [sink()], {"ops": sender})
        replica.look(web, "Promoted")
        replica.look(web, "Started", attempt=2)
        await replica.settle(10)
        return [message.thread for message in sender.taken]

    assert play(story()) == ["", "thread-1", "thread-1", ""]


def test_what_was_folded_is_told_as_a_number() -> None:
    """A sink that was away for more transitions than are kept is told how many it missed, then of the rest."""

    async def story() -> ScriptedSender:
        world, sender = World(), ScriptedSender(always="down")
        web = world.add()
        replica = Replica(world, [sink()], {"ops": sender})
        for _ in range(130):
            replica.look(web, "StepStarted")
        await replica.settle(60)
        sender.always = "take"
        await replica.settle(600)
        assert replica.notifier.standings()[0].folded == 30
        return sender

    sender = play(story())

    assert [(message.kind, message.more) for message in sender.taken[:2]] == [(Kind.EARLIER, 30), (Kind.TRANSITION, 0)]
    assert sender.numbers() == list(range(31, 131))


def test_a_thread_that_is_too_long_is_left_out() -> None:
    """A cursor has room for the names of threads that sinks really have."""

    class Wordy(ScriptedSender):
        async def send(self, message: Message) -> str:
            return await super().send(message) + "x" * 200

    async def story() -> str:
        world = World()
        web = world.add()
        replica = Replica(world, [sink()], {"ops": Wordy()})
        replica.look(web, "Started")
        await replica.settle(10)
        return world.recorded[web].notified[0].thread

    assert play(story()) == ""
