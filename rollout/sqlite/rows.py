"""The statements: each function does one thing in the transaction of its caller, in the writer's thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing

from rollout.engine.observation import Command
from rollout.errors import ConflictError, NotOursError
from rollout.ports import Key, StoredRollout
from rollout.sqlite.documents import (
    Document,
    PolicyKey,
    decoded,
    decoded_command,
    encoded,
    encoded_command,
    handled_ids,
    numbered_transitions,
    with_judge,
)

_ALL = """
    SELECT r.namespace, r.name, r.document, r.status, r.version, r.generation, r.deleting, r.source,
           k.command, c.judge, c.samples
    FROM rollouts r
    LEFT JOIN commands k ON k.namespace = r.namespace AND k.name = r.name
    LEFT JOIN checkpoints c ON c.namespace = r.namespace AND c.name = r.name"""

_TRIM = """
    DELETE FROM history WHERE rowid IN (
        SELECT id FROM (
            SELECT rowid AS id, row_number() OVER (
                PARTITION BY namespace, name ORDER BY born DESC, number DESC) AS place
            FROM history)
        WHERE place > ? LIMIT ?)"""


def load(connection: sqlite3.Connection) -> dict[Key, tuple[StoredRollout, str]]:
    """Return every Rollout and the source of its manifest."""
    with closing(connection.execute(_ALL)) as rows:
        return {Key(row[0], row[1]): (_stored(row), row[7]) for row in rows}


def _stored(row: Sequence[object]) -> StoredRollout:
    namespace, name, document, status, version, generation, deleting = map(str, row[:7])
    command, judge, samples = row[8:]
    kept = decoded(status)
    return StoredRollout(
        Key(namespace, name),
        decoded(document),
        kept if judge is None else with_judge(kept, decoded(str(judge))),
        version,
        int(generation),
        command=None if command is None else decoded_command(str(command)),
        deleting=deleting == "1",
        samples={} if samples is None else decoded(str(samples)),
    )


def load_policies(connection: sqlite3.Connection) -> dict[PolicyKey, tuple[Document, str]]:
    """Return every policy and the source of its manifest."""
    with closing(connection.execute("SELECT kind, namespace, name, document, source FROM policies")) as rows:
        return {
            (kind, namespace, name): (decoded(document), source) for kind, namespace, name, document, source in rows
        }


def _next_version(connection: sqlite3.Connection) -> int:
    connection.execute("UPDATE counter SET version = version + 1")
    with closing(connection.execute("SELECT version FROM counter")) as rows:
        return int(rows.fetchone()[0])


def _set(connection: sqlite3.Connection, key: Key, assignments: str, values: Sequence[object]) -> str:
    """Set columns of the Rollout and return its new version."""
    version = _next_version(connection)
    statement = f"UPDATE rollouts SET {assignments}, version = ? WHERE namespace = ? AND name = ?"  # noqa: S608 - ours
    if connection.execute(statement, (*values, version, key.namespace, key.name)).rowcount == 0:
        raise _gone(key)
    return str(version)


def _gone(key: Key) -> NotOursError:
    return NotOursError(f"Rollout {key} is gone")


def insert(connection: sqlite3.Connection, key: Key, document: str, source: str) -> str:
    """Make a Rollout of generation 1 and return its version."""
    version = _next_version(connection)
    connection.execute(
        "INSERT INTO rollouts (namespace, name, born, version, generation, source, document)"
        " VALUES (?, ?, ?, ?, 1, ?, ?)",
        (key.namespace, key.name, version, version, source, document),
    )
    return str(version)


def change(connection: sqlite3.Connection, key: Key, document: str, source: str) -> str:
    """Change the manifest, count the generation up, take a deletion back; return the new version."""
    columns = "document = ?, source = ?, generation = generation + 1, deleting = 0"
    return _set(connection, key, columns, (document, source))


def set_source(connection: sqlite3.Connection, key: Key, source: str) -> None:
    """Note where the manifest comes from now."""
    values = (source, key.namespace, key.name)
    connection.execute("UPDATE rollouts SET source = ? WHERE namespace = ? AND name = ?", values)


def set_deleting(connection: sqlite3.Connection, key: Key) -> str:
    """Mark the Rollout as to be deleted and return its new version."""
    return _set(connection, key, "deleting = 1", ())


def delete(connection: sqlite3.Connection, key: Key) -> None:
    """Take the Rollout away with its command and checkpoint; its history stays.

    Raises:
        NotOursError: it is gone.
    """
    where = (key.namespace, key.name)
    if connection.execute("DELETE FROM rollouts WHERE namespace = ? AND name = ?", where).rowcount == 0:
        raise _gone(key)


def put_command(connection: sqlite3.Connection, key: Key, command: Command) -> str:
    """Leave the command and return the new version.

    Raises:
        ConflictError: another one waits, and this one is not abort.
        NotOursError: the Rollout is gone.
    """
    version = _set(connection, key, "generation = generation", ())
    waiting = _waiting(connection, key)
    if waiting is not None and command.action != "abort":
        raise ConflictError(f"{key}: command {waiting.action} ({waiting.id}) still waits")
    values = (key.namespace, key.name, encoded_command(command))
    connection.execute("INSERT OR REPLACE INTO commands VALUES (?, ?, ?)", values)
    return version


def _waiting(connection: sqlite3.Connection, key: Key) -> Command | None:
    statement = "SELECT command FROM commands WHERE namespace = ? AND name = ?"
    with closing(connection.execute(statement, (key.namespace, key.name))) as rows:
        row = rows.fetchone()
    return None if row is None else decoded_command(row[0])


def record(
    connection: sqlite3.Connection, key: Key, *, status: Document, text: str, expected: str
) -> tuple[str, str | None]:
    """Write the status (``text`` is its JSON), append new transitions, take a handled command away.

    Returns the new version, and the id of the command that went.

    Raises:
        ConflictError: the version is not ``expected``.
        NotOursError: the Rollout is gone.
    """
    born, version = _born_and_version(connection, key)
    if str(version) != expected:
        raise ConflictError(f"{key} has changed since: version {version}, expected {expected}")
    newer = _set(connection, key, "status = ?", (text,))
    connection.executemany(
        "INSERT OR IGNORE INTO history VALUES (?, ?, ?, ?, ?)",
        [(key.namespace, key.name, born, number, encoded(entry)) for number, entry in numbered_transitions(status)],
    )
    waiting = _waiting(connection, key)
    if waiting is None or waiting.id not in handled_ids(status):
        return newer, None
    connection.execute("DELETE FROM commands WHERE namespace = ? AND name = ?", (key.namespace, key.name))
    return newer, waiting.id


def _born_and_version(connection: sqlite3.Connection, key: Key) -> tuple[int, int]:
    statement = "SELECT born, version FROM rollouts WHERE namespace = ? AND name = ?"
    with closing(connection.execute(statement, (key.namespace, key.name))) as rows:
        row = rows.fetchone()
    if row is None:
        raise _gone(key)
    return row[0], row[1]


def checkpoint(connection: sqlite3.Connection, key: Key, judge: str, samples: str) -> None:
    """Keep the judge's state and the samples in place of the last ones.

    Raises:
        NotOursError: the Rollout is gone.
    """
    _born_and_version(connection, key)
    values = (key.namespace, key.name, judge, samples)
    connection.execute("INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?, ?)", values)


def put_policy(connection: sqlite3.Connection, policy: PolicyKey, document: str, source: str) -> None:
    """Make or change a policy."""
    connection.execute("INSERT OR REPLACE INTO policies VALUES (?, ?, ?, ?, ?)", (*policy, source, document))


def delete_policy(connection: sqlite3.Connection, policy: PolicyKey) -> None:
    """Take a policy away."""
    connection.execute("DELETE FROM policies WHERE kind = ? AND namespace = ? AND name = ?", policy)


def history(
    connection: sqlite3.Connection, key: Key, *, limit: int, before: int | None
) -> tuple[Mapping[str, object], ...]:
    """Return the transitions of the Rollout's last life, newest first, those numbered below ``before``."""
    statement = """
        SELECT transition FROM history
        WHERE namespace = :namespace AND name = :name AND (:before IS NULL OR number < :before)
          AND born = (SELECT coalesce(
              (SELECT born FROM rollouts WHERE namespace = :namespace AND name = :name),
              (SELECT max(born) FROM history WHERE namespace = :namespace AND name = :name)))
        ORDER BY number DESC LIMIT :limit"""
    values = {"namespace": key.namespace, "name": key.name, "before": before, "limit": limit}
    with closing(connection.execute(statement, values)) as rows:
        return tuple(decoded(row[0]) for row in rows)


def trim_history(connection: sqlite3.Connection, keep: int, most: int) -> int:
    """Take away transitions beyond the newest ``keep`` of each Rollout, at most ``most``; return how many."""
    return connection.execute(_TRIM, (keep, most)).rowcount


def document_of(connection: sqlite3.Connection, key: Key) -> tuple[str, int, bool] | None:
    """Return the manifest as written, its generation, and whether it is being deleted; None when there is none."""
    statement = "SELECT document, generation, deleting FROM rollouts WHERE namespace = ? AND name = ?"
    with closing(connection.execute(statement, (key.namespace, key.name))) as found:
        row = found.fetchone()
    return None if row is None else (row[0], row[1], bool(row[2]))
