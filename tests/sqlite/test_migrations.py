"""A file of each older schema is brought up to date, with everything in it."""

import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest

from rollout.engine.observation import Command
from rollout.ports import Key, Recorded
from rollout.sqlite.database import open_database
from rollout.sqlite.migrations import MIGRATIONS
from rollout.sqlite.store import SqliteStore
from tests.contracts.builders import policy_document, rollout_document, status, transition

CHECKOUT, SEARCH = Key("shop", "checkout"), Key("shop", "search")
PAUSE = '{"id": "c9", "action": "pause", "args": {}, "at": 1.0, "reason": "", "by": "ada"}'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a file of the first schema: two Rollouts, one in its second life, and one that is gone."""
    path = tmp_path / "rollout.db"
    with closing(open_database(path, MIGRATIONS[:1])) as connection:
        connection.execute("BEGIN")
        connection.execute("UPDATE counter SET version = 9")
        rollouts = [
            ("shop", "checkout", 1, 8, 3, 0, "a.yaml", json.dumps(rollout_document()), json.dumps(status(1, 2))),
            ("shop", "search", 5, 9, 1, 1, "", json.dumps(rollout_document("search")), "{}"),
        ]
        connection.executemany("INSERT INTO rollouts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rollouts)
        connection.execute("INSERT INTO commands VALUES ('shop', 'checkout', ?)", (PAUSE,))
        connection.execute("INSERT INTO checkpoints VALUES ('shop', 'checkout', '{}', '{\"v1\": [1]}')")
        policy = ("ClusterRolloutPolicy", "", "envoy", "p.yaml", json.dumps(policy_document()))
        connection.execute("INSERT INTO policies VALUES (?, ?, ?, ?, ?)", policy)
        past = [("search", 2, 1), ("checkout", 1, 1), ("gone", 3, 1), ("checkout", 1, 2), ("search", 5, 1)]
        _write_past(connection, past)
        connection.execute("COMMIT")
    return path


def _write_past(connection: sqlite3.Connection, past: Iterable[tuple[str, int, int]]) -> None:
    """Write transitions as (name, life, number) in this order."""
    rows = [("shop", name, born, number, json.dumps(transition(number))) for name, born, number in past]
    connection.executemany("INSERT INTO history VALUES (?, ?, ?, ?, ?)", rows)


async def test_a_file_of_the_first_schema_keeps_everything(path: Path) -> None:
    """Rollouts, command, checkpoint, policy, sources and histories; when they were made is not known."""
    store = await SqliteStore.open(path)
    checkout, search = store.read(CHECKOUT), store.read(SEARCH)
    sources, policies = dict(store.sources()), dict(store.policies())
    histories = [list(await store.history(key)) for key in (CHECKOUT, SEARCH, Key("shop", "gone"))]
    await store.close()

    assert checkout is not None
    assert search is not None
    assert (checkout.document, checkout.status) == (rollout_document(), status(1, 2))
    assert (checkout.version, checkout.generation, checkout.created_at) == ("8", 3, 0.0)
    assert checkout.command == Command("c9", "pause", at=1.0, by="ada")
    assert checkout.samples == {"v1": [1]}
    assert search.deleting
    assert sources == {CHECKOUT: "a.yaml"}
    assert policies == {("ClusterRolloutPolicy", "", "envoy"): policy_document()}
    assert histories == [[transition(2), transition(1)], [transition(1)], [transition(1)]]


async def test_old_transitions_are_numbered_as_they_came(path: Path) -> None:
    """The sequence begins with the oldest row and goes on behind the newest."""
    store = await SqliteStore.open(path)
    last = store.last
    await store.record(CHECKOUT, status=status(1, 2, 3), expected="8")
    found = await store.recorded(after=0)
    await store.close()

    assert last == 5
    assert [(one.sequence, one.key.name) for one in found] == [
        (1, "search"),
        (2, "checkout"),
        (3, "gone"),
        (4, "checkout"),
        (5, "search"),
        (6, "checkout"),
    ]
    assert found[-1] == Recorded(6, CHECKOUT, transition(3))


def test_a_brought_up_file_has_the_schema_of_a_new_one(path: Path, tmp_path: Path) -> None:
    """Nothing of the steps in between stays, and each transition is in the file once."""
    with closing(open_database(path)) as old, closing(open_database(tmp_path / "new.db")) as new:
        told = "SELECT type, name, tbl_name FROM sqlite_master ORDER BY name"
        schemas = [connection.execute(told).fetchall() for connection in (old, new)]
        faults = old.execute("PRAGMA foreign_key_check").fetchall(), old.execute("PRAGMA integrity_check").fetchall()
        with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
            old.execute("INSERT INTO history VALUES (99, 'shop', 'checkout', 1, 2, '{}')")

    assert schemas[0] == schemas[1]
    assert faults == ([], [("ok",)])
