"""A database that cannot be written during an attempt: nothing advances, and going back is possible all the same."""

import resource
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.serve.world import ServeWorld, manifest, serve_world

pytestmark = [pytest.mark.real, pytest.mark.timeout(90)]

LONG = ((20, "60s"),)
AT_STEP_1 = {"checkout-v1": 80, "checkout-v2": 20}
STABLE = {"checkout-v1": 100, "checkout-v2": 0}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[ServeWorld]:
    """A command in the middle of an attempt, at step 1."""
    async with serve_world(tmp_path, "checkout") as world:
        world.put(manifest("checkout", revision="1", steps=LONG))
        await world.server.serving()
        await world.adopted()
        world.put(manifest("checkout", revision="2", steps=LONG))
        await world.weights_are(AT_STEP_1)
        await world.server.until(lambda: world.status().get("reason") not in {"Started", "StepStarted"})
        yield world


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the database's write lock, as a backup program in trouble would."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


@contextmanager
def full(world: ServeWorld) -> Iterator[None]:
    """Let no file of the command grow beyond what the database's log has now, as on a full disk."""
    used = (world.folder / "rollout.db-wal").stat().st_size
    pid = world.server.pid
    soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (used, hard))
    yield
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))


async def test_abort_acts_on_a_locked_database(world: ServeWorld) -> None:
    """A canary that is lost while the database is locked is taken off at once; the record follows the lock."""
    with locked(world.folder / "rollout.db"):
        await world.second.close()
        await world.weights_are(STABLE, seconds=5)
        line = await world.server.said("Unrecorded")
        recorded = world.phase()
    status = await world.in_phase("Aborted")

    assert line["level"] == "critical"
    assert recorded == "Progressing"
    assert status["reason"] == "CanaryLost"
    assert world.database.integrity() == "ok"


async def test_abort_acts_on_a_full_disk(world: ServeWorld) -> None:
    """A canary that is lost while the disk is full is taken off at once; the record follows when there is room."""
    with full(world):
        await world.second.close()
        await world.weights_are(STABLE, seconds=5)
        await world.server.said("Unrecorded")
    status = await world.in_phase("Aborted")

    assert status["reason"] == "CanaryLost"
    assert world.database.integrity() == "ok"


async def test_bad_canary_is_rolled_back_on_a_locked_database(world: ServeWorld) -> None:
    """Evidence of errors acts without a record, too."""
    world.second.error_every = 2
    async with world.load():
        with locked(world.folder / "rollout.db"):
            await world.weights_are(STABLE)
            await world.server.said("Unrecorded")
        status = await world.in_phase("Aborted")

    assert status["reason"] == "EvidenceOfErrors"


async def test_nothing_advances_without_a_record(tmp_path: Path) -> None:
    """A step whose hold time ends while the database is locked is left only when it can be recorded."""
    async with serve_world(tmp_path, "checkout") as world, world.load():
        steps = ((20, "2s"), (50, "60s"))
        world.put(manifest("checkout", revision="1", steps=steps))
        await world.server.serving()
        await world.adopted()
        world.put(manifest("checkout", revision="2", steps=steps))
        await world.weights_are(AT_STEP_1)
        with locked(world.folder / "rollout.db"):
            await world.server.said("pass failed", "database", seconds=10)
            standing = world.weights()
        await world.weights_are({"checkout-v1": 50, "checkout-v2": 50})

    assert standing == AT_STEP_1
    assert [entry["step"] for entry in world.database.history("checkout")] == [1, 2]
