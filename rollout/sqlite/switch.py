"""``SwitchRecord`` of the envoy runtime: the operator's switch as one row of the database.

Made by ``rollout.sqlite.store``, which loads and writes everything of the file; it lives as long as the store does.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial

from rollout.signals import Position
from rollout.sqlite.writer import Writer


def load(connection: sqlite3.Connection) -> Position:
    """Return the position that the file has."""
    with closing(connection.execute("SELECT stopped, turned_by, turned_at, reason FROM failover_switch")) as rows:
        row = rows.fetchone()
    return Position() if row is None else Position(bool(row[0]), str(row[1]), float(row[2]), str(row[3]))


def save(connection: sqlite3.Connection, position: Position) -> None:
    """Keep the position in place of the one before."""
    row = (position.stopped, position.by, position.at, position.reason)
    connection.execute("REPLACE INTO failover_switch VALUES (1, ?, ?, ?, ?)", row)


class SqliteSwitch:
    """The operator's switch; reads come from memory, a turn counts once it is on disk."""

    def __init__(self, writer: Writer, position: Position) -> None:
        """Begin with the position that the file has, and write through ``writer``."""
        self._writer = writer
        self._position = position
        self._listeners: list[Callable[[], None]] = []

    def read(self) -> Position:
        """Return the position on disk."""
        return self._position

    async def turn(self, position: Position) -> None:
        """Keep this position.

        Raises:
            Unavailable: the file cannot be written now.
        """

        def land(_: None) -> None:
            self._position = position
            for listener in self._listeners:
                listener()

        await self._writer.do(partial(save, position=position), land)

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` on the loop after each turn."""
        self._listeners.append(listener)
