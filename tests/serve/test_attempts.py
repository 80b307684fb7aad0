"""Attempts from the command's start to their end: what starts one, what ends one, and what stops in the middle."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.serve.world import ServeWorld, manifest, serve_world

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

QUICK = ((20, "1s"), (50, "1s"))
LONG = ((20, "60s"),)
STABLE = {"checkout-v1": 100, "checkout-v2": 0}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[ServeWorld]:
    """Envoy with the route `checkout`, and `rollout serve`, not started."""
    async with serve_world(tmp_path, "checkout") as world:
        yield world


async def begin(world: ServeWorld, steps: tuple[tuple[float, str], ...]) -> None:
    """Let the command serve, adopt revision 1 and start an attempt for revision 2."""
    world.put(manifest("checkout", revision="1", steps=steps))
    await world.server.serving()
    await world.adopted()
    world.put(manifest("checkout", revision="2", steps=steps))
    await world.in_phase("Progressing")


def steps_taken(world: ServeWorld) -> list[tuple[object, object]]:
    """Return (phase, step) of every transition in the history."""
    return [(entry["phase"], entry["step"]) for entry in world.database.history("checkout")]


async def test_changed_revision_is_promoted(world: ServeWorld) -> None:
    """A new revision in the manifest goes through its steps to all weight, and Envoy serves it."""
    async with world.load():
        await begin(world, QUICK)
        status = await world.in_phase("Idle")

    assert status["reason"] == "Promoted"
    assert status["stable"] == "checkout-v2"
    assert (await world.envoy_weights())["checkout"] == {"checkout-v1": 0, "checkout-v2": 100}
    assert steps_taken(world) == [("Progressing", 1), ("Progressing", 2), ("Promoting", 2), ("Idle", 0)]


async def test_first_revision_starts_nothing(world: ServeWorld) -> None:
    """The first revision seen is the baseline: the file stays as it is, byte for byte."""
    before = world.envoy.rds.read_bytes()
    world.put(manifest("checkout", revision="1", steps=QUICK))
    await world.server.serving()
    await world.adopted()

    assert world.envoy.rds.read_bytes() == before
    assert steps_taken(world) == []


async def test_errors_roll_back(world: ServeWorld) -> None:
    """A canary that fails 20% of its requests is rolled back; status and log say how many failed."""
    world.second.error_every = 5
    async with world.load(rate=150):
        await begin(world, LONG)
        status = await world.in_phase("Aborted")

    assert (await world.envoy_weights())["checkout"] == STABLE
    assert status["reason"] == "EvidenceOfErrors"
    assert "Rolled back: canary failed" in str(status["message"])
    assert await world.server.said("Rolled back: canary failed", "EvidenceOfErrors")


async def test_lost_endpoints_abort_at_once(world: ServeWorld) -> None:
    """A canary whose endpoints go is taken off without any metric."""
    await begin(world, LONG)
    await world.weights_are({"checkout-v1": 80, "checkout-v2": 20})
    await world.second.close()
    await world.weights_are(STABLE, seconds=5)
    status = await world.in_phase("Aborted")

    assert status["reason"] == "CanaryLost"


async def test_sigterm_ends_in_time_and_the_attempt_goes_on_after_a_restart(world: ServeWorld) -> None:
    """SIGTERM in the middle ends with code 0 within 5 s; the next start goes on where it was."""
    async with world.load():
        await begin(world, ((20, "2s"), (50, "2s")))
        await world.weights_are({"checkout-v1": 80, "checkout-v2": 20})
        code, seconds = await world.server.end()
        standing = world.weights()
        await world.server.serving()
        status = await world.in_phase("Idle")

    assert code == 0
    assert seconds <= 5
    assert standing == {"checkout-v1": 80, "checkout-v2": 20}
    assert status["reason"] == "Promoted"
    assert steps_taken(world) == [("Progressing", 1), ("Progressing", 2), ("Promoting", 2), ("Idle", 0)]


async def test_sigterm_ends_in_time_while_envoy_hangs(world: ServeWorld) -> None:
    """An Envoy that answers nothing does not keep the command from ending within 5 s."""
    await begin(world, LONG)
    await world.weights_are({"checkout-v1": 80, "checkout-v2": 20})
    world.envoy.pause()
    try:
        world.put(manifest("checkout", revision="3", steps=LONG))
        await world.weights_are(STABLE)
        code, seconds = await world.server.end()
    finally:
        world.envoy.go_on()

    assert code == 0
    assert seconds <= 5


async def test_removed_manifest_gives_stable_all_weight(world: ServeWorld) -> None:
    """Taking the manifest out of the folder during an attempt ends it: stable has all weight, the Rollout is gone."""
    await begin(world, LONG)
    await world.weights_are({"checkout-v1": 80, "checkout-v2": 20})
    (world.manifests / "checkout.yaml").unlink()
    await world.server.until(lambda: world.database.names() == [])

    assert (await world.envoy_weights())["checkout"] == STABLE
