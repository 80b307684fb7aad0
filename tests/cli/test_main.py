"""The command line as a whole: what it offers, how little it loads, and what the shell completes."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rollout import __version__
from rollout.cli.main import COMMANDS, app, load
from tests.cli.answers import summary
from tests.cli.standin import Running, StandIn

HEAVY = ("aiohttp", "apscheduler", "fastapi", "pydantic", "ruamel", "starlette", "structlog", "tenacity", "uvicorn")
OURS = ("rollout.api", "rollout.analysis", "rollout.controller", "rollout.engine", "rollout.spec")
LOADED = f"""
import json, sys
sys.argv[0] = "rollout"
from rollout.cli.main import run
try:
    run()
except SystemExit:
    pass
names = {HEAVY + OURS + ("rich.table", "rich.live")!r}
sys.stderr.write(json.dumps([name for name in names if name in sys.modules]))
"""
ASKS = [
    name
    for name, (where, _) in COMMANDS.items()
    if where.split(":")[0]
    in {
        "rollout.cli.get",
        "rollout.cli.delete",
        "rollout.cli.describe",
        "rollout.cli.watch",
        "rollout.cli.apply",
        "rollout.cli.orders",
        "rollout.cli.history",
        "rollout.cli.events",
        "rollout.cli.context",
        "rollout.cli.version",
    }
]


def loaded(*arguments: str, **environ: str) -> tuple[list[str], str]:
    """Return which heavy modules a call loads, and what it prints."""
    call = [sys.executable, "-c", LOADED, *arguments]
    own = {"ROLLOUT_CONFIG": "/nonexistent", "ROLLOUT_SERVER": "http://127.0.0.1:1"}
    done = subprocess.run(call, capture_output=True, text=True, timeout=30, check=True, env=os.environ | own | environ)
    return json.loads(done.stderr), done.stdout


def test_the_version_loads_nothing() -> None:
    """It is asked for by scripts, again and again."""
    modules, printed = loaded("version")

    assert modules == []
    assert printed == f"{__version__}\n"


def test_help_loads_what_draws_it() -> None:
    """And no command, though it lists all."""
    modules, printed = loaded("--help")

    assert modules == ["rich.table"]
    assert all(name in printed for name in COMMANDS)


@pytest.mark.parametrize("name", ASKS)
def test_the_help_of_a_command_loads_nothing_heavy(name: str) -> None:
    """What a command needs is imported when it runs."""
    modules, printed = loaded(name, "--help")

    assert modules == []
    assert printed.startswith("Usage:")


def test_completion_of_commands_loads_nothing() -> None:
    """A person waits for the next key."""
    modules, printed = loaded(_ROLLOUT_COMPLETE="complete_bash", COMP_WORDS="rollout de", COMP_CWORD="1")

    assert modules == []
    assert printed.split() == ["describe", "delete", "demo"]


def test_completion_of_flags_loads_no_client() -> None:
    """Only what typer itself reads flags with."""
    modules, printed = loaded(_ROLLOUT_COMPLETE="complete_bash", COMP_WORDS="rollout get --all", COMP_CWORD="2")

    assert set(modules) <= {"pydantic"}
    assert printed.split() == ["--all-namespaces"]


def completed(shell: str, words: str, **environ: str) -> list[str]:
    """Return what the shell is offered for a line that ends with these words."""
    told = {"ROLLOUT_CONFIG": "/nonexistent", "ROLLOUT_SERVER": "http://127.0.0.1:1", "ROLLOUT_NAMESPACE": ""}
    asked = {"_ROLLOUT_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_ARGS": words, "COMP_WORDS": words}
    place = {"COMP_CWORD": str(len(words.split(" ")) - 1)}
    result = CliRunner().invoke(app, [], env={**told, **asked, **place, **environ}, prog_name="rollout")
    if shell == "bash":
        return result.stdout.split()
    return re.findall(r'^"([^"]+)"', result.stdout.partition(":((")[2], re.MULTILINE)


@pytest.mark.parametrize("shell", ["bash", "zsh"])
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("rollout pr", ["promote"]),
        ("rollout promote --fu", ["--full"]),
        ("rollout get -o ", ["table", "wide", "name", "json", "yaml"]),
        ("rollout context sh", ["show"]),
        ("rollout get --phase P", ["Progressing", "Paused", "Promoting"]),
        ("rollout context set --token", ["--token-stdin", "--token-file"]),
    ],
)
def test_commands_groups_and_flags_are_completed(shell: str, words: str, offered: list[str]) -> None:
    """Though they are imported late."""
    assert completed(shell, words) == offered


@pytest.mark.parametrize("shell", ["bash", "zsh"])
@pytest.mark.parametrize("command", ["describe", "get", "watch", "abort", "history", "events"])
def test_names_of_rollouts_are_completed(server: StandIn, running: Running, shell: str, command: str) -> None:
    """From the server, with the token and the namespace that the command would have."""
    server.summaries = [summary("checkout"), summary("cart"), summary("payment")]
    words = f"rollout {command} -n shop c"

    assert completed(shell, words, ROLLOUT_SERVER=server.url, ROLLOUT_TOKEN="t") == ["checkout", "cart"]
    assert server.asked[0].query == {"namespace": "shop", "limit": "500"}
    assert server.asked[0].headers["Authorization"] == "Bearer t"


def test_a_namespace_before_the_name_is_followed(server: StandIn, running: Running) -> None:
    """As the commands take it."""
    server.summaries = [summary("checkout")]

    assert completed("bash", "rollout get other/c", ROLLOUT_SERVER=server.url) == ["other/checkout"]
    assert server.asked[0].query["namespace"] == "other"


def test_names_of_contexts_are_completed(tmp_path: Path) -> None:
    """From their file."""
    file = tmp_path / "config.toml"
    file.write_text("[contexts.prod]\n[contexts.dev]\n[contexts.preview]\n", encoding="utf-8")

    assert completed("bash", "rollout get --context p", ROLLOUT_CONFIG=str(file)) == ["preview", "prod"]
    assert completed("bash", "rollout context use d", ROLLOUT_CONFIG=str(file)) == ["dev"]


@pytest.mark.parametrize(
    "environ",
    [
        {"ROLLOUT_SERVER": "http://127.0.0.1:1"},
        {"ROLLOUT_SERVER": "nonsense"},
        {"ROLLOUT_CONTEXT": "nosuch"},
        {"ROLLOUT_TOKEN": "no token"},
    ],
)
def test_completion_is_silent_about_what_fails(environ: dict[str, str]) -> None:
    """The command itself will say it."""
    assert completed("bash", "rollout describe ", **environ) == []


@pytest.mark.parametrize(("status", "body"), [(401, {}), (200, []), (200, {"items": 3}), (200, {"items": [{}]})])
def test_completion_is_silent_about_odd_answers(server: StandIn, running: Running, status: int, body: object) -> None:
    """Whatever is behind the address."""
    server.answers["GET", "/rollouts"] = (status, body)

    assert completed("bash", "rollout describe ", ROLLOUT_SERVER=server.url) == []


def test_every_command_has_its_sentence_in_the_list() -> None:
    """One line, with a full stop."""
    assert all(sentence.endswith(".") and len(sentence) < 90 for _, sentence in COMMANDS.values())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_can_be_loaded(name: str) -> None:
    """And is called as it is listed."""
    assert load(name).name == name


def test_no_flag_takes_a_token() -> None:
    """Others would see it in the list of processes."""
    flags = {flag for name in COMMANDS for parameter in load(name).params for flag in parameter.opts}

    assert "--token" not in flags
    assert "--token-file" in flags


def test_a_command_that_is_not_there_is_refused_with_a_guess() -> None:
    """With exit code 2."""
    result = CliRunner().invoke(app, ["promot", "x"])

    assert result.exit_code == 2
    assert "promote" in result.stderr
