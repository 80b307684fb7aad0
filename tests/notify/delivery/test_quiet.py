"""Quiet hours: nothing but what is loud, and all of it afterwards, in order."""

from tests.notify.delivery.hours import BEGIN, play
from tests.notify.delivery.world import Nights, Replica, ScriptedSender, World, sink

NIGHT = {"during": ["* 0-9 * * *"], "except": ["Aborted"]}


async def _night(*made: str, kind: str = "CloudEvents", rollouts: int = 1, hours: float = 1) -> ScriptedSender:
    """Return a sender after so many hours, two of which were quiet from the beginning."""
    world, sender = World(), ScriptedSender()
    quiet = {"ops": Nights(BEGIN + 7200)}
    keys = [world.add(number) for number in range(rollouts)]
    replica = Replica(world, [sink(kind=kind, quiet=NIGHT)], {"ops": sender}, quiet=quiet)
    for web in keys:
        for reason in made:
            replica.look(web, reason)
    await replica.settle(hours * 3600)
    standing = replica.notifier.standings()[0]
    assert standing.quiet is (hours < 2)
    return sender


def test_nothing_is_told_in_quiet_hours() -> None:
    """What is not urgent waits."""
    assert play(_night("Started")).tries == 0


def test_all_is_told_when_they_end() -> None:
    """The first minute after the quiet hours brings what waited."""
    sender = play(_night("Started", "StepStarted", hours=2.01))

    assert sender.numbers() == [1, 2]
    assert 7200 <= sender.times[0] < 7260


def test_what_waited_is_told_together() -> None:
    """A chat gets one message with a list in the morning."""
    sender = play(_night("Started", kind="Slack", rollouts=8, hours=3))

    assert len(sender.taken) == 1
    assert len(sender.taken[0].notices) == 8


def test_a_loud_reason_is_told_at_any_hour() -> None:
    """It brings what came before it of the same Rollout, as order demands, and not what came after."""
    sender = play(_night("Started", "Aborted", "StepStarted"))

    assert sender.numbers() == [1, 2]


def test_few_that_are_loud_wake_nobody_else() -> None:
    """One Rollout is loud; of the others nothing is told."""

    async def story() -> list[str]:
        world, sender = World(), ScriptedSender()
        quiet = {"ops": Nights(BEGIN + 7200)}
        keys = [world.add(number) for number in range(9)]
        replica = Replica(world, [sink(kind="Slack", quiet=NIGHT)], {"ops": sender}, quiet=quiet)
        for web in keys:
            replica.look(web, "Started")
        replica.look(keys[3], "Aborted")
        await replica.settle(3600)
        return [f"{notice.key.name} {notice.number}" for message in sender.taken for notice in message.notices]

    assert play(story()) == ["web-3 1", "web-3 2"]
