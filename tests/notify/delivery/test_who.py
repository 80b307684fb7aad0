"""Who is told of what: by name or of all, by words, namespace and label; and whose Rollouts."""

import asyncio
from collections.abc import Iterable

import pytest

from rollout.engine.state import State
from rollout.engine.table import Phase
from rollout.failover.table import Stage
from rollout.notify.sinks import Sink
from tests.notify.delivery.hours import play
from tests.notify.delivery.world import Replica, ScriptedSender, World, rollout, sink


async def _told(world: World, sinks: Iterable[Sink], *made: str) -> dict[str, list[int]]:
    """Return what each sink was told after each Rollout of the world made these transitions."""
    sinks = tuple(sinks)
    senders = {one.name: ScriptedSender() for one in sinks}
    replica = Replica(world, sinks, senders)
    for web in tuple(world.recorded):
        for reason in made:
            replica.look(web, reason)
    await replica.settle(12)
    for state in world.recorded.values():
        assert {cursor.number for cursor in state.notified} <= {len(made)}
    return {name: sender.numbers() for name, sender in senders.items()}


def test_a_sink_is_told_of_rollouts_that_name_it() -> None:
    """Nobody else's, unless it is told of every Rollout."""
    world = World()
    world.add(1)
    world.add(2, ())

    told = play(_told(world, [sink(), sink("audit", every=True), sink("other")], "Started"))

    assert told == {"ops": [1], "audit": [1, 1], "other": []}


def test_a_rollout_says_of_what() -> None:
    """A sink that is named twice is told of both."""
    world = World()
    world.add(1, [{"sink": "ops", "on": ["Aborted"]}, {"sink": "ops", "on": ["Promoted"]}])

    assert play(_told(world, [sink()], "Started", "Promoted", "Started", "Aborted")) == {"ops": [2, 4]}


def test_named_once_for_all_is_all() -> None:
    """A wish for everything beside one for something is for everything."""
    world = World()
    world.add(1, [{"sink": "ops", "on": ["Aborted"]}, {"sink": "ops"}, {"sink": "ops", "on": ["Promoted"]}])

    assert play(_told(world, [sink()], "Started", "Promoted")) == {"ops": [1, 2]}


def test_a_sink_says_of_what_too() -> None:
    """What both want is told."""
    world = World()
    world.add(1, [{"sink": "ops", "on": ["Aborted", "Promoted"]}])

    assert play(_told(world, [sink(on=["Started", "Aborted"])], "Started", "Promoted", "Aborted")) == {"ops": [3]}


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"namespaces": ["shop"]}, [1]),
        ({"namespaces": ["sh*", "x"]}, [1]),
        ({"namespaces": ["*op"]}, [1]),
        ({"namespaces": ["s.op"]}, []),
        ({"namespaces": ["bank-*"]}, []),
        ({"labels": {"team": "web"}}, [1]),
        ({"labels": {"team": "web", "tier": "1"}}, []),
    ],
)
def test_namespace_and_labels(fields: dict[str, object], told: list[int]) -> None:
    """A sink takes what fits, of those that name it as of all."""
    world = World()
    world.add(1, labels={"team": "web"})

    assert play(_told(world, [sink(every=True, **fields)], "Started")) == {"ops": told}


def test_a_sink_that_may_not_be_told_says_so() -> None:
    """A Rollout that names a sink which does not take it reads why; a sink of all is not mentioned."""
    world = World()
    web = world.add(1)

    play(_told(world, [sink(namespaces=["bank"]), sink("audit", every=True, namespaces=["bank"])], "Started"))

    assert [(cursor.sink, cursor.problem) for cursor in world.recorded[web].notified] == [
        ("ops", "the sink is not told of this namespace or these labels")
    ]


@pytest.mark.parametrize(
    ("word", "numbers"), [("Aborted", [3]), ("Progressing", [1]), ("FailedOver", [2]), ("Normal", [3])]
)
def test_phases_are_words_too(word: str, numbers: list[int]) -> None:
    """A transition is told for the phase, or that of failover, which it went into, and for no other it is in."""

    async def story() -> list[int]:
        world, sender = World(), ScriptedSender()
        web = world.add(1, [{"sink": "ops", "on": [word]}])
        replica = Replica(world, [sink()], {"ops": sender})
        replica.look(web, "Started", stage=Stage.NORMAL)
        replica.look(web, "BackendDown", stage=Stage.FAILED_OVER)
        replica.look(web, "ChecksFailed", phase=Phase.ABORTED, stage=Stage.NORMAL)
        replica.look(web, "Noted", phase=Phase.ABORTED, stage=Stage.NORMAL)
        await replica.settle()
        return sender.numbers()

    assert play(story()) == numbers


def test_another_wish_counts_from_then_on() -> None:
    """A spec that changes has what is owed looked at anew."""

    async def story() -> list[int]:
        world, sender = World(), ScriptedSender()
        web = world.add(1, [{"sink": "ops", "on": ["Aborted"]}])
        replica = Replica(world, [sink()], {"ops": sender})
        replica.look(web, "Started")
        await replica.settle()
        world.specs[web] = rollout(web, [{"sink": "ops"}])
        replica.look(web)
        replica.look(web, "Promoted")
        await replica.settle()
        return sender.numbers()

    assert play(story()) == [2]


def test_a_rollout_that_became_invalid_is_told_of() -> None:
    """Those who were told before hear of it, although the spec says nothing any more."""

    async def story() -> list[int]:
        world, sender = World(), ScriptedSender()
        web = world.add(1)
        replica = Replica(world, [sink()], {"ops": sender})
        replica.look(web, "Started")
        world.specs[web] = None
        replica.look(web, "SpecInvalid")
        await replica.settle(10)
        await replica.notifier.aclose()
        replica = Replica(world, [sink()], {"ops": sender})
        replica.look(web, "SpecInvalid")
        await replica.settle(10)
        return sender.numbers()

    assert play(story()) == [1, 2, 3]


def test_a_sink_that_is_not_wanted_any_more_is_forgotten() -> None:
    """What it was owed it is not told, and no cursor of it stays."""

    async def story() -> tuple[list[int], State]:
        world, sender = World(), ScriptedSender(always="down")
        web = world.add(1)
        replica = Replica(world, [sink()], {"ops": sender})
        replica.look(web, "Started")
        await replica.settle(10)
        world.specs[web] = rollout(web)
        sender.always = "take"
        replica.look(web)
        await replica.settle(600)
        assert replica.notifier.standings()[0].pending == 0
        return sender.numbers(), world.recorded[web]

    numbers, state = play(story())

    assert numbers == []
    assert state.notified == ()


def test_only_who_acts_for_it_tells() -> None:
    """A Rollout that is lost in the middle is told of by the next replica, from where the record says."""

    async def story() -> tuple[list[int], list[int]]:
        world, first, second = World(), ScriptedSender(takes_seconds=0.9), ScriptedSender()
        web = world.add(1)
        replica = Replica(world, [sink()], {"ops": first})
        for _ in range(8):
            replica.look(web, "StepStarted")
        await replica.settle(6)
        replica.lose()
        Replica(world, [sink()], {"ops": second})
        await asyncio.sleep(60)
        return first.numbers(), second.numbers()

    first, second = play(story())

    assert first == [1, 2, 3, 4, 5, 6, 7]  # the last was under way
    assert second == [6, 7, 8]


def test_who_regains_a_rollout_goes_on_from_the_record() -> None:
    """What others told of meanwhile is not told again."""

    async def story() -> list[int]:
        world, sender = World(), ScriptedSender()
        web = world.add(1)
        replica, other = Replica(world, [sink()], {"ops": sender}), Replica(world, [sink()], {"ops": sender})
        other.lose()
        replica.look(web, "Started")
        await replica.settle(6)
        replica.lose()
        other.gain()
        other.look(web, "StepStarted")
        await replica.settle(6)
        other.lose()
        replica.gain()
        replica.look(web, "Promoted")
        await replica.settle(6)
        return sender.numbers()

    assert play(story()) == [1, 2, 3]


def test_another_life_of_a_name_is_another_rollout() -> None:
    """A Rollout that was deleted and made again begins at one, with other ids."""

    async def story() -> ScriptedSender:
        world, sender = World(), ScriptedSender()
        web = world.add(1)
        replica = Replica(world, [sink()], {"ops": sender})
        replica.look(web, "Started", "Promoted")
        await replica.settle()
        replica.live.pop(web)
        world.uids[web], world.recorded[web] = "another", State()
        replica.look(web, "Started")
        await replica.settle()
        return sender

    sender = play(story())

    assert sender.numbers() == [1, 2, 1]
    assert len({message.id for message in sender.taken}) == 3


def test_what_is_under_way_of_a_life_that_is_over() -> None:
    """It says nothing of what the next life was told."""

    async def story() -> list[str]:
        world, sender = World(), ScriptedSender(takes_seconds=4.0)
        web = world.add(1)
        replica = Replica(world, [sink()], {"ops": sender})
        replica.look(web, "Started", "StepStarted")
        await replica.settle(1)
        replica.live.pop(web)
        world.uids[web], world.recorded[web] = "another", State()
        replica.look(web, "Baseline")
        await replica.settle(60)
        return [notice.reason for notice in sender.notices()]

    assert play(story()) == ["Started", "Baseline"]


def test_what_is_under_way_of_what_did_not_happen() -> None:
    """What takes the number of a transition that was never recorded is told, too."""

    async def story() -> list[str]:
        world, sender = World(), ScriptedSender(takes_seconds=4.0)
        web = world.add(1)
        replica = Replica(world, [sink()], {"ops": sender})
        replica.look(web)
        before = world.recorded[web]
        replica.look(web, "Aborted")
        await replica.settle(1)
        world.recorded[web] = before
        replica.live.pop(web)
        replica.look(web, "Promoted")
        await replica.settle(60)
        return [notice.reason for notice in sender.notices()]

    assert play(story()) == ["Aborted", "Promoted"]


def test_the_last_words_of_a_rollout_that_is_gone() -> None:
    """What it made before it went is told, and then nothing is kept of it."""

    async def story() -> list[int]:
        world, sender = World(), ScriptedSender(["down"] * 9)
        web = world.add(1)
        replica = Replica(world, [sink()], {"ops": sender})
        replica.look(web, "Aborted")
        del world.recorded[web], world.specs[web]
        replica.look(web)
        await replica.settle(120)
        assert replica.notifier.standings()[0].pending == 0
        assert replica.notifier.told(web) == ()
        return sender.numbers()

    assert play(story()) == [1]


@pytest.mark.parametrize("kind", ["CloudEvents", "Slack"])
def test_the_last_words_of_a_rollout_that_the_store_still_shows(kind: str) -> None:
    """No pass is made over it any more, while somebody else's finalizer keeps it; what it made is told all the same."""

    async def story() -> list[int]:
        world, sender = World(), ScriptedSender()
        web = world.add(1)
        replica = Replica(world, [sink(kind=kind)], {"ops": sender})
        replica.look(web, "Started")
        await replica.settle(10)
        replica.look(web, "Aborted", phase=Phase.ABORTED)
        await replica.settle(0.02)
        replica.live.pop(web)
        await replica.settle(60)
        del world.recorded[web]
        await replica.settle(120)
        assert replica.notifier.told(web) == ()
        return sender.numbers()

    assert play(story()) == [1, 2]


def test_what_was_never_recorded_did_not_happen() -> None:
    """A transition that was told and then lost with its state leaves its number to the one that takes its place."""

    async def story() -> list[str]:
        world, sender = World(), ScriptedSender()
        web = world.add(1)
        replica = Replica(world, [sink()], {"ops": sender})
        replica.look(web)
        before = world.recorded[web]
        replica.look(web, "Aborted")
        await replica.settle(0.1)
        world.recorded[web] = before
        replica.live.pop(web)
        replica.look(web)
        replica.look(web, "Promoted")
        await replica.settle()
        return [notice.reason for message in sender.taken for notice in message.notices]

    assert play(story()) == ["Aborted", "Promoted"]


def test_people_see_how_far_each_sink_was_told() -> None:
    """At once, not when it is recorded."""

    async def story() -> list[tuple[str, int]]:
        world = World()
        web = world.add(1, [{"sink": "ops"}, {"sink": "dead"}])
        senders = {"ops": ScriptedSender(), "dead": ScriptedSender(always="down")}
        replica = Replica(world, [sink(), sink("dead")], senders)
        replica.look(web, "Started")
        await replica.settle(0.1)
        return [(cursor.sink, cursor.number) for cursor in replica.notifier.told(web)]

    assert play(story()) == [("ops", 1), ("dead", 0)]
