"""What the SQLite file adds to the contract of the journal: restarts, writers that gave up, followers that fail."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from rollout.errors import Unavailable
from rollout.ports import Key, Recorded
from rollout.sqlite.store import SqliteStore
from tests.contracts.builders import rollout_document, status
from tests.contracts.stores import CHECKOUT, SEARCH, followed, record, there, told
from tests.fakes.clock import FakeClock
from tests.waiting import until


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a database that does not exist yet."""
    return tmp_path / "rollout.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    """Return an open store."""
    store = await SqliteStore.open(path)
    yield store
    await store.close()


async def test_the_sequence_goes_on_after_a_restart(path: Path) -> None:
    """Also when the last transition was trimmed or its Rollout removed before."""
    store = await SqliteStore.open(path)
    await record(store, CHECKOUT, 1, 2)
    await record(store, SEARCH, 1)
    await store.close()
    again = await SqliteStore.open(path)
    last, heard = again.last, followed(again)
    await again.mark_deleting(SEARCH)
    await again.remove(SEARCH)
    await again.trim_history(1)
    await record(again, SEARCH, 1)
    await again.trim_history(1)
    await again.close()
    third = await SqliteStore.open(path)
    found = [told(one) for one in await third.recorded(after=0)]
    await third.close()

    assert last == 3
    assert [told(one) for one in heard] == [(4, "search", 1)]
    assert found == [(2, "checkout", 2), (4, "search", 1)]
    assert third.last == 4


async def test_when_a_rollout_was_made_outlives_a_restart(path: Path) -> None:
    """It is what the clock said then, to the last digit."""
    store = await SqliteStore.open(path, clock=FakeClock(unix=1_800_000_000.123456))
    await store.apply(rollout_document())
    await store.close()
    again = await SqliteStore.open(path)
    found = there(again)
    await again.close()

    assert found.created_at == 1_800_000_000.123456


async def test_a_record_whose_caller_gave_up_is_told(path: Path) -> None:
    """What lands after its time limit is told once, and the next record goes on behind it."""
    store = await SqliteStore.open(path)
    await store.apply(rollout_document())
    version = there(store).version
    await store.close()
    hasty = await SqliteStore.open(path, limit_seconds=0.0)
    heard = followed(hasty)
    with pytest.raises(Unavailable, match="took longer"):
        await hasty.record(CHECKOUT, status=status(1), expected=version)
    await until(lambda: len(heard) == 1)
    with pytest.raises(Unavailable, match="took longer"):
        await hasty.record(CHECKOUT, status=status(1, 2), expected=there(hasty).version)
    await until(lambda: len(heard) == 2)
    await hasty.close()

    assert [told(one) for one in heard] == [(1, "checkout", 1), (2, "checkout", 2)]
    assert hasty.last == 2


async def test_many_records_at_once_are_told_in_order(store: SqliteStore) -> None:
    """Those that share transactions, with refused ones among them, are told without a gap."""
    keys = [Key("shop", f"r{number}") for number in range(300)]
    await asyncio.gather(*(store.apply(rollout_document(key.name)) for key in keys))
    heard = followed(store)
    versions = [there(store, key).version if number % 3 else "0" for number, key in enumerate(keys)]
    tries = [
        store.record(key, status=status(1, 2), expected=version) for key, version in zip(keys, versions, strict=True)
    ]
    results = await asyncio.gather(*tries, return_exceptions=True)

    assert sum(isinstance(result, Exception) for result in results) == 100
    assert [one.sequence for one in heard] == list(range(1, 401))
    assert heard == list(await store.recorded(after=0))


async def test_followers_have_heard_before_the_writer_goes_on(store: SqliteStore) -> None:
    """Whoever recorded may rely on it that everybody was told."""
    heard = followed(store)
    await record(store, CHECKOUT, 1)

    assert (len(heard), store.last) == (1, 1)


async def test_a_follower_that_fails_keeps_nothing_from_the_others(store: SqliteStore) -> None:
    """Its error is said by the loop; the record is written, and the next follower hears of it."""
    said: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(context))

    def fail(recorded: Recorded) -> None:
        raise ValueError(recorded.sequence)

    store.follow(fail)
    heard = followed(store)
    await record(store, CHECKOUT, 1, 2)

    assert [one.sequence for one in heard] == [1, 2]
    assert [str(context["exception"]) for context in said] == ["1", "2"]


async def test_at_most_a_thousand_are_read_at_once(store: SqliteStore) -> None:
    """Whoever asks for more gets a page, and goes on behind it."""
    await record(store, CHECKOUT, *range(1, 1003))
    first = await store.recorded(after=0, limit=5000)
    rest = await store.recorded(after=first[-1].sequence)

    assert (len(first), len(rest)) == (1000, 2)
    assert list(await store.recorded(after=0, limit=-1)) == []
