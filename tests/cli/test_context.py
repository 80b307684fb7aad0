"""`rollout context`: servers under names."""

import json
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from rollout.cli.contexts import read_contexts
from rollout.cli.main import app
from tests.cli.conftest import Run
from tests.cli.standin import StandIn


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return where the file of contexts is."""
    return tmp_path / "rollout" / "config.toml"


def context(file: Path, *arguments: str, stdin: str | None = None) -> Result:
    """Run the group with this file."""
    return CliRunner().invoke(app, ["context", *arguments], input=stdin, env={"ROLLOUT_CONFIG": str(file)})


def test_the_first_context_is_the_current_one(file: Path) -> None:
    """The second is not, until it is used."""
    context(file, "set", "dev", "--server", "http://127.0.0.1:1/", "-n", "shop")
    context(file, "set", "prod", "--server", "https://prod.example")
    first = read_contexts(file)
    used = context(file, "use", "prod")

    assert (first.current, first.contexts["dev"].server) == ("dev", "http://127.0.0.1:1")
    assert (used.exit_code, read_contexts(file).current) == (0, "prod")


def test_contexts_are_listed(file: Path) -> None:
    """A star marks the current one; JSON has all, but no token."""
    context(file, "set", "dev", "--server", "http://127.0.0.1:1", "--token-stdin", stdin="secret\n")
    context(file, "set", "prod", "--server", "https://prod.example", "-n", "shop")
    table, listed = context(file, "list"), json.loads(context(file, "list", "-o", "json").stdout)

    assert table.stdout.splitlines() == [
        "CURRENT  NAME  SERVER                NAMESPACE",
        "*        dev   http://127.0.0.1:1    -",
        "         prod  https://prod.example  shop",
    ]
    assert listed["contexts"]["dev"] == {"server": "http://127.0.0.1:1", "token": "(hidden)"}


def test_a_token_is_kept_and_never_shown(file: Path) -> None:
    """It comes by standard input, and only its owner may read it."""
    told = context(file, "set", "dev", "--token-stdin", stdin="  secret-token\n")
    shown = context(file, "show", "dev")

    assert read_contexts(file).contexts["dev"].token == "secret-token"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "secret" not in told.output + shown.output
    assert shown.stdout == "name:        dev\ntoken:       (hidden)\n"


def test_a_file_takes_the_place_of_a_token(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the other way round; a relative name is that of the folder where it was given."""
    monkeypatch.chdir(tmp_path)
    context(file, "set", "dev", "--token-stdin", stdin="secret")
    context(file, "set", "dev", "--token-file", "token")
    by_file = read_contexts(file).contexts["dev"]
    context(file, "set", "dev", "--token-stdin", stdin="secret")

    assert (by_file.token, by_file.token_file) == ("", tmp_path / "token")
    assert read_contexts(file).contexts["dev"].token_file is None


def test_only_what_is_given_changes(file: Path) -> None:
    """An empty value takes something away."""
    context(file, "set", "dev", "--server", "http://127.0.0.1:1", "-n", "shop", "--ca-file", "/ca.pem")
    context(file, "set", "dev", "-n", "other")
    changed = read_contexts(file).contexts["dev"]
    context(file, "set", "dev", "-n", "", "--ca-file", "")
    emptied = read_contexts(file).contexts["dev"]

    assert (changed.server, changed.namespace, changed.ca_file) == ("http://127.0.0.1:1", "other", Path("/ca.pem"))
    assert (emptied.namespace, emptied.ca_file) == ("", None)


def test_a_context_is_forgotten(file: Path) -> None:
    """If it was the current one, none is."""
    context(file, "set", "dev", "--server", "http://127.0.0.1:1")
    removed, again = context(file, "remove", "dev"), context(file, "remove", "dev")

    assert removed.exit_code == 0
    assert (read_contexts(file).current, read_contexts(file).contexts) == ("", {})
    assert (again.exit_code, again.stderr) == (
        2,
        "error: NAME: is no context (given: dev); allowed: none is set; see rollout context set\n",
    )


def test_without_any_it_is_said(file: Path) -> None:
    """That none is set, and none is current."""
    listed, shown = context(file, "list"), context(file, "show")

    assert (listed.exit_code, listed.stderr) == (0, f"No context is set in {file}.\n")
    assert (shown.exit_code, shown.stderr) == (1, f"No context is current in {file}.\n")


def test_the_current_one_is_shown(file: Path) -> None:
    """As lines, or as JSON."""
    context(file, "set", "dev", "--server", "http://127.0.0.1:1")

    assert context(file, "show").stdout == "name:        dev\nserver:      http://127.0.0.1:1\n"
    assert json.loads(context(file, "show", "-o", "json").stdout) == {"name": "dev", "server": "http://127.0.0.1:1"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["set", "a b"], "can be no name"),
        (["set", "a", "--server", "nope"], "is no address"),
        (["set", "a", "-n", "a/b"], "can be no namespace"),
        (["set", "a", "--token-stdin"], "holds no token"),
        (["set", "a", "--token-stdin", "--token-file", "x"], "does not go with"),
        (["use", "nosuch"], "is no context"),
        (["show", "nosuch"], "is no context"),
        (["nosuch"], "nosuch"),
    ],
)
def test_what_is_wrong_changes_nothing(file: Path, arguments: list[str], said: str) -> None:
    """It ends with 2 and says what is allowed."""
    result = context(file, *arguments, stdin="")

    assert result.exit_code == 2
    assert said in " ".join(result.stderr.replace("│", " ").split())
    assert not file.exists()


def test_a_file_with_an_unknown_key_is_told_with_the_key(file: Path) -> None:
    """And left as it is."""
    file.parent.mkdir()
    file.write_text("[contexts.a]\nsever = 'x'\n", encoding="utf-8")
    result = context(file, "set", "b", "--server", "http://127.0.0.1:1")

    assert result.exit_code == 2
    assert "contexts.a.sever: is not a known key; did you mean server?" in result.stderr
    assert file.read_text(encoding="utf-8") == "[contexts.a]\nsever = 'x'\n"


def test_a_command_asks_the_server_of_its_context(file: Path, server: StandIn, run: Run) -> None:
    """With its token and its namespace."""
    context(file, "set", "dev", "--server", server.url, "-n", "shop", "--token-stdin", stdin="secret")
    run("get", ROLLOUT_CONFIG=str(file), ROLLOUT_SERVER="")

    assert server.asked[0].query["namespace"] == "shop"
    assert server.asked[0].headers["Authorization"] == "Bearer secret"
