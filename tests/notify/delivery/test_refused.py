"""Messages that a sink refuses as they are: people get the plain text of it, and programs never another event."""

from rollout.notify.message import Message
from rollout.signals import SinkStanding
from tests.notify.delivery.hours import play
from tests.notify.delivery.world import Replica, ScriptedSender, World, sink


async def _after(sender: ScriptedSender, kind: str) -> tuple[list[Message], SinkStanding]:
    """Return what a sink of this kind took when two transitions were made, and how it goes with it."""
    world = World()
    web = world.add()
    replica = Replica(world, [sink(kind=kind)], {"ops": sender})
    replica.look(web, "Started", "Promoted")
    await replica.settle(60)
    assert world.recorded[web].notified[0].number == 2
    return sender.taken, replica.notifier.standings()[0]


def test_people_get_the_plain_text() -> None:
    """A message that the sink cannot take as it is goes again without its details."""
    taken, _ = play(_after(ScriptedSender(["refuse", "refuse"]), "Slack"))

    assert [len(message.notices) for message in taken] == [0, 1]
    assert taken[0].id.startswith("tr_")


def test_a_program_gets_no_other_event() -> None:
    """Two bodies under one id: who drops what it has had would drop the real one for one that says nothing."""
    taken, standing = play(_after(ScriptedSender(["refuse"]), "CloudEvents"))

    assert [[notice.number for notice in message.notices] for message in taken] == [[2]]
    assert (standing.delivered, standing.failed) == (1, 1)


def test_a_mistake_of_ours_costs_a_program_no_event() -> None:
    """What failed as nobody expected is tried again as it is."""
    taken, _ = play(_after(ScriptedSender(["fault"] * 5), "CloudEvents"))

    assert [[notice.number for notice in message.notices] for message in taken] == [[1], [2]]
