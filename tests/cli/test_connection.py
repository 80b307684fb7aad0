"""Which server is asked, as whom: flags, then the environment, then a context."""

from pathlib import Path

import pytest
from typer import BadParameter

from rollout.cli.connection import Connection, Flags, connection_from, key_of
from rollout.cli.contexts import Context, Contexts, write_contexts
from rollout.errors import ConfigurationError


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Return an environment with two contexts; dev is the current one."""
    file = tmp_path / "config.toml"
    dev = Context("http://127.0.0.1:1", "dev-token", None, Path("/dev.pem"), "dev")
    prod = Context("https://prod.example", "prod-token", None, None, "shop")
    write_contexts(file, Contexts("dev", {"dev": dev, "prod": prod}))
    return {"ROLLOUT_CONFIG": str(file)}


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    """Return a file with a token."""
    file = tmp_path / "token"
    file.write_text("  file-token\n", encoding="utf-8")
    return file


def test_nothing_said_is_the_local_server() -> None:
    """Without a token, in namespace default."""
    assert connection_from(Flags(), {"ROLLOUT_CONFIG": "/nonexistent"}) == Connection(
        "http://127.0.0.1:8686", "", None, "default", ""
    )


def test_the_current_context_is_used(environ: dict[str, str]) -> None:
    """With all that it says."""
    assert connection_from(Flags(), environ) == Connection(
        "http://127.0.0.1:1", "dev-token", Path("/dev.pem"), "dev", "dev"
    )


def test_the_environment_goes_before_the_context(environ: dict[str, str]) -> None:
    """Value by value."""
    told = {
        "ROLLOUT_SERVER": "http://127.0.0.1:2/",
        "ROLLOUT_TOKEN": "t",
        "ROLLOUT_CA_FILE": "/c",
        "ROLLOUT_NAMESPACE": "n",
    }

    assert connection_from(Flags(), environ | told) == Connection("http://127.0.0.1:2", "t", Path("/c"), "n", "dev")


def test_flags_go_before_the_environment(environ: dict[str, str], token_file: Path) -> None:
    """Value by value."""
    told = {
        "ROLLOUT_SERVER": "http://127.0.0.1:2",
        "ROLLOUT_TOKEN": "t",
        "ROLLOUT_CA_FILE": "/c",
        "ROLLOUT_NAMESPACE": "n",
    }
    flags = Flags(None, "http://127.0.0.1:3", token_file, Path("/d"), "m")

    assert connection_from(flags, environ | told) == Connection(
        "http://127.0.0.1:3", "file-token", Path("/d"), "m", "dev"
    )


def test_a_context_that_a_flag_names_goes_before_the_environment(environ: dict[str, str]) -> None:
    """Who says --context prod does not want the server of some variable."""
    told = {
        "ROLLOUT_SERVER": "http://127.0.0.1:2",
        "ROLLOUT_TOKEN": "t",
        "ROLLOUT_NAMESPACE": "n",
        "ROLLOUT_CONTEXT": "dev",
    }
    found = connection_from(Flags(context="prod"), environ | told)

    assert found == Connection("https://prod.example", "prod-token", None, "shop", "prod")


def test_the_environment_may_name_the_context(environ: dict[str, str]) -> None:
    """Then its other variables still go before what that says."""
    found = connection_from(Flags(), environ | {"ROLLOUT_CONTEXT": "prod", "ROLLOUT_NAMESPACE": "n"})

    assert (found.server, found.namespace, found.context) == ("https://prod.example", "n", "prod")


def test_the_token_of_a_context_goes_to_its_server_only(environ: dict[str, str]) -> None:
    """Another server, from a flag or a variable, never gets it."""
    by_flag = connection_from(Flags(server="http://127.0.0.1:2"), environ)
    by_variable = connection_from(Flags(), environ | {"ROLLOUT_SERVER": "http://127.0.0.1:2"})

    assert (by_flag.token, by_flag.ca_file, by_variable.token) == ("", None, "")


def test_the_same_server_said_again_still_gets_the_token(environ: dict[str, str]) -> None:
    """It is the context's own."""
    assert connection_from(Flags(server="http://127.0.0.1:1/"), environ).token == "dev-token"


def test_a_token_file_of_the_environment(environ: dict[str, str], token_file: Path) -> None:
    """Comes after the token itself."""
    told = environ | {"ROLLOUT_TOKEN_FILE": str(token_file)}

    assert connection_from(Flags(), told).token == "file-token"
    assert connection_from(Flags(), told | {"ROLLOUT_TOKEN": "t"}).token == "t"


def test_an_empty_variable_says_nothing(environ: dict[str, str]) -> None:
    """As if it were not there."""
    assert connection_from(Flags(), environ | {"ROLLOUT_SERVER": ""}).server == "http://127.0.0.1:1"


@pytest.mark.parametrize(
    ("flags", "told", "said"),
    [
        (Flags(context="nope"), {}, "--context: is no context (given: nope); allowed: dev, prod"),
        (Flags(), {"ROLLOUT_CONTEXT": "nope"}, "ROLLOUT_CONTEXT: is no context (given: nope); allowed: dev, prod"),
        (Flags(server="nope"), {}, "--server: is no address (given: nope); allowed: http:// or https://"),
        (Flags(), {"ROLLOUT_SERVER": "nope"}, "ROLLOUT_SERVER: is no address (given: nope)"),
        (Flags(namespace="a/b"), {}, "--namespace: can be no namespace (given: a/b); allowed: letters"),
        (Flags(namespace=""), {}, "--namespace: can be no namespace"),
        (Flags(token_file=Path("/nope")), {}, "--token-file: No such file or directory (given: /nope)"),
        (Flags(), {"ROLLOUT_TOKEN": "sec ret"}, "ROLLOUT_TOKEN: holds no token; allowed: printable ASCII"),
        (Flags(token_file=Path("/dev/null")), {}, "--token-file /dev/null: holds no token; allowed: printable ASCII"),
    ],
)
def test_what_is_wrong_is_told_with_where_it_came_from(
    environ: dict[str, str], flags: Flags, told: dict[str, str], said: str
) -> None:
    """A flag, a variable or the file, with what was given and what is allowed; never with a token."""
    with pytest.raises(ConfigurationError) as caught:
        connection_from(flags, environ | told)

    assert str(caught.value).startswith(said)
    assert "sec ret" not in str(caught.value)


@pytest.mark.parametrize(
    ("server", "warned"),
    [
        ("http://127.0.0.1:1", False),
        ("http://localhost:1", False),
        ("http://[::1]:1", False),
        ("https://rollout.example", False),
        ("http://rollout.example", True),
        ("http://127.0.0.1.evil.example", True),
    ],
)
def test_a_token_in_the_clear_is_warned_of(server: str, warned: bool) -> None:  # noqa: FBT001 - a column
    """Unless it does not leave this machine."""
    found = connection_from(Flags(server=server), {"ROLLOUT_CONFIG": "/nonexistent", "ROLLOUT_TOKEN": "t"})

    assert any("unencrypted" in warning for warning in found.warnings) is warned


def test_a_file_that_others_may_read_is_warned_of(environ: dict[str, str]) -> None:
    """Since it holds a token."""
    Path(environ["ROLLOUT_CONFIG"]).chmod(0o644)
    (warning,) = connection_from(Flags(), environ).warnings

    assert warning == f"{environ['ROLLOUT_CONFIG']} holds a token and others may read it; run chmod 600"


def test_no_token_is_in_the_text_of_a_connection() -> None:
    """Whoever prints it does not print the token."""
    assert "secret" not in repr(Connection(token="secret"))


@pytest.mark.parametrize(
    ("name", "key"), [("a", ("here", "a")), ("there/a", ("there", "a")), ("policies", ("here", "policies"))]
)
def test_a_name_may_bring_its_namespace(name: str, key: tuple[str, str]) -> None:
    """As NAMESPACE/NAME; else it is the one in use."""
    assert key_of(name, Connection(namespace="here")) == key


@pytest.mark.parametrize("name", ["", "..", "a/b/c", "/a", "a/", "a b", "a?b", "a%2fb", "x" * 254])
def test_what_can_be_no_name_is_refused_before_anybody_is_asked(name: str) -> None:
    """So that no path is made of it."""
    with pytest.raises(BadParameter, match="can be no name"):
        key_of(name, Connection())
