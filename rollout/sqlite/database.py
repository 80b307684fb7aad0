"""Opening the database file: settings, integrity, schema. Nothing here ever deletes or replaces a file.

Called by ``rollout.sqlite.store`` once, off the event loop. A file that is damaged, foreign or newer
than this program is refused with its name and what to do; it is left as it is.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from rollout.errors import PermanentError, Unavailable
from rollout.sqlite.migrations import MIGRATIONS

APPLICATION_ID = 0x726F6C6C
"""Marks a file as ours in its header (the letters ``roll``)."""

BUSY_MILLISECONDS = 50
"""How long a write waits for another program that has locked the file: an abort must not wait longer."""

_MOST_FAULTS = 5
_KEEP = "It was left as it is: put a copy from a backup in its place, or move it away"
_ADOPT = "then Rollouts are adopted from the weights that the routes have"


def open_database(path: Path, migrations: Sequence[Sequence[str]] = MIGRATIONS) -> sqlite3.Connection:
    """Return a connection to the checked, migrated database, which is made when it does not exist.

    The connection is meant for one thread at a time, which need not be this one.

    Raises:
        PermanentError: the file is damaged, not ours, or of a newer program.
        Unavailable: it cannot be opened, read or written now.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise Unavailable(f"{path}: the database cannot be opened: {error}") from error
    try:
        _prepare(connection, path, migrations)
    except sqlite3.OperationalError as error:
        connection.close()
        raise Unavailable(f"{path}: the database cannot be used now: {error}") from error
    except sqlite3.DatabaseError as error:
        connection.close()
        raise PermanentError(f"{path}: the database is damaged: {error}. {_KEEP}; {_ADOPT}.") from error
    except PermanentError:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path, migrations: Sequence[Sequence[str]]) -> None:
    connection.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
    _refuse_foreign(connection, path, known=len(migrations))
    _check(connection, path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    _migrate(connection, migrations)


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    with closing(connection.execute(f"PRAGMA {pragma}")) as cursor:
        return int(cursor.fetchone()[0])


def _refuse_foreign(connection: sqlite3.Connection, path: Path, *, known: int) -> None:
    owner, version = _number(connection, "application_id"), _number(connection, "user_version")
    with closing(connection.execute("SELECT count(*) FROM sqlite_master")) as cursor:
        is_new = cursor.fetchone()[0] == 0 and owner == 0
    if owner != APPLICATION_ID and not is_new:
        raise PermanentError(f"{path}: this is a database of another program; choose another file")
    if version > known:
        told = f"its schema is {version}, this program knows up to {known}"
        raise PermanentError(f"{path}: the database was written by a newer version: {told}; use the newer version")


def _check(connection: sqlite3.Connection, path: Path) -> None:
    with closing(connection.execute(f"PRAGMA integrity_check({_MOST_FAULTS})")) as cursor:
        faults = [str(row[0]) for row in cursor]
    if faults != ["ok"]:
        raise PermanentError(f"{path}: the database is damaged: {'; '.join(faults)}. {_KEEP}; {_ADOPT}.")


def _migrate(connection: sqlite3.Connection, migrations: Sequence[Sequence[str]]) -> None:
    """Do the steps that are missing, each in its own transaction together with its number."""
    for number in range(_number(connection, "user_version") + 1, len(migrations) + 1):
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in migrations[number - 1]:
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {number}")
            connection.execute("COMMIT")
        except sqlite3.Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
