"""What the SQLite file adds to the contract: it survives a restart, and says what keeps it from writing."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from rollout.engine.observation import Command
from rollout.errors import NotOursError, PermanentError, Unavailable
from rollout.ports import Key
from rollout.spec.resource import PolicyRef
from rollout.sqlite.database import open_database
from rollout.sqlite.lock import FileLock
from rollout.sqlite.store import SqliteStore
from tests.contracts.builders import policy_document, rollout_document, status, transition
from tests.fakes.clock import FakeClock

CHECKOUT = Key("shop", "checkout")
PAUSE = Command("c1", "pause", {"why": ["lunch"]}, at=5.5, reason="lunch", by="ada")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a database that does not exist yet."""
    return tmp_path / "rollout.db"


async def test_everything_is_there_after_a_restart(path: Path) -> None:
    """Manifest, policy, status, judge, samples, command, deletion, sources, history and version."""
    store = await SqliteStore.open(path)
    await store.apply(rollout_document(revision="1"), "a.yaml")
    await store.apply_policy(policy_document(), "p.yaml")
    recorded = {"beganAt": 1.0, "lastTickAt": 2.0}
    before = store.read(CHECKOUT)
    assert before is not None
    await store.record(CHECKOUT, status=status(1, 2, judge=recorded), expected=before.version)
    await store.checkpoint(CHECKOUT, judge=recorded | {"lastTickAt": 3.0}, samples={"v1": [1.5]})
    await store.command(CHECKOUT, PAUSE)
    await store.apply(rollout_document("search"), "b.yaml")
    await store.mark_deleting(Key("shop", "search"))
    keys = list(store.keys())
    kept = [store.read(key) for key in keys], store.sources(), store.policy_sources()
    await store.close()
    again = await SqliteStore.open(path)
    found = [again.read(key) for key in keys], again.sources(), again.policy_sources()
    past = await again.history(CHECKOUT)
    policy = again.policy(PolicyRef(kind="ClusterRolloutPolicy", name="envoy"), "shop")
    await again.close()

    assert found == kept
    assert found[0][0] is not None
    assert found[0][0].command == PAUSE
    assert found[0][0].status["judge"] == {"beganAt": 1.0, "lastTickAt": 3.0}
    assert list(past) == [transition(2), transition(1)]
    assert policy == policy_document()


async def test_a_second_opening_is_refused(path: Path) -> None:
    """Also within one process; after the first was closed it works."""
    store = await SqliteStore.open(path)
    with pytest.raises(NotOursError, match="is using this database"):
        await SqliteStore.open(path)
    await store.close()

    await (await SqliteStore.open(path)).close()


async def test_a_refused_file_is_free_for_others(path: Path) -> None:
    """A failed opening gives the lock back."""
    path.write_text("no database at all, but longer than the header of one, which has one hundred bytes" * 3)
    for _ in range(2):
        with pytest.raises(PermanentError, match="damaged"):
            await SqliteStore.open(path)

    FileLock(path.with_name("rollout.db.lock")).release()


async def test_a_column_that_cannot_be_read_is_said(path: Path) -> None:
    """Text that is not JSON is found when the file is opened."""
    store = await SqliteStore.open(path)
    await store.apply(rollout_document())
    await store.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE rollouts SET status = '{'")
    with pytest.raises(PermanentError, match=r"rollout\.db: the database holds what cannot be read"):
        await SqliteStore.open(path)


async def test_a_locked_file_is_told_soon_and_written_later(path: Path) -> None:
    """Another program's lock costs less than 200 ms; the cache stays as the disk is."""
    store = await SqliteStore.open(path)
    await store.apply(rollout_document())
    before = store.read(CHECKOUT)
    assert before is not None
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        with pytest.raises(Unavailable, match=r"rollout\.db: the database cannot be written: database is locked"):
            await store.record(CHECKOUT, status=status(1), expected=before.version)
        took = time.monotonic() - began
        unchanged = store.read(CHECKOUT)
    await store.record(CHECKOUT, status=status(1), expected=before.version)
    await store.close()

    assert took < 0.2
    assert unchanged == before


async def test_a_full_disk_is_told_and_loses_nothing(path: Path) -> None:
    """What does not fit is not half written; what fits again is written."""
    connection = open_database(path)
    lock = FileLock(path.with_name("rollout.db.lock"))
    store = SqliteStore(path, connection, lock, clock=FakeClock(), limit_seconds=5)
    await store.apply(rollout_document())
    before = store.read(CHECKOUT)
    assert before is not None
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    large = status(1) | {"message": "x" * 20_000}
    with pytest.raises(Unavailable, match=r"rollout\.db: .* database or disk is full"):
        await store.record(CHECKOUT, status=large, expected=before.version)
    unchanged = store.read(CHECKOUT)
    connection.execute("PRAGMA max_page_count = 100000")
    await store.record(CHECKOUT, status=large, expected=before.version)
    past = await store.history(CHECKOUT)
    await store.close()

    assert unchanged == before
    assert list(past) == [transition(1)]


async def test_history_is_trimmed_in_parts(path: Path) -> None:
    """Many transitions go in several transactions."""
    store = await SqliteStore.open(path)
    for name in ("checkout", "search"):
        key = await store.apply(rollout_document(name))
        stored = store.read(key)
        assert stored is not None
        await store.record(key, status=status(*range(1, 1501)), expected=stored.version)
    gone = await store.trim_history(100)
    left = await store.history(CHECKOUT, limit=5000)
    await store.close()

    assert gone == 2800
    assert [entry["number"] for entry in left] == list(range(1500, 1400, -1))
