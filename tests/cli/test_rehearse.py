"""Facts about `rollout rehearse` as users run it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from rollout.cli.main import app
from tests.rehearsal.builders import CANARY, START, scenario

RUNNER = CliRunner()


def file(folder: Path, *events: Mapping[str, Any], **fields: Any) -> str:  # noqa: ANN401 - as a file has them
    """Return the path of a rehearsal file."""
    path = folder / "plan.yaml"
    path.write_text(json.dumps(scenario(*events, **fields)), encoding="utf-8")
    return str(path)


def test_json_is_all_that_is_on_standard_output(tmp_path: Path) -> None:
    """With the five fields of the format, and exit code 0 also after a rollback."""
    result = RUNNER.invoke(app, ["rehearse", file(tmp_path, START, {"at": "20s", "command": "abort"}), "-o", "json"])
    told = json.loads(result.stdout)

    assert result.exit_code == 0
    assert list(told) == ["transitions", "writes", "requests", "final", "refused"]
    assert told["final"]["phase"] == "Aborted"
    assert list(told["transitions"][0]) == [
        *("at", "number", "phase", "step", "weights", "reason", "message", "failover")
    ]
    assert list(told["writes"][0]) == ["at", "route", "weights"]
    assert list(told["requests"][CANARY]) == ["total", "bad", "slow"]


def test_a_refused_command_is_listed(tmp_path: Path) -> None:
    """And does not stop the run."""
    result = RUNNER.invoke(
        app, ["rehearse", file(tmp_path, {"at": "5s", "command": "resume"}, START | {"at": "9s"}), "-o", "json"]
    )
    told = json.loads(result.stdout)

    assert [list(refused) for refused in told["refused"]] == [["at", "command", "reason", "message"]]
    assert told["refused"][0]["command"] == "resume"
    assert told["final"]["reason"] == "Promoted"


def test_text_is_a_timeline_without_color_codes(tmp_path: Path) -> None:
    """One line for each thing that happened, when nobody looks on a terminal."""
    result = RUNNER.invoke(app, ["rehearse", file(tmp_path, START)])

    assert result.exit_code == 0
    assert "\x1b" not in result.stdout
    assert "Promoted: " in result.stdout
    assert result.stdout.splitlines()[-1].startswith("After 5m: Idle")


def test_the_seed_may_be_another(tmp_path: Path) -> None:
    """Than that of the file."""
    path = file(tmp_path, START)
    one, other, same = (
        RUNNER.invoke(app, ["rehearse", path, "-o", "json", "--seed", seed]).stdout for seed in ("1", "2", "1")
    )

    assert one == same
    assert one != other


def test_a_wrong_file_is_told_line_by_line(tmp_path: Path) -> None:
    """On standard error, with exit code 1."""
    path = file(tmp_path, {"at": "1s", "prometheus": "gone"}, seed=-4)
    result = RUNNER.invoke(app, ["rehearse", path])

    assert result.exit_code == 1
    assert result.stdout == ""
    assert [line.split(": ")[1] for line in result.stderr.splitlines()] == ["seed", "events[0].prometheus"]
