"""`rollout config` prints what serve would have, where it comes from, and what serve would refuse."""

import json
import tomllib
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner, Result

from rollout.cli.main import app
from rollout.settings.rows import SETTINGS

FLAGS = ["--rds", "/etc/envoy/rds/routes.yaml", "--tick", "90s", "--prometheus", "http://user:t0psword@prometheus:9090"]


def run(*arguments: str, **environment: str) -> Result:
    """Run the command with these flags and variables."""
    return CliRunner().invoke(app, ["config", *arguments], env=dict(environment))


def test_a_table_shows_value_and_source_of_each_setting() -> None:
    """Every setting has a row."""
    result = run(*FLAGS, ROLLOUT_STREAMS="7")
    rows = [line.split(maxsplit=1) for line in result.stdout.splitlines() if line.strip()]
    found = {name: " ".join(rest.split()) for name, rest in rows[2:]}

    assert result.exit_code == 0
    assert list(found) == [row.name for row in SETTINGS]
    assert found["tick"] == "1m30s flag --tick"
    assert found["streams"] == "7 env ROLLOUT_STREAMS"
    assert found["listen"] == "127.0.0.1:8686 default"


def test_json_has_name_value_and_source() -> None:
    """The whole of standard output is one JSON object."""
    result = run(*FLAGS, "-o", "json")
    listed = {entry["name"]: (entry["value"], entry["source"]) for entry in json.loads(result.stdout)["settings"]}

    assert listed["rds"] == (["/etc/envoy/rds/routes.yaml"], "flag --rds")
    assert listed["staging"] == (None, "default")
    assert listed["tokens"] == ("rollout.tokens", "default")


@pytest.mark.parametrize("form", ["toml", "yaml"])
def test_a_file_that_is_printed_can_be_given(tmp_path: Path, form: str) -> None:
    """The same settings come from it."""
    flags = [*FLAGS[:4], "--gate-host", "a", "--gate-host", "b:80", "--rate-per-second", "5"]
    first = run(*flags, "-o", form)
    path = tmp_path / f"rollout.{form}"
    path.write_text(first.stdout)
    again = run("--config", str(path), "-o", form)
    values = tomllib.loads(first.stdout) if form == "toml" else YAML(typ="safe").load(first.stdout)
    same = tomllib.loads(again.stdout) if form == "toml" else YAML(typ="safe").load(again.stdout)

    assert values == same
    assert (values["gate_hosts"], values["rate_per_second"]) == (["a", "b:80"], 5)


@pytest.mark.parametrize("form", ["table", "json", "yaml", "toml"])
def test_a_password_is_hidden(form: str) -> None:
    """In every form."""
    result = run(*FLAGS, "-o", form)

    assert "t0psword" not in result.output
    assert "http://***@prometheus:9090" in result.stdout


def test_what_serve_would_refuse_ends_with_code_2() -> None:
    """Every problem has a line on standard error, and nothing is printed."""
    result = run("--tick", "soon", "--rds", "x", ROLLOUT_LISTEN="0.0.0.0:1")

    assert (result.exit_code, result.stdout) == (2, "")
    assert [line.split(": ")[1] for line in result.stderr.splitlines()] == ["--tick", "ROLLOUT_LISTEN"]


def test_a_variable_that_is_nobodys_is_warned_of() -> None:
    """On standard error; the command goes on."""
    result = run(*FLAGS, ROLLOUT_TIKC="1s")

    assert result.exit_code == 0
    assert "rollout config: warning: ROLLOUT_TIKC: is no setting; did you mean ROLLOUT_TICK?" in result.stderr


def test_verbose_is_the_level_debug() -> None:
    """Unless a level is given."""
    levels = [run(*FLAGS, "-v", *more, "-o", "toml").stdout for more in ([], ["--log-level", "error"])]

    assert [tomllib.loads(text)["log_level"] for text in levels] == ["debug", "error"]


def test_serve_and_config_take_the_same_flags() -> None:
    """What serve takes, config takes, and one flag more: how to print."""
    texts = [
        CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"}).stdout for command in ("serve", "config")
    ]
    flags = [{line.split()[0] for line in text.splitlines() if line.startswith("  --")} for text in texts]

    assert flags[0] == flags[1]
    assert {row.flag for row in SETTINGS} <= flags[0]
