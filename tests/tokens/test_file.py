"""The token file: seen when it changes, last good version kept, written whole and for its owner only."""

import asyncio
import json
import os
import stat
import threading
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from rollout.errors import ConfigurationError, ConflictError, NotOursError, PermanentError, Unavailable
from rollout.ports import Caller
from rollout.tokens import disk
from rollout.tokens.entries import MOST_TOKENS, Entry, encoded
from rollout.tokens.file import LOOK_SECONDS, TokenFile
from rollout.tokens.roles import Role
from tests.fakes.clock import FakeClock

ADA = Caller("ada", ("viewer",))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a token file that does not exist yet."""
    return tmp_path / "rollout.tokens"


@pytest.fixture
def clock() -> FakeClock:
    """Return the clock of the file."""
    return FakeClock()


@pytest.fixture
def file(path: Path, clock: FakeClock) -> TokenFile:
    """Return the token file."""
    return TokenFile(path, clock)


def names(file: TokenFile) -> list[str]:
    """Return the names of all tokens."""
    return [entry.name for entry in file.entries()]


def test_a_new_file_is_for_its_owner_only(file: TokenFile, path: Path) -> None:
    """Nothing else is left in the folder, and the token is not in the file."""
    token = file.create("ada", Role.VIEWER)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["rollout.tokens"]
    assert token.rsplit("_", 1)[1] not in path.read_text()


def test_what_was_made_is_listed(file: TokenFile, clock: FakeClock) -> None:
    """Name, role and times of each, in the order in which they were made."""
    file.create("ada", Role.VIEWER)
    clock.advance(5)
    file.create("bob", Role.OPERATOR, 60.0)
    ada, bob = file.entries()

    assert (ada.name, ada.role, ada.created, ada.expires) == ("ada", Role.VIEWER, clock.now() - 5, None)
    assert (bob.name, bob.role, bob.created, bob.expires) == ("bob", Role.OPERATOR, clock.now(), clock.now() + 60)


@pytest.mark.parametrize("name", ["", "ada lovelace", "-ada", "a/b", "a" * 254, "\x1b[31m"])
def test_a_name_that_is_none_is_refused(file: TokenFile, path: Path, name: str) -> None:
    """It says what is allowed, and makes no file."""
    with pytest.raises(ConfigurationError, match=r"name: is not a name.*allowed: letters"):
        file.create(name, Role.VIEWER)

    assert not path.exists()


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("inf"), float("nan"), 366 * 86400.0 + 1])
def test_a_life_that_is_none_is_refused(file: TokenFile, path: Path, seconds: float) -> None:
    """A token lives for more than no time and for at most a year."""
    with pytest.raises(ConfigurationError, match=r"expires: .*allowed: above 0, at most 366d"):
        file.create("ada", Role.VIEWER, seconds)

    assert not path.exists()


def test_a_name_is_given_once(file: TokenFile, clock: FakeClock) -> None:
    """Until its token has expired or was revoked."""
    file.create("ada", Role.VIEWER, 60.0)
    with pytest.raises(ConflictError, match="token ada already"):
        file.create("ada", Role.OPERATOR)
    clock.advance(60)
    file.create("ada", Role.OPERATOR)

    assert [(entry.name, entry.role) for entry in file.entries()] == [("ada", Role.OPERATOR)]


def test_a_full_file_takes_no_more(file: TokenFile, path: Path) -> None:
    """It says how many there may be, and stays as it is."""
    filler = {"role": Role.VIEWER, "salt": "0" * 32, "hash": "0" * 64, "created": 0.0}
    tokens = tuple(Entry(id=f"{n:016x}", name=f"t{n}", **filler) for n in range(MOST_TOKENS))  # type: ignore[arg-type]
    disk.replace(path, encoded(tokens))
    with pytest.raises(ConflictError, match=f"{MOST_TOKENS} tokens"):
        file.create("ada", Role.VIEWER)

    assert len(file.entries()) == MOST_TOKENS


def test_an_unknown_name_cannot_be_revoked(file: TokenFile) -> None:
    """Nor any in a file that does not exist."""
    with pytest.raises(NotOursError, match=r"rollout\.tokens: there is no such token file"):
        file.revoke("ada")
    file.create("ada", Role.VIEWER)
    with pytest.raises(NotOursError, match="there is no token bob"):
        file.revoke("bob")

    assert names(file) == ["ada"]


def test_many_that_write_at_once_lose_nothing(path: Path, clock: FakeClock) -> None:
    """Each waits for the other."""
    file = TokenFile(path, clock)
    threads = [threading.Thread(target=file.create, args=(f"t{n}", Role.VIEWER)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(names(file)) == sorted(f"t{n}" for n in range(20))


def test_a_file_behind_a_link_is_replaced_where_it_is(file: TokenFile, path: Path, tmp_path: Path) -> None:
    """The link stays a link."""
    (tmp_path / "etc").mkdir()
    path.symlink_to(tmp_path / "etc" / "tokens")
    file.create("ada", Role.VIEWER)
    file.create("bob", Role.VIEWER)

    assert path.is_symlink()
    assert names(file) == ["ada", "bob"]
    assert [one.name for one in (tmp_path / "etc").iterdir()] == ["tokens"]


def test_a_broken_file_is_not_written_over(file: TokenFile, path: Path) -> None:
    """Whoever broke it may want to mend it."""
    disk.replace(path, b"{")
    for change in (lambda: file.create("ada", Role.VIEWER), lambda: file.revoke("ada"), file.entries):
        with pytest.raises(PermanentError, match=r"rollout\.tokens: the token file is broken: Invalid JSON"):
            change()

    assert path.read_bytes() == b"{"


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
async def test_a_file_that_others_may_write_is_not_believed(
    file: TokenFile, path: Path, clock: FakeClock, mode: int
) -> None:
    """Who can write it can make a token; the message says the mode, and closing it is enough."""
    token = file.create("ada", Role.VIEWER)
    path.chmod(mode)
    with pytest.raises(Unavailable, match=rf"others may write the token file \(mode {mode:04o}\); allowed: 0600"):
        await file.identify(token)
    path.chmod(0o640)
    clock.advance(LOOK_SECONDS)

    assert await file.identify(token) == ADA


async def test_what_is_no_file_is_told(file: TokenFile, path: Path) -> None:
    """A pipe in its place holds nobody up."""
    os.mkfifo(path, 0o600)
    with pytest.raises(Unavailable, match="this is no file"):
        await file.identify("x")


def test_a_folder_that_is_not_there_is_told(tmp_path: Path, clock: FakeClock) -> None:
    """The message names the file and the reason."""
    with pytest.raises(Unavailable, match=r"missing/t: the folder .*No such file"):
        TokenFile(tmp_path / "missing" / "t", clock).create("ada", Role.VIEWER)


async def test_a_file_that_is_not_there_is_told_until_it_is(file: TokenFile, clock: FakeClock) -> None:
    """Nobody can be known yet; a token that is made then is known without a restart."""
    with pytest.raises(Unavailable, match=r"rollout\.tokens: there is no such token file; .*create"):
        await file.identify("x")
    token = file.create("ada", Role.VIEWER)
    clock.advance(LOOK_SECONDS)

    assert await file.identify(token) == ADA


async def test_the_file_is_looked_at_at_most_once_a_second(file: TokenFile, clock: FakeClock) -> None:
    """A change is seen by the next question after that second, and not before."""
    ada = file.create("ada", Role.VIEWER)
    await file.identify(ada)
    file.revoke("ada")
    clock.advance(LOOK_SECONDS - 0.01)
    early = await file.identify(ada)
    clock.advance(0.01)

    assert early == ADA
    assert await file.identify(ada) is None


async def test_an_edit_in_place_is_seen(file: TokenFile, path: Path, clock: FakeClock) -> None:
    """Not everybody renames."""
    token = file.create("ada", Role.VIEWER)
    await file.identify(token)
    path.write_text(path.read_text().replace('"viewer"', '"operator"'))
    clock.advance(LOOK_SECONDS)

    assert await file.identify(token) == Caller("ada", ("operator",))


async def test_a_broken_file_keeps_the_last_good_version(file: TokenFile, path: Path, clock: FakeClock) -> None:
    """Those who have a token go on; one warning says why, and the mended file is in force at once."""
    token, content = file.create("ada", Role.VIEWER), path.read_bytes()
    with capture_logs() as lines:
        await file.identify(token)
        path.write_bytes(content[:-9])
        found = []
        for _ in range(3):
            clock.advance(LOOK_SECONDS)
            found.append(await file.identify(token))
        path.write_bytes(content.replace(b'"ada"', b'"bob"'))
        clock.advance(LOOK_SECONDS)
        mended = await file.identify(token)

    assert found == [ADA] * 3
    assert mended == Caller("bob", ("viewer",))
    assert [(line["event"], line["log_level"]) for line in lines] == [
        ("tokens read", "info"),
        ("tokens not read", "warning"),
        ("tokens read", "info"),
    ]
    assert lines[1]["still_known"] == 1


async def test_a_file_that_was_broken_from_the_start_lets_nobody_in(file: TokenFile, path: Path) -> None:
    """Without a good version nobody can be known; the message says what is wrong."""
    disk.replace(path, b"{}")
    with pytest.raises(Unavailable, match=r"rollout\.tokens: the token file is broken: version: Field required"):
        await file.identify("x")


async def test_a_file_that_was_taken_away_lets_nobody_in(file: TokenFile, path: Path, clock: FakeClock) -> None:
    """Taking the file away is no damage; it is said, and another file in its place is good again."""
    token, content = file.create("ada", Role.VIEWER), path.read_bytes()
    await file.identify(token)
    path.unlink()
    clock.advance(LOOK_SECONDS)
    with pytest.raises(Unavailable, match="there is no such token file"):
        await file.identify(token)
    disk.replace(path, content)
    clock.advance(LOOK_SECONDS)

    assert await file.identify(token) == ADA


async def test_many_questions_at_once_read_the_file_once(file: TokenFile) -> None:
    """Those that come while it is read wait for that."""
    tokens = [file.create(f"t{number}", Role.VIEWER) for number in range(5)]
    with capture_logs() as lines:
        callers = await asyncio.gather(*(file.identify(token) for token in tokens * 20))

    assert {caller.name for caller in callers if caller is not None} == {f"t{number}" for number in range(5)}
    assert [line["event"] for line in lines] == ["tokens read"]


async def test_no_line_of_the_log_has_a_secret(file: TokenFile, path: Path, clock: FakeClock) -> None:
    """Neither token nor hash nor salt, whether the file is good or broken."""
    token = file.create("ada", Role.VIEWER)
    kept = json.loads(path.read_text())["tokens"][0]
    with capture_logs() as lines:
        await file.identify(token)
        path.write_text(path.read_text().replace('"viewer"', f'"{token}"'))
        clock.advance(LOOK_SECONDS)
        await file.identify(token)
    secrets = (token.rsplit("_", 1)[1], kept["hash"], kept["salt"])

    assert len(lines) == 2
    assert not any(secret in str(line) for secret in secrets for line in lines)
