"""The file of contexts: read strictly, written whole."""

import stat
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.cli.contexts import (
    Context,
    Contexts,
    contexts_file,
    is_open_to_others,
    read_contexts,
    server_problem,
    write_contexts,
)
from rollout.errors import ConfigurationError

PROD = Context("https://rollout.example:8686", "secret-token", None, Path("/etc/ca.pem"), "shop")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return where a file may be, in a folder that is not there yet."""
    return tmp_path / "config" / "rollout" / "config.toml"


def problems(file: Path, text: str) -> list[str]:
    """Return what is wrong with this text."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        read_contexts(file)
    return [str(problem).removeprefix(f"{file}: ") for problem in caught.value.problems]


def test_what_is_written_is_read_again(file: Path) -> None:
    """With every value, and odd names in quotes."""
    contexts = Contexts("prod", {"prod": PROD, "eu.west": Context(token_file=Path("/run/token"))})
    write_contexts(file, contexts)

    assert read_contexts(file) == contexts
    assert '[contexts."eu.west"]' in file.read_text(encoding="utf-8")


@given(st.text(min_size=1).filter(lambda text: text.isprintable() and text.isascii()))
def test_every_printable_path_survives(text: str) -> None:
    """Whatever quotes and backslashes are in it."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "config.toml"
        contexts = Contexts("", {"a": Context(ca_file=Path("/") / text.strip("/. ") / "x")})
        write_contexts(file, contexts)

        assert read_contexts(file).contexts["a"].ca_file == contexts.contexts["a"].ca_file


def test_a_file_that_is_not_there_says_nothing(file: Path) -> None:
    """It is no error not to have contexts."""
    assert read_contexts(file) == Contexts()


def test_only_the_owner_may_read_what_is_written(file: Path) -> None:
    """Also where the file was open to others before."""
    file.parent.mkdir(parents=True)
    file.write_text("", encoding="utf-8")
    file.chmod(0o644)
    write_contexts(file, Contexts("prod", {"prod": PROD}))

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["config.toml"]


def test_a_link_stays_a_link(file: Path, tmp_path: Path) -> None:
    """Where the file is kept elsewhere, it is changed there."""
    file.parent.mkdir(parents=True)
    file.symlink_to(tmp_path / "elsewhere.toml")
    write_contexts(file, Contexts("prod", {"prod": PROD}))

    assert file.is_symlink()
    assert read_contexts(tmp_path / "elsewhere.toml").current == "prod"


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """With its name and why."""
    (tmp_path / "file").write_text("", encoding="utf-8")

    with pytest.raises(ConfigurationError, match=r"config\.toml: (Not a directory|File exists)"):
        write_contexts(tmp_path / "file" / "config.toml", Contexts())


def test_a_token_that_others_may_read_is_noticed(file: Path) -> None:
    """But not a file without one."""
    contexts = Contexts("prod", {"prod": PROD})
    write_contexts(file, contexts)
    closed = is_open_to_others(file, contexts)
    file.chmod(0o640)

    assert not closed
    assert is_open_to_others(file, contexts)
    assert not is_open_to_others(file, Contexts("", {"a": Context("http://a")}))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("curent = 'a'", "curent: is not a known key; did you mean current?; allowed: current, contexts"),
        (
            "[contexts.a]\nsever = 'x'",
            "contexts.a.sever: is not a known key; did you mean server?; allowed: server, token, token-file, ca-file",
        ),
        ("contexts = 3", "contexts: is not right (given: 3); allowed: tables [contexts.NAME]"),
        ("[contexts]\na = 3", "contexts.a: is not right (given: 3); allowed: a table"),
        ("current = 3", "current: is not right (given: 3); allowed: text"),
        ("[contexts.a]\nnamespace = 'a b'", "contexts.a.namespace: is not right (given: a b); allowed: letters"),
        ("[contexts.a]\nca-file = 3", "contexts.a.ca-file: is not right (given: 3); allowed: text"),
        ("[contexts.a]\nserver = 'ftp://x'", "contexts.a.server: is no address (given: ftp://x); allowed: http://"),
        ("[contexts.'a b']\nserver = 'http://x'", "contexts.a b: is not right (given: a b); allowed: letters"),
        ("[contexts.a]\ntoken = 'a'\ntoken-file = 'b'", "contexts.a: has both token and token-file; keep one of them"),
        ("[contexts", "is not TOML: "),
        ("a = '" + "x" * 1_048_576 + "'", "is too large; allowed: at most 1048576 bytes"),
    ],
)
def test_what_is_wrong_is_told_with_its_key(file: Path, text: str, said: str) -> None:
    """With what was given and what is allowed."""
    (told,) = problems(file, text)

    assert told.startswith(said)


def test_everything_wrong_is_told_at_once(file: Path) -> None:
    """In the order of the file."""
    told = problems(file, "foo = 1\n[contexts.a]\nbar = 1\nbaz = 2\n")

    assert [problem.split(":")[0] for problem in told] == ["foo", "contexts.a.bar", "contexts.a.baz"]


@pytest.mark.parametrize("text", ["[contexts.a]\ntoken = 'sec ret'", "[contexts.a]\nserver = 'http://u:secret@h'"])
def test_no_secret_is_in_a_problem(file: Path, text: str) -> None:
    """Neither a token nor a password of an address."""
    (told,) = problems(file, text)

    assert "ret" not in told


def test_no_token_is_in_the_text_of_a_context() -> None:
    """Whoever prints it does not print the token."""
    assert "secret" not in repr(Contexts("prod", {"prod": PROD}))


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        ({"ROLLOUT_CONFIG": "/x/y.toml", "XDG_CONFIG_HOME": "/z"}, "/x/y.toml"),
        ({"XDG_CONFIG_HOME": "/z"}, "/z/rollout/config.toml"),
        ({"XDG_CONFIG_HOME": "relative"}, str(Path("~/.config/rollout/config.toml").expanduser())),
        ({}, str(Path("~/.config/rollout/config.toml").expanduser())),
    ],
)
def test_where_the_file_is(environ: dict[str, str], path: str) -> None:
    """By a variable of ours, the one of the desktop, or at its usual place."""
    assert contexts_file(environ) == Path(path)


@pytest.mark.parametrize(
    ("server", "said"),
    [
        ("http://127.0.0.1:8686", ""),
        ("https://[::1]:1/prefix", ""),
        ("rollout.example", "is no address"),
        ("http://", "is no address"),
        ("http://h:99999", "is no address"),
        ("http://a b", "is no address"),
        ("http://[::1", "is no address"),
        ("http://u:p@h", "must not carry a user or password"),
        ("http://h/?a=b", "must not have ? or #"),
        ("http://h/#a", "must not have ? or #"),
    ],
)
def test_which_addresses_can_be_asked(server: str, said: str) -> None:
    """A scheme and a host, and nothing that is secret or lost."""
    assert server_problem(server) == said


def test_a_relative_file_is_beside_the_file_of_contexts(file: Path) -> None:
    """Not wherever the command runs."""
    file.parent.mkdir(parents=True)
    file.write_text("[contexts.a]\ntoken-file = 'token'\n", encoding="utf-8")

    assert read_contexts(file).contexts["a"].token_file == file.parent / "token"
