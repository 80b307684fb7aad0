"""Facts about whole rehearsals: the same file and seed give the same bytes, whatever happens in it."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rollout.rehearsal.rehearse import rehearse
from tests.rehearsal.builders import CANARY, STABLE, START, phases, play, read, scenario

pytestmark = pytest.mark.long

HARD = (
    START,
    {"at": "20s", "controller": "kill"},
    {"at": "35s", "api": "down"},
    {"at": "40s", "backend": CANARY, "podErrors": "bursts", "errors": "2%"},
    {"at": "60s", "api": "conflict"},
    {"at": "70s", "controller": "restart"},
    {"at": "80s", "prometheus": "slow"},
    {"at": "100s", "prometheus": "up"},
    {"at": "110s", "api": "up"},
)


def test_the_same_file_gives_the_same_bytes(tmp_path: Path) -> None:
    """Twice in one process, with kills, failures, jitter and chance."""
    rehearsal = read(tmp_path, scenario(*HARD))

    assert rehearse(rehearsal).to_json() == rehearse(rehearsal).to_json()


def test_another_interpreter_gives_the_same_bytes(tmp_path: Path) -> None:
    """Nothing hangs on the order of hashes."""
    rehearsal = read(tmp_path, scenario(*HARD))
    command = [sys.executable, "-c", "from rollout.cli.main import run; run()", "rehearse", "-o", "json"]
    told = [
        subprocess.run(
            [*command, str(tmp_path / "rehearsal.yaml")],
            capture_output=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
            text=True,
        ).stdout
        for seed in ("1", "2")
    ]

    assert told == [rehearse(rehearsal).to_json()] * 2


def test_another_seed_gives_other_requests(tmp_path: Path) -> None:
    """The seed is what chance is drawn from."""
    one, other = (play(tmp_path, START, seed=seed).requests[STABLE]["bad"] for seed in (1, 2))

    assert one != other


def test_half_an_hour_takes_no_more_than_two_seconds(tmp_path: Path) -> None:
    """A rehearsal is quick enough to be run on every change of a plan."""
    steps = [{"weight": weight, "hold": "7m"} for weight in (5, 25, 50, 95)]
    rollout = scenario()["rollout"] | {}
    rollout["spec"]["steps"] = steps
    rehearsal = read(tmp_path, scenario(START, rollout=rollout, until="30m", traffic={"rps": 1000}))
    began = time.process_time()
    outcome = rehearse(rehearsal)

    assert outcome.final["phase"] == "Idle"
    assert time.process_time() - began < 2


def test_an_event_after_the_end_does_not_happen(tmp_path: Path) -> None:
    """What stands after `until` is left out."""
    outcome = play(tmp_path, START, {"at": "10m", "command": "abort"})

    assert outcome.final["reason"] == "Promoted"


def test_all_times_are_seconds_from_the_start(tmp_path: Path) -> None:
    """Also those inside the status: no Unix time is left anywhere."""
    outcome = play(tmp_path, START, {"at": "20s", "command": "abort"})

    assert "40000000" not in outcome.to_json()
    assert outcome.final["engine"]["step_at"] == pytest.approx(20, abs=0.1)


@pytest.mark.parametrize("seed", range(30))
def test_a_kill_changes_no_transition(tmp_path: Path, seed: int) -> None:
    """Killed at any boundary while a step begins, the attempt goes the same way, each step once, within two seconds."""
    quiet = play(tmp_path, START, scrape="1s")
    killed = play(tmp_path, START, {"at": "29900ms", "controller": "kill"}, scrape="1s", seed=seed)

    assert phases(killed) == phases(quiet)
    for one, other in zip(killed.transitions, quiet.transitions, strict=True):
        assert one["at"] == pytest.approx(other["at"], abs=2)


def test_a_deleted_rollout_is_gone(tmp_path: Path) -> None:
    """Commands and edits after the deletion find nobody."""
    outcome = play(
        tmp_path,
        START,
        {"at": "10s", "delete": True},
        {"at": "60s", "command": "retry"},
        {"at": "61s", "spec": {"revision": "v9"}},
    )

    assert outcome.transitions[-1]["phase"] == "Aborted"
    assert outcome.refused == []
