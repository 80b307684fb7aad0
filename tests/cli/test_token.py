"""The commands `rollout token create`, `list` and `revoke`: a file in, a token out."""

import asyncio
import json
import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner, Result

from rollout.cli.token import app
from rollout.clock import SystemClock
from rollout.ports import Caller
from rollout.tokens.file import TokenFile
from rollout.tokens.roles import Role
from tests.fakes.clock import FakeClock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a token file that does not exist yet."""
    return tmp_path / "rollout.tokens"


def run(path: Path, *arguments: str) -> Result:
    """Run a command as a shell would that names the file in the environment."""
    return CliRunner().invoke(app, arguments, env={"ROLLOUT_TOKENS": str(path)})


def identified(path: Path, token: str) -> Caller | None:
    """Return whose token this is, as a service finds out that starts now."""
    return asyncio.run(TokenFile(path, SystemClock()).identify(token))


def test_the_token_stands_alone_on_standard_output(path: Path) -> None:
    """So it can be piped into a file; a sentence for people goes to standard error."""
    result = run(path, "create", "ada", "--role", "operator")

    assert result.exit_code == 0
    assert re.fullmatch(r"rollout_[0-9a-f]{16}_[0-9a-f]{64}\n", result.stdout)
    assert identified(path, result.stdout.strip()) == Caller("ada", ("operator",))
    assert result.stderr.splitlines() == [
        "The token of ada (operator) is good until it is revoked. Keep it now: it is not shown again.",
        f"The file {path} is new: a server takes the token only if its setting `tokens` names this file.",
    ]


def test_a_file_that_is_there_is_not_called_new(path: Path) -> None:
    """The second token goes where the first is; nothing needs to be said of the file."""
    run(path, "create", "ada", "--role", "operator")
    result = run(path, "create", "bob", "--role", "viewer")

    assert "is new" not in result.stderr


def test_a_token_can_be_made_for_a_time(path: Path) -> None:
    """The duration has a unit."""
    result = run(path, "create", "ada", "--role", "viewer", "--expires", "90d")
    entry = TokenFile(path, SystemClock()).entries()[0]

    assert "is good for 90d." in result.stderr
    assert entry.expires == entry.created + 90 * 86400


def test_the_file_can_be_named_by_a_flag(path: Path, tmp_path: Path) -> None:
    """The flag counts more than the environment."""
    other = tmp_path / "other"
    result = run(path, "create", "ada", "--role", "viewer", "--file", str(other))

    assert result.exit_code == 0
    assert other.exists()
    assert not path.exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["create", "ada"], "--role"),
        (["create", "ada", "--role", "admin"], "viewer"),
        (["create", "ada lovelace", "--role", "viewer"], "name: is not a name (given: ada lovelace); allowed: letters"),
        (["create", "ada", "--role", "viewer", "--expires", "soon"], "must be a duration; allowed: numbers with the"),
        (["create", "ada", "--role", "viewer", "--expires", "90"], "must be a duration; allowed: numbers with the"),
        (["create", "ada", "--role", "viewer", "--expires", "0s"], "expires: is no time to live"),
        (["list", "-o", "xml"], "table"),
    ],
)
def test_a_wrong_question_exits_2_and_makes_nothing(path: Path, arguments: list[str], told: str) -> None:
    """What is allowed is said on standard error."""
    result = run(path, *arguments)
    said = " ".join(re.sub(r"[│╭╮╰╯─]", " ", result.stderr).split())

    assert (result.exit_code, result.stdout) == (2, "")
    assert told in said
    assert not path.exists()


def test_a_name_that_is_taken_exits_2(path: Path) -> None:
    """The token that is there stays."""
    token = run(path, "create", "ada", "--role", "viewer").stdout.strip()
    result = run(path, "create", "ada", "--role", "operator")

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"error: {path}: there is a token ada already; revoke it, or choose another name\n"
    assert identified(path, token) == Caller("ada", ("viewer",))


def test_a_revoked_token_is_good_no_more(path: Path) -> None:
    """Nothing goes to standard output."""
    token = run(path, "create", "ada", "--role", "viewer").stdout.strip()
    run(path, "create", "bob", "--role", "viewer")
    result = run(path, "revoke", "ada")

    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "The token of ada is revoked.\n")
    assert identified(path, token) is None


def test_revoking_an_unknown_name_exits_1(path: Path) -> None:
    """The sentence has the name and the file."""
    run(path, "create", "ada", "--role", "viewer")
    result = run(path, "revoke", "bob")

    assert result.exit_code == 1
    assert result.stderr == f"error: {path}: there is no token bob\n"


@pytest.mark.parametrize("command", [["list"], ["revoke", "ada"]])
def test_a_file_that_is_not_there_exits_1(path: Path, command: list[str]) -> None:
    """An empty list would hide that the path is wrong."""
    result = run(path, *command)

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"error: {path}: there is no such token file; `rollout token create` makes it\n"


def test_a_broken_file_exits_1(path: Path) -> None:
    """It says what is wrong, and where."""
    path.write_text('{"version": 1}')
    path.chmod(0o600)
    result = run(path, "list")

    assert result.exit_code == 1
    assert result.stderr == f"error: {path}: the token file is broken: tokens: Field required\n"


def test_the_list_has_names_roles_and_times(path: Path) -> None:
    """Of those that never expire, that will, and that have."""
    run(path, "create", "ada", "--role", "operator")
    run(path, "create", "bob", "--role", "viewer", "--expires", "10d1m")
    TokenFile(path, FakeClock(SystemClock().now() - 3 * 86400)).create("cem", Role.VIEWER, 60.0)
    result = run(path, "list")
    rows = [re.split(r" {2,}", line) for line in result.stdout.splitlines()]

    assert result.exit_code == 0
    assert rows[0] == ["NAME", "ROLE", "ID", "AGE", "EXPIRES"]
    assert [(row[0], row[1], row[4]) for row in rows[1:]] == [
        ("ada", "operator", "never"),
        ("bob", "viewer", "in 10d"),
        ("cem", "viewer", "expired"),
    ]
    assert rows[3][3] == "3d"


@pytest.mark.parametrize("shape", ["json", "yaml"])
def test_the_list_can_be_read_by_programs(path: Path, shape: str) -> None:
    """The same fields in both; times are Unix seconds."""
    token = run(path, "create", "ada", "--role", "viewer", "--expires", "60s").stdout.strip()
    entry = TokenFile(path, SystemClock()).entries()[0]
    text = run(path, "list", "-o", shape).stdout
    read = json.loads(text) if shape == "json" else YAML(typ="safe").load(text)

    assert read == {
        "tokens": [
            {
                "name": "ada",
                "role": "viewer",
                "id": token.split("_")[1],
                "created": entry.created,
                "expires": entry.expires,
                "expired": False,
            }
        ]
    }


@pytest.mark.parametrize("shape", ["table", "json", "yaml"])
def test_no_list_shows_what_would_let_somebody_in(path: Path, shape: str) -> None:
    """Neither secret nor hash nor salt."""
    token = run(path, "create", "ada", "--role", "viewer").stdout.strip()
    entry = TokenFile(path, SystemClock()).entries()[0]
    result = run(path, "list", "-o", shape)

    assert "ada" in result.stdout
    assert not any(one in result.output for one in (token.rsplit("_", 1)[1], entry.hash, entry.salt))


def test_an_empty_file_is_said(path: Path) -> None:
    """Programs get an empty list, people a sentence beside it."""
    run(path, "create", "ada", "--role", "viewer")
    run(path, "revoke", "ada")
    result = run(path, "list")

    assert (result.exit_code, result.stdout, result.stderr) == (0, "", f"There is no token in {path}.\n")
    assert json.loads(run(path, "list", "-o", "json").stdout) == {"tokens": []}
