"""The schema, as the numbered steps that lead to it; the file's ``user_version`` says how many were done.

A step is never changed after a release: what is wrong with one is put right by the next.
"""

from __future__ import annotations

_FIRST = (
    "CREATE TABLE counter (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), version INTEGER NOT NULL)",
    "INSERT INTO counter VALUES (1, 0)",
    """CREATE TABLE rollouts (
        namespace TEXT NOT NULL, name TEXT NOT NULL,
        born INTEGER NOT NULL, version INTEGER NOT NULL, generation INTEGER NOT NULL,
        deleting INTEGER NOT NULL DEFAULT 0 CHECK (deleting IN (0, 1)),
        source TEXT NOT NULL, document TEXT NOT NULL, status TEXT NOT NULL DEFAULT '{}',
        PRIMARY KEY (namespace, name))""",
    """CREATE TABLE commands (
        namespace TEXT NOT NULL, name TEXT NOT NULL, command TEXT NOT NULL,
        PRIMARY KEY (namespace, name),
        FOREIGN KEY (namespace, name) REFERENCES rollouts ON DELETE CASCADE)""",
    """CREATE TABLE checkpoints (
        namespace TEXT NOT NULL, name TEXT NOT NULL, judge TEXT NOT NULL, samples TEXT NOT NULL,
        PRIMARY KEY (namespace, name),
        FOREIGN KEY (namespace, name) REFERENCES rollouts ON DELETE CASCADE)""",
    """CREATE TABLE history (
        namespace TEXT NOT NULL, name TEXT NOT NULL, born INTEGER NOT NULL, number INTEGER NOT NULL,
        transition TEXT NOT NULL,
        PRIMARY KEY (namespace, name, born, number))""",
    """CREATE TABLE policies (
        kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
        source TEXT NOT NULL, document TEXT NOT NULL,
        PRIMARY KEY (kind, namespace, name))""",
)
"""``born`` is the version at which a Rollout was made: numbers of transitions begin again with each life."""

_SECOND = (
    "ALTER TABLE history RENAME TO history_of_step_1",
    """CREATE TABLE history (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        namespace TEXT NOT NULL, name TEXT NOT NULL, born INTEGER NOT NULL, number INTEGER NOT NULL,
        transition TEXT NOT NULL,
        UNIQUE (namespace, name, born, number))""",
    """INSERT INTO history (namespace, name, born, number, transition)
        SELECT namespace, name, born, number, transition FROM history_of_step_1 ORDER BY rowid""",
    "DROP TABLE history_of_step_1",
    "ALTER TABLE rollouts ADD COLUMN created_at REAL NOT NULL DEFAULT 0",
)
"""``sequence`` numbers the transitions of all Rollouts as they came; ``created_at`` is Unix seconds, 0: not known."""

_THIRD = (
    """CREATE TABLE failover_switch (
        only_row INTEGER PRIMARY KEY CHECK (only_row = 1), stopped INTEGER NOT NULL CHECK (stopped IN (0, 1)),
        turned_by TEXT NOT NULL, turned_at REAL NOT NULL, reason TEXT NOT NULL)""",
)
"""The operator's switch as it was turned last; no row: it never was."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (_FIRST, _SECOND, _THIRD)
"""The statements of each step; step 1 is the first."""
