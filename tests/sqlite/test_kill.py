"""A store that is killed at any moment has lost nothing that it said was written."""

import random
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rollout.ports import Key
from rollout.sqlite.store import SqliteStore

ROOT = Path(__file__).parents[2]
CHECKOUT = Key("shop", "checkout")
KILLS = 30


def run_and_kill(path: Path, seconds: float) -> tuple[int, int]:
    """Let a recorder run, kill it after some seconds of recording; return the last (version, number) it was told."""
    command = [sys.executable, "-m", "tests.sqlite.recorder", str(path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "open\n"
        time.sleep(seconds)
        child.kill()
        lines = [line.split() for line in child.stdout if line.endswith("\n")]
    return (int(lines[-1][0]), int(lines[-1][1])) if lines else (0, 0)


@pytest.mark.real
@pytest.mark.timeout(180)
async def test_nothing_that_was_written_is_lost_and_nothing_is_doubled(tmp_path: Path) -> None:
    """After each of 30 kills: database intact, versions only grow, transitions 1..n once each, as the status says."""
    path, chance, last_version, last_number = tmp_path / "rollout.db", random.Random(30), 0, 0
    for _ in range(KILLS):
        told_version, told_number = run_and_kill(path, chance.uniform(0.0, 0.15))
        store = await SqliteStore.open(path)
        stored = store.read(CHECKOUT)
        past = await store.history(CHECKOUT, limit=1000)
        await store.close()
        numbers = [number for entry in past if isinstance(number := entry["number"], int)]
        newest = max(numbers, default=0)

        assert stored is not None
        assert int(stored.version) >= max(told_version, last_version)
        assert newest >= max(told_number, last_number)
        assert numbers == list(range(newest, max(0, newest - 1000), -1))
        assert not numbers or stored.status["transitions"][-1] == past[0]  # type: ignore[index]
        last_version, last_number = int(stored.version), newest

    assert last_number > KILLS
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
