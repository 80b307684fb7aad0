"""Opening: a good file is checked and brought up to date, a bad one is refused and left as it is."""

import sqlite3
import stat
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from rollout.errors import PermanentError, Unavailable
from rollout.sqlite.database import open_database
from rollout.sqlite.migrations import MIGRATIONS

MORE = (*MIGRATIONS, ("CREATE TABLE later (a INTEGER)", "INSERT INTO later VALUES (1)"))
BROKEN = (*MIGRATIONS, ("CREATE TABLE later (a INTEGER)", "INSERT INTO nowhere VALUES (1)"))


def schema(path: Path) -> tuple[int, set[str]]:
    """Return the schema's number and the tables of a file."""
    with closing(sqlite3.connect(path)) as connection:
        number = connection.execute("PRAGMA user_version").fetchone()[0]
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    return number, tables


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a database that does not exist yet."""
    return tmp_path / "rollout.db"


def test_a_new_file_is_safe_against_a_loss_of_power_and_for_its_owner_only(path: Path) -> None:
    """Write-ahead log, a sync with every commit, and no access for others."""
    with closing(open_database(path)) as connection:
        settings = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
        keys = connection.execute("PRAGMA foreign_keys").fetchone()[0]

    assert settings == ["wal", 2]
    assert keys == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_missing_steps_of_the_schema_are_done(path: Path) -> None:
    """A file of an older program is brought up to date."""
    open_database(path).close()
    open_database(path, MORE).close()
    number, tables = schema(path)

    assert number == len(MORE)
    assert "later" in tables


def test_a_step_that_fails_leaves_the_schema_before_it(path: Path) -> None:
    """Each step is done whole or not at all."""
    open_database(path).close()
    with pytest.raises(Unavailable, match=r"rollout\.db: .*nowhere"):
        open_database(path, BROKEN)
    number, tables = schema(path)

    assert number == len(MIGRATIONS)
    assert "later" not in tables


def test_a_newer_schema_is_refused(path: Path) -> None:
    """An older program does not touch what it does not know."""
    open_database(path, MORE).close()
    told = rf"rollout\.db: .* newer version: its schema is {len(MORE)}, .* up to {len(MIGRATIONS)}"
    with pytest.raises(PermanentError, match=told):
        open_database(path)

    assert schema(path)[0] == len(MORE)


def test_the_database_of_another_program_is_refused(path: Path) -> None:
    """A file with tables that are not ours is not taken over."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE rollouts (a INTEGER)")
    before = path.read_bytes()
    with pytest.raises(PermanentError, match=r"rollout\.db: .*another program"):
        open_database(path)

    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"kind: Rollout\n" * 100, b"SQLite format 3\x00" + b"\xff" * 4096])
def test_a_file_that_is_no_database_is_refused_by_name(path: Path, content: bytes) -> None:
    """It is left as it is, and the message says what to do."""
    path.write_bytes(content)
    with pytest.raises(PermanentError, match=r"rollout\.db: the database is damaged: .*backup"):
        open_database(path)

    assert path.read_bytes() == content


def test_a_damaged_page_is_found_when_it_is_opened(path: Path) -> None:
    """A file whose pages were overwritten in the middle is refused, and left as it is."""
    with closing(open_database(path)) as connection:
        fill(connection, range(2000))
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 2048] = b"\x5a" * 2048
    path.write_bytes(content)
    with pytest.raises(PermanentError, match=r"rollout\.db: the database is damaged"):
        open_database(path)

    assert path.read_bytes() == bytes(content)


def fill(connection: sqlite3.Connection, numbers: Sequence[int]) -> None:
    """Write so many transitions that the file has many pages, and move them out of the log."""
    rows = [("shop", "checkout", 1, number, "x" * 200) for number in numbers]
    connection.execute("BEGIN")
    connection.executemany(
        "INSERT INTO history (namespace, name, born, number, transition) VALUES (?, ?, ?, ?, ?)", rows
    )
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def test_a_folder_that_does_not_exist_is_said(tmp_path: Path) -> None:
    """The message names the file and the reason."""
    with pytest.raises(Unavailable, match=r"missing/rollout\.db: the database cannot be opened: .*No such file"):
        open_database(tmp_path / "missing" / "rollout.db")
