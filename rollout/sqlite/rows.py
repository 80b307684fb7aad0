"""The statements: each function does one thing in the transaction of its caller, in the writer's thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from rollout.engine.observation import Command
from rollout.errors import ConflictError, NotOursError
from rollout.ports import Key, PolicyKey, Recorded, StoredRollout
from rollout.sqlite import journal
from rollout.sqlite.documents import (
    Document,
    decoded,
    decoded_command,
    encoded_command,
    handled_ids,
    with_judge,
)

_ALL = """
    SELECT r.namespace, r.name, r.document, r.status, r.version, r.generation, r.deleting, r.source,
           k.command, c.judge, c.samples, r.created_at
    FROM rollouts r
    LEFT JOIN commands k ON k.namespace = r.namespace AND k.name = r.name
    LEFT JOIN checkpoints c ON c.namespace = r.namespace AND c.name = r.name"""


def load(connection: sqlite3.Connection) -> dict[Key, tuple[StoredRollout, str]]:
    """Return every Rollout and the source of its manifest."""
    with closing(connection.execute(_ALL)) as rows:
        return {Key(row[0], row[1]): (_stored(row), row[7]) for row in rows}


def _stored(row: Sequence[object]) -> StoredRollout:
    namespace, name, document, status, version, generation, deleting = map(str, row[:7])
    command, judge, samples, created_at = row[8:]
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
        created_at=float(str(created_at)),
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


def insert(connection: sqlite3.Connection, key: Key, *, document: str, source: str, created_at: float) -> str:
    """Make a Rollout of generation 1 and return its version."""
    version = _next_version(connection)
    connection.execute(
        "INSERT INTO rollouts (namespace, name, born, version, generation, source, document, created_at)"
        " VALUES (?, ?, ?, ?, 1, ?, ?, ?)",
        (key.namespace, key.name, version, version, source, document, created_at),
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
    """Take a Rollout that is being deleted away with its command and checkpoint; its history stays.

    Raises:
        ConflictError: it is not being deleted any more.
        NotOursError: it is gone.
    """
    where = (key.namespace, key.name)
    statement = "DELETE FROM rollouts WHERE namespace = ? AND name = ? AND deleting = 1"
    if connection.execute(statement, where).rowcount == 0:
        if manifest_of(connection, key) is None:
            raise _gone(key)
        raise ConflictError(f"{key} was applied again and is not being deleted any more")


def put_command(connection: sqlite3.Connection, key: Key, command: Command) -> str | None:
    """Leave the command and return the new version; None, and no change, if one with its id waits or was handled.

    Raises:
        ConflictError: another one waits, and this one is not abort.
        NotOursError: the Rollout is gone.
    """
    waiting = _waiting(connection, key)
    if (waiting is not None and waiting.id == command.id) or command.id in handled_ids(_status(connection, key)):
        return None
    if waiting is not None and command.action != "abort":
        raise ConflictError(f"{key}: command {waiting.action} ({waiting.id}) still waits")
    values = (key.namespace, key.name, encoded_command(command))
    version = _set(connection, key, "generation = generation", ())
    connection.execute("INSERT OR REPLACE INTO commands VALUES (?, ?, ?)", values)
    return version


def _status(connection: sqlite3.Connection, key: Key) -> Document:
    statement = "SELECT status FROM rollouts WHERE namespace = ? AND name = ?"
    with closing(connection.execute(statement, (key.namespace, key.name))) as rows:
        row = rows.fetchone()
    if row is None:
        raise _gone(key)
    return decoded(row[0])


def _waiting(connection: sqlite3.Connection, key: Key) -> Command | None:
    statement = "SELECT command FROM commands WHERE namespace = ? AND name = ?"
    with closing(connection.execute(statement, (key.namespace, key.name))) as rows:
        row = rows.fetchone()
    return None if row is None else decoded_command(row[0])


@dataclass(frozen=True, slots=True)
class Written:
    """What a record did: the new version, the id of the command that went, the transitions that are new."""

    version: str
    handled: str | None
    transitions: tuple[Recorded, ...]


def record(connection: sqlite3.Connection, key: Key, *, status: Document, text: str, expected: str) -> Written:
    """Write the status (``text`` is its JSON), append new transitions, take a handled command away.

    Raises:
        ConflictError: the version is not ``expected``.
        NotOursError: the Rollout is gone.
    """
    born, version = _born_and_version(connection, key)
    if str(version) != expected:
        raise ConflictError(f"{key} has changed since: version {version}, expected {expected}")
    newer = _set(connection, key, "status = ?", (text,))
    transitions = journal.append(connection, key, born, status)
    waiting = _waiting(connection, key)
    if waiting is None or waiting.id not in handled_ids(status):
        return Written(newer, None, transitions)
    connection.execute("DELETE FROM commands WHERE namespace = ? AND name = ?", (key.namespace, key.name))
    return Written(newer, waiting.id, transitions)


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


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest as written, the generation and version of its Rollout, and whether that is being deleted."""

    document: str
    generation: int
    version: str
    deleting: bool


def manifest_of(connection: sqlite3.Connection, key: Key) -> Manifest | None:
    """Return the Rollout's manifest, or None when there is none."""
    statement = "SELECT document, generation, version, deleting FROM rollouts WHERE namespace = ? AND name = ?"
    with closing(connection.execute(statement, (key.namespace, key.name))) as found:
        row = found.fetchone()
    return None if row is None else Manifest(row[0], row[1], str(row[2]), bool(row[3]))


def refuse_other(before: Manifest | None, key: Key, expected: str | None) -> None:
    """Refuse a change by somebody who has seen another version (empty: none); with None, nothing is refused.

    Raises:
        ConflictError: the version is another one, and the message says which.
    """
    if expected is None or expected == ("" if before is None else before.version):
        return
    if before is None:
        raise ConflictError(f"Rollout {key} does not exist, expected version {expected}")
    if not expected:
        state = "is still being deleted" if before.deleting else "exists already"
        raise ConflictError(f"Rollout {key} {state}: version {before.version}")
    raise ConflictError(f"Rollout {key} has changed since: version {before.version}, expected {expected}")
