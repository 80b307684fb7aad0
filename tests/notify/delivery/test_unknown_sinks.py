"""A sink that Rollouts name and nobody set up: nothing is kept for it, and once it is there it hears what is new."""

from rollout.engine.state import MOST_TRANSITIONS, State
from tests.notify.delivery.hours import play
from tests.notify.delivery.world import Replica, ScriptedSender, World, sink


def test_nothing_is_kept_for_a_sink_that_is_not_set_up() -> None:
    """A name that is wrong makes no status large."""

    async def story() -> State:
        world = World()
        web = world.add(notify=[{"sink": "nowhere"}])
        replica = Replica(world, [sink()], {"ops": ScriptedSender()})
        for _ in range(3 * MOST_TRANSITIONS):
            replica.look(web, "StepStarted")
        return world.recorded[web]

    assert len(play(story()).transitions) <= MOST_TRANSITIONS + 1


def test_a_sink_that_is_set_up_later_hears_what_is_new() -> None:
    """Of what was before it is told nothing, as every sink that is new; and its problem is gone."""

    async def story() -> tuple[list[str], str]:
        world, sender = World(), ScriptedSender()
        web = world.add(notify=[{"sink": "late"}])
        replica = Replica(world, [sink()], {"ops": ScriptedSender()})
        replica.look(web, "Started", "Promoted")
        await replica.settle(10)
        await replica.notifier.aclose()
        replica = Replica(world, [sink("late")], {"late": sender})
        replica.look(web, "NewRevision")
        await replica.settle(10)
        return [notice.reason for notice in sender.notices()], world.recorded[web].notified[0].problem

    assert play(story()) == (["NewRevision"], "")
