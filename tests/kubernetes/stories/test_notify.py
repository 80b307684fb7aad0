"""People are told, on a cluster: each transition once and in order, by one controller and the next."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest

from tests.kubernetes.stage import Stage
from tests.kubernetes.stories.test_steps import steps
from tests.notify.stands.server import Stand, standing
from tests.waiting import until


@pytest.fixture
async def bus() -> AsyncIterator[Stand]:
    """Receive events."""
    async with standing(Stand()) as stand:
        yield stand


@pytest.fixture
def sinks(tmp_path: Path, bus: Stand) -> Path:
    """Name the receiver as a sink that Rollouts may ask for."""
    file = tmp_path / "sinks.yaml"
    file.write_text(json.dumps({"sinks": [{"name": "bus", "kind": "CloudEvents", "url": bus.url}]}))
    return file


def told(bus: Stand) -> list[str]:
    """Return the reasons of the transitions that were taken, in the order in which they came."""
    return [str(cast("dict[str, object]", one.json["data"])["reason"]) for one in bus.taken]


async def test_the_next_controller_goes_on_where_the_last_one_stopped(stage: Stage, bus: Stand, sinks: Path) -> None:
    """A cursor is in the status when a controller has stopped, so nothing is told again."""
    await stage.pair()
    await stage.route()
    await stage.rollout(steps=steps(50, hold="300ms"), notify=[{"sink": "bus"}])
    async with stage.controller(sinks=str(sinks)):
        await stage.phase("Idle")
        await stage.edit(revision="2")
        await stage.phase("Idle", reason="Promoted")
        await until(lambda: told(bus)[-1:] == ["Promoted"])
    between = await stage.status()
    async with stage.controller(sinks=str(sinks)):
        await stage.edit(revision="3")
        await until(lambda: told(bus).count("Promoted") == 2)
    after = await stage.status()

    assert between["notified"]["bus"]["number"] == between["transitions"][-1]["number"]
    assert told(bus) == stage.reasons(after)
    assert len(set(bus.ids)) == len(bus.ids)
    assert bus.path not in json.dumps(after)
