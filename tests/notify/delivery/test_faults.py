"""Sinks that fail, hang, are busy, refuse, or are broken: what that costs, and what comes of the messages."""

import asyncio

import pytest
from structlog.testing import capture_logs

from rollout.errors import NotOursError, TemporaryError, Unavailable
from rollout.notify.delivery.options import Options
from rollout.notify.delivery.writing import Listing, Writer
from rollout.notify.message import Message
from rollout.signals import SinkStanding
from tests.notify.delivery.hours import play
from tests.notify.delivery.world import SECRET, Replica, ScriptedSender, World, sink


async def _after(sender: ScriptedSender, seconds: float, *, rollouts: int = 1) -> tuple[Replica, SinkStanding]:
    """Return a replica and how it goes with its sink so long after each Rollout made a transition."""
    world = World()
    keys = [world.add(number) for number in range(rollouts)]
    replica = Replica(world, [sink()], {"ops": sender})
    for web in keys:
        replica.look(web, "Started")
    await replica.settle(seconds)
    return replica, replica.notifier.standings()[0]


def test_a_try_that_fails_is_made_again() -> None:
    """Two failures cost less than a second, and are counted."""
    sender = ScriptedSender(["down", "down"])

    _, standing = play(_after(sender, 1.0))

    assert sender.numbers() == [1]
    assert (standing.delivered, standing.failed, standing.problem, standing.pending) == (1, 2, "", 0)


def test_an_answer_that_is_lost_has_the_same_id_sent_again() -> None:
    """Whether the sink took it or not is not known, so it comes again, as the same."""
    sender = ScriptedSender(["lost"])

    play(_after(sender, 1.0))

    assert sender.numbers() == [1, 1]
    assert len({message.id for message in sender.taken}) == 1


def test_a_dead_sink_costs_next_to_nothing() -> None:
    """After five deliveries that failed a dead sink is tried less and less, down to once in five minutes."""
    sender = ScriptedSender(always="down")

    _, standing = play(_after(sender, 6 * 3600, rollouts=100))

    assert sender.tries < 3 * (8 + 10 + 6 * 12 * 1.3)
    assert (standing.pending, standing.delivered, standing.problem) == (100, 0, "connection refused")
    assert standing.closed_until > 0
    assert standing.lag_seconds > 6 * 3600 - 1


def test_one_message_tries_a_sink_that_was_left_alone() -> None:
    """When its time is over, one message goes, and the rest when that was taken."""

    async def story() -> tuple[int, list[int]]:
        sender = ScriptedSender(always="down", takes_seconds=0.1)
        replica, _ = await _after(sender, 5, rollouts=100)
        sender.always, sender.most_at_once = "take", 0
        before = sender.tries
        while sender.tries == before:
            await asyncio.sleep(0.01)
        alone = sender.most_at_once
        await replica.settle(10)
        return alone, sender.numbers()

    alone, numbers = play(story())

    assert alone == 1
    assert numbers == [1] * 100


def test_a_busy_sink_is_left_alone_for_as_long_as_it_says() -> None:
    """Nothing is tried of any Rollout while Retry-After lasts, also not what is under way."""

    async def story() -> tuple[int, int, int]:
        sender = ScriptedSender(["busy"] + ["down"] * 7)
        replica, _ = await _after(sender, 29, rollouts=50)
        during = sender.tries
        await replica.settle(2)
        return during, sender.tries, len(sender.taken)

    assert play(story()) == (8, 58, 50)


def test_a_sink_that_hangs_is_given_up_for_a_while() -> None:
    """Tries that hang until their time is up count as failures."""
    sender = ScriptedSender(always="hang")

    _, standing = play(_after(sender, 20, rollouts=10))

    assert standing.closed_until > 0
    assert standing.problem == "no answer within 5 s"


def test_a_sender_that_never_ends_is_ended() -> None:
    """A sender without a time limit of its own holds up nothing for ever."""
    sender = ScriptedSender(["stuck"])

    play(_after(sender, 60))

    assert sender.numbers() == [1]


def test_a_sink_that_takes_nothing_is_left_alone_at_once() -> None:
    """A revoked token is not tried three times, nor five; it is asked again after some minutes."""

    async def story() -> tuple[int, int]:
        sender = ScriptedSender(always="broken")
        replica, _ = await _after(sender, 200)
        before, sender.always = sender.tries, "take"
        await replica.settle(110)
        return before, len(sender.taken)

    assert play(story()) == (1, 1)


def test_a_sink_that_takes_nothing_has_nothing_passed_over() -> None:
    """However long it takes to give it another token."""

    async def story() -> tuple[ScriptedSender, SinkStanding]:
        sender = ScriptedSender(always="broken", takes_seconds=0.1)
        replica, _ = await _after(sender, 4 * 3600, rollouts=20)
        sender.always = "take"
        await replica.settle(400)
        return sender, replica.notifier.standings()[0]

    sender, standing = play(story())

    assert sender.numbers() == [1] * 20
    assert standing.passed_over == 0


@pytest.mark.parametrize("kind", ["CloudEvents", "Slack"])
def test_a_sink_that_is_always_busy_is_asked_less_and_less(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However short it says that it wants to be left alone; and no list is made before it may be sent."""
    lists = list[int]()
    many = Writer.many

    def counted(writer: Writer, listing: Listing) -> Message:
        lists.append(1)
        return many(writer, listing)

    monkeypatch.setattr(Writer, "many", counted)

    async def story() -> ScriptedSender:
        world, sender = World(), ScriptedSender(always="busy a little")
        keys = [world.add(number) for number in range(100)]
        replica = Replica(world, [sink(kind=kind)], {"ops": sender})
        for web in keys:
            replica.look(web, "Started")
        await replica.settle(3600)
        tries, sender.always = sender.tries, "take"
        await replica.settle(600)
        assert tries < 8 * 5 + 20
        return sender

    sender = play(story())

    assert sum(len(message.notices) + message.more for message in sender.taken) == 100
    assert len(lists) < 8


def test_a_trial_that_is_taken_opens_a_busy_sink() -> None:
    """What it said of its own hours counts no more."""

    async def story() -> list[int]:
        sender = ScriptedSender(["busy"])
        replica, _ = await _after(sender, 1)
        await replica.notifier.trial("ops", by="jane")
        await replica.settle(1)
        return sender.numbers()

    assert play(story()) == [1]


def test_a_mistake_in_a_sender_tells_no_secret() -> None:
    """What a library throws is named by its kind only: its words may have the address in them."""
    sender = ScriptedSender(always="fault")

    with capture_logs() as logs:
        _, standing = play(_after(sender, 60))

    assert standing.problem == "failed unexpectedly (TypeError)"
    assert logs
    assert SECRET not in str(logs)
    assert "s3cr3t" not in str(standing)


def test_a_dead_sink_slows_no_other() -> None:
    """Four sinks are told within a moment while the fifth hangs."""

    async def story() -> list[float]:
        world = World()
        senders = {f"sink-{number}": ScriptedSender() for number in range(5)}
        senders["sink-4"].always = "stuck"
        keys = [world.add(number, [{"sink": name} for name in senders]) for number in range(100)]
        replica = Replica(world, [sink(name) for name in senders], senders)
        for web in keys:
            replica.look(web, "Started")
        await replica.settle(30)
        return [at for name, sender in senders.items() if name != "sink-4" for at in sender.times]

    times = play(story())

    assert len(times) == 400
    assert max(times) < 0.1


def test_why_a_sink_is_not_told_stands_in_its_cursor() -> None:
    """The record says what speaks against it, and no more of it when it was told."""

    async def story() -> tuple[str, str]:
        world, sender = World(), ScriptedSender(always="down")
        web = world.add()
        replica = Replica(world, [sink()], {"ops": sender})
        replica.look(web, "Started")
        await replica.settle(10)
        then, sender.always = world.recorded[web].notified[0].problem, "take"
        await replica.settle(60)
        return then, world.recorded[web].notified[0].problem

    assert play(story()) == ("connection refused", "")


def test_a_sink_that_is_not_set_up_says_so() -> None:
    """Its cursor goes on, with the reason, so that nothing is kept for it; which takes few writes."""

    async def story() -> World:
        world = World()
        web = world.add(notify=[{"sink": "nowhere"}])
        replica = Replica(world, [sink()], {"ops": ScriptedSender()})
        for _ in range(3):
            replica.look(web)
        replica.look(web, "Started")
        replica.look(web)
        await replica.settle(600)
        return world

    world = play(story())

    (state,) = world.recorded.values()
    assert [(one.sink, one.number, one.problem) for one in state.notified] == [("nowhere", 1, "no such sink is set up")]
    assert world.records <= 3


@pytest.mark.parametrize(
    ("act", "error"), [("down", Unavailable), ("hang", Unavailable), ("fault", TemporaryError)], ids=str
)
def test_a_trial_is_one_try(act: str, error: type[Exception]) -> None:
    """Who asks for a trial hears what came of one try."""

    async def story() -> tuple[int, SinkStanding]:
        sender = ScriptedSender([act])
        replica = Replica(World(), [sink()], {"ops": sender})
        with pytest.raises(error):
            await replica.notifier.trial("ops", by="jane")
        return sender.tries, replica.notifier.standings()[0]

    tries, standing = play(story())

    assert (tries, standing.failed, standing.delivered) == (1, 1, 0)


def test_a_trial_that_is_taken_opens_the_way() -> None:
    """Who has mended a sink tries it, and all that waits is told at once."""

    async def story() -> list[int]:
        sender = ScriptedSender(always="down")
        replica, _ = await _after(sender, 60, rollouts=10)
        sender.always = "take"
        await replica.notifier.trial("ops", by="jane")
        await replica.settle(1)
        return sender.numbers()

    assert play(story()) == [1] * 10


def test_a_trial_of_no_sink_is_no_trial() -> None:
    """A name that nobody set up is said to be that."""

    async def story() -> None:
        replica = Replica(World(), [sink()], {"ops": ScriptedSender()})
        await replica.notifier.trial("nowhere", by="jane")

    with pytest.raises(NotOursError):
        play(story())


def test_a_sender_that_does_not_close_holds_up_nothing() -> None:
    """An end takes a second at most for connections that do not end."""

    class Clinging(ScriptedSender):
        async def aclose(self) -> None:
            await asyncio.Event().wait()

    async def story() -> float:
        replica = Replica(World(), [sink()], {"ops": Clinging()}, options=Options(last_words=0.1))
        await replica.notifier.aclose()
        return asyncio.get_running_loop().time()

    assert play(story()) < 1.5
