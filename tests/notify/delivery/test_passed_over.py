"""What is refused, alone or as if the sink took nothing, and mistakes of ours: nothing else waits for that."""

from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from rollout.engine.state import State
from rollout.errors import PermanentError
from rollout.notify.delivery.book import Book
from rollout.notify.delivery.gathering import Gathering
from rollout.notify.delivery.options import Options
from rollout.notify.message import Message
from rollout.signals import SinkStanding
from tests.notify.delivery.hours import play
from tests.notify.delivery.world import SECRET, Replica, ScriptedSender, World, sink


def test_what_is_refused_for_good_is_passed_over() -> None:
    """One bad message does not keep the next ones; it is told of in the log, and counted."""

    async def story() -> tuple[list[int], SinkStanding]:
        world, sender = World(), ScriptedSender(["never"])
        web = world.add()
        replica = Replica(world, [sink()], {"ops": sender})
        replica.look(web, "Started", "Promoted")
        await replica.settle(10)
        assert world.recorded[web].notified[0].number == 2
        return sender.numbers(), replica.notifier.standings()[0]

    with capture_logs() as logs:
        numbers, standing = play(story())

    assert (numbers, standing.delivered, standing.failed) == ([2], 1, 1)
    assert "a sink refused a message" in [line["event"] for line in logs]


def test_what_was_passed_over_can_be_found() -> None:
    """The log names it, its cursor says why until more is told, and it is counted."""

    async def story() -> tuple[State, SinkStanding]:
        world, sender = World(), ScriptedSender(["take", "never", "never"])
        web = world.add()
        replica = Replica(world, [sink()], {"ops": sender})
        replica.look(web, "Started", "StepStarted")
        await replica.settle(60)
        return world.recorded[web], replica.notifier.standings()[0]

    with capture_logs() as logs:
        state, standing = play(story())

    (line,) = (line for line in logs if line["event"] == "a sink refused a message")
    assert (line["rollout"], line["number"], line["id"][:3]) == ("shop/web-1", 2, "tr_")
    assert [(cursor.number, cursor.problem) for cursor in state.notified] == [(2, "it is too large")]
    assert standing.passed_over == 1


def _forbids(name: str) -> ScriptedSender:
    """Return a sender that says of messages about one Rollout that the sink takes nothing."""

    class Wall(ScriptedSender):
        async def send(self, message: Message) -> str:
            if name in message.title:
                self.tries += 1
                raise PermanentError("answered 403")
            return await ScriptedSender.send(self, message)

    return Wall()


def test_one_message_that_is_forbidden_stops_nobody_for_ever() -> None:
    """Another one is tried next; when the sink takes that, the first gets one more chance and is passed over then."""

    async def story() -> tuple[list[str], list[int], SinkStanding]:
        world, sender = World(), _forbids("web-1:")
        keys = [world.add(number) for number in range(1, 4)]
        replica = Replica(world, [sink()], {"ops": sender}, options=Options(places=1))
        for web in keys:
            replica.look(web, "Started")
        await replica.settle(310)
        for web in keys:
            replica.look(web, "StepStarted")
        await replica.settle(1)
        told = [f"{notice.key.name} {notice.number}" for notice in sender.notices()]
        await replica.settle(400)
        return told, [world.recorded[web].notified[0].number for web in keys], replica.notifier.standings()[0]

    told, cursors, standing = play(story())

    assert told[:2] == ["web-2 1", "web-3 1"]
    assert cursors == [2, 2, 2]
    assert standing.passed_over == 2


def test_a_mistake_in_the_worker_is_a_pause() -> None:
    """It is logged without its words, counted, and all goes on."""

    async def story() -> tuple[list[int], SinkStanding]:
        world, sender = World(), ScriptedSender()
        web = world.add()
        replica = Replica(world, [sink(kind="Slack")], {"ops": sender})
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Gathering, "came", lambda *_: dict[str, Gathering]()[SECRET])
            replica.look(web, "Started")
            await replica.settle(1.5)
        standing = replica.notifier.standings()[0]
        await replica.settle(20)
        return sender.numbers(), standing

    with capture_logs() as logs:
        numbers, standing = play(story())

    assert numbers == [1]
    assert standing.problem == "a mistake of ours (KeyError)"
    assert standing.failed > 0
    assert "telling failed" in [line["event"] for line in logs]
    assert SECRET not in str(logs)


def test_a_mistake_of_ours_ends_no_telling(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message that cannot be made is logged and tried again later; other Rollouts are told."""

    async def story(break_it: Callable[[Replica], None]) -> list[int]:
        world, sender = World(), ScriptedSender()
        first, second = world.add(1), world.add(2)
        replica = Replica(world, [sink()], {"ops": sender})
        world.uids[first] = "first"
        break_it(replica)
        replica.look(first, "Started")
        replica.look(second, "Started")
        await replica.settle(60)
        return sender.numbers()

    def break_it(replica: Replica) -> None:
        monkeypatch.setattr(
            "rollout.notify.delivery.writing.notice_of",
            lambda key, uid, *rest, **more: 1 / 0 if uid else notice_of(key, uid, *rest, **more),
        )

    from rollout.notify.notices import notice_of  # noqa: PLC0415 - the real one

    with capture_logs() as logs:
        numbers = play(story(break_it))

    assert numbers == [1]
    assert "telling failed" in [line["event"] for line in logs]


def test_a_rollout_that_cannot_be_looked_at_keeps_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake with one Rollout, or with the record, is logged; the rest goes on."""

    async def story() -> list[str]:
        world, sender = World(), ScriptedSender()
        first, second = world.add(1), world.add(2)
        replica = Replica(world, [sink()], {"ops": sender})
        owed, unrecorded = Book.owed, Book.unrecorded
        monkeypatch.setattr(Book, "owed", lambda self, key, sink: owed(self, key, sink) if key == second else 1 / 0)
        monkeypatch.setattr(Book, "unrecorded", lambda self: 1 / 0)
        replica.look(first, "Started")
        replica.look(second, "Started")
        await replica.settle(6)
        monkeypatch.setattr(Book, "unrecorded", unrecorded)
        await replica.settle(6)
        assert world.recorded[second].notified[0].number == 1
        return [str(notice.key) for notice in sender.notices()]

    with capture_logs() as logs:
        told = play(story())

    assert told == ["shop/web-2"]
    assert {"nobody is told of a Rollout", "cursors were not recorded"} <= {line["event"] for line in logs}
