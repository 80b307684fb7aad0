"""A Rollout whose spec is invalid: whoever takes over tells those who were told, and nobody of more than was wanted."""

from collections.abc import Mapping, Sequence

import pytest

from rollout.engine.table import Phase
from tests.notify.delivery.hours import play
from tests.notify.delivery.world import Replica, ScriptedSender, World, sink


async def _told(
    notify: Sequence[object], fields: Mapping[str, object], *, labels: Mapping[str, str] | None = None
) -> list[str]:
    """Return of what a sink is told by the next process, when a spec became invalid in which it was named."""
    world, sender = World(), ScriptedSender()
    web = world.add(1, [{"sink": "ops"}], labels=labels)
    replica = Replica(world, [sink(**fields)], {"ops": ScriptedSender()})
    replica.look(web, "Started")
    await replica.settle(10)
    await replica.notifier.aclose()
    world.specs[web] = None
    spec = world.documents[web]["spec"]
    assert isinstance(spec, dict)
    spec["notify"] = notify
    replica = Replica(world, [sink(**fields)], {"ops": sender})
    replica.look(web, "SpecInvalid", phase=Phase.INVALID)
    replica.look(web, "ByCommand", phase=Phase.ABORTED)
    await replica.settle(10)
    return [notice.reason for notice in sender.notices()]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, ["SpecInvalid", "ByCommand"]),
        ({"namespaces": ["shop"]}, ["SpecInvalid", "ByCommand"]),
        ({"namespaces": ["bank"]}, []),
        ({"labels": {"team": "web"}}, ["SpecInvalid", "ByCommand"]),
        ({"labels": {"team": "bank"}}, []),
        ({"on": ["Aborted"]}, ["ByCommand"]),
    ],
    ids=str,
)
def test_what_a_sink_takes_holds(fields: Mapping[str, object], told: list[str]) -> None:
    """Its namespaces, labels and reasons are the operator's, whatever a Rollout's spec is."""
    assert play(_told([{"sink": "ops"}], fields, labels={"team": "web"})) == told


@pytest.mark.parametrize(
    ("notify", "told"),
    [
        ([{"sink": "ops", "on": ["Aborted"]}], ["ByCommand"]),
        ([{"sink": "ops", "on": ["Aborted"]}, {"sink": "ops", "on": ["Invalid"]}], ["SpecInvalid", "ByCommand"]),
        ([{"sink": "ops", "on": ["Aborted", 7]}, "ops", {"on": []}], ["ByCommand"]),
        ([{"sink": "ops", "on": "Aborted"}], []),
        ([{"sink": "ops", "on": [7]}], []),
        ([{"sink": "ops", "on": []}], ["SpecInvalid", "ByCommand"]),
        ([], ["SpecInvalid", "ByCommand"]),
        ("ops", ["SpecInvalid", "ByCommand"]),
    ],
    ids=str,
)
def test_what_a_rollout_asked_for_is_read_from_what_is_written(notify: Sequence[object], told: list[str]) -> None:
    """As far as it can be read; a sink that only a policy named is told of all that it takes."""
    assert play(_told(notify, {})) == told


@pytest.mark.parametrize(("team", "told"), [("web", ["Started", "ByCommand"]), ("bank", ["Started"])])
def test_who_knew_the_valid_spec_goes_by_that(team: str, told: list[str]) -> None:
    """But for the labels, which are what they are now."""

    async def story() -> list[str]:
        world, sender = World(), ScriptedSender()
        web = world.add(1, [{"sink": "ops", "on": ["Started", "Aborted"]}], labels={"team": "web"})
        replica = Replica(world, [sink(labels={"team": "web"})], {"ops": sender})
        replica.look(web, "Started")
        await replica.settle(10)
        world.specs[web], world.documents[web] = None, {"metadata": {"labels": {"team": team}}, "spec": 7}
        replica.look(web, "SpecInvalid", phase=Phase.INVALID)
        replica.look(web, "ByCommand", phase=Phase.ABORTED)
        await replica.settle(10)
        return [notice.reason for notice in sender.notices()]

    assert play(story()) == told
