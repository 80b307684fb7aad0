"""Manifests that are wrong: said with file, line and field, and the last good one stays in force."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.serve.world import ServeWorld, manifest, serve_world

pytestmark = [pytest.mark.real, pytest.mark.timeout(60)]

STEPS = ((20, "60s"),)
GOOD = manifest("checkout", revision="1", steps=STEPS)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[ServeWorld]:
    """A command that serves and has adopted revision 1."""
    async with serve_world(tmp_path, "checkout") as world:
        world.put(GOOD)
        await world.server.serving()
        await world.adopted()
        yield world


async def test_file_that_does_not_parse_changes_nothing(world: ServeWorld) -> None:
    """A file that is no YAML is named with its line; the Rollout stays as it was."""
    world.put(GOOD.replace('"spec": {', '"spec": ['))
    await world.server.said("manifest problem", "checkout.yaml:")

    assert world.phase() == "Idle"
    assert world.status()["revision"] == ""


async def test_wrong_field_is_named_with_its_line(world: ServeWorld) -> None:
    """A wrong value is told with file, line and field."""
    wrong = GOOD.replace('"weight": 20', '"weight": 200')
    line = next(number for number, text in enumerate(wrong.splitlines(), 1) if '"weight": 200' in text)
    world.put(wrong)

    assert await world.server.said("manifest problem", f"checkout.yaml:{line}:", "spec.steps[0].weight", "200")


async def test_attempt_goes_on_with_the_last_good_manifest(world: ServeWorld) -> None:
    """A manifest that becomes wrong during an attempt does not touch the attempt's weights."""
    world.put(manifest("checkout", revision="2", steps=STEPS))
    await world.weights_are({"checkout-v1": 80, "checkout-v2": 20})
    world.put(GOOD.replace('"weight": 20', '"weight": 200'))
    await world.server.said("manifest problem", "spec.steps[0].weight")

    assert world.weights() == {"checkout-v1": 80, "checkout-v2": 20}


async def test_mended_manifest_is_taken(world: ServeWorld) -> None:
    """Once the manifest is right again, what it asks for happens."""
    world.put("kind: [")
    await world.server.said("manifest problem", "checkout.yaml")
    world.put(manifest("checkout", revision="2", steps=STEPS))
    await world.weights_are({"checkout-v1": 80, "checkout-v2": 20})
    assert world.phase() == "Progressing"
