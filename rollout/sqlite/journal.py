"""The statements of the journal: the recorded transitions of all Rollouts, numbered in one sequence.

Each function does one thing in the transaction of its caller, in the writer's thread. Called by
``rollout.sqlite.rows`` and ``rollout.sqlite.store``. A transition has two numbers: its own within a life
of its Rollout (``born`` says which life), and its sequence over all Rollouts, which SQLite never gives twice.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing

from rollout.ports import Key, Recorded
from rollout.sqlite.documents import Document, decoded, encoded, numbered_transitions

_TRIM = """
    DELETE FROM history WHERE sequence IN (
        SELECT sequence FROM (
            SELECT sequence, row_number() OVER (
                PARTITION BY namespace, name ORDER BY born DESC, number DESC) AS place
            FROM history)
        WHERE place > ? LIMIT ?)"""


def last(connection: sqlite3.Connection) -> int:
    """Return the sequence of the last transition that was ever recorded, 0 before the first."""
    with closing(connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'history'")) as rows:
        row = rows.fetchone()
    return 0 if row is None else int(row[0])


def append(connection: sqlite3.Connection, key: Key, born: int, status: Document) -> tuple[Recorded, ...]:
    """Append those transitions of the status that are newer than what this life has; return them in order."""
    appended = []
    newest = _newest(connection, key, born)
    for number, entry in sorted(numbered_transitions(status), key=lambda numbered: numbered[0]):
        if number > newest:
            newest = number
            appended.append(Recorded(_insert(connection, key, (born, number), entry), key, entry))
    return tuple(appended)


def _newest(connection: sqlite3.Connection, key: Key, born: int) -> int:
    statement = "SELECT max(number) FROM history WHERE namespace = ? AND name = ? AND born = ?"
    with closing(connection.execute(statement, (key.namespace, key.name, born))) as rows:
        number = rows.fetchone()[0]
    return -1 if number is None else int(number)


def _insert(connection: sqlite3.Connection, key: Key, place: tuple[int, int], entry: Document) -> int:
    statement = "INSERT INTO history (namespace, name, born, number, transition) VALUES (?, ?, ?, ?, ?)"
    with closing(connection.execute(statement, (key.namespace, key.name, *place, encoded(entry)))) as cursor:
        sequence = cursor.lastrowid
    assert sequence is not None  # noqa: S101 - an INSERT that did not raise has one
    return sequence


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


def recorded(connection: sqlite3.Connection, *, after: int, limit: int) -> tuple[Recorded, ...]:
    """Return the transitions of all Rollouts after this sequence, oldest first."""
    statement = """
        SELECT sequence, namespace, name, transition FROM history
        WHERE sequence > ? ORDER BY sequence LIMIT ?"""
    with closing(connection.execute(statement, (after, limit))) as rows:
        return tuple(
            Recorded(sequence, Key(namespace, name), decoded(text)) for sequence, namespace, name, text in rows
        )


def trim(connection: sqlite3.Connection, keep: int, most: int) -> int:
    """Take away transitions beyond the newest ``keep`` of each Rollout, at most ``most``; return how many."""
    return connection.execute(_TRIM, (keep, most)).rowcount
