"""Jobs are carried out in order, together where they wait together, and land although nobody waits."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rollout.errors import ConflictError, Unavailable
from rollout.sqlite.writer import Writer


@pytest.fixture
async def writer(tmp_path: Path) -> AsyncIterator[Writer]:
    """Return a writer of a database with one empty table of numbers."""
    made = Writer(_connection(tmp_path), "numbers.db", limit_seconds=5)
    yield made
    await made.close()


def _connection(folder: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(folder / "numbers.db", isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE numbers (number INTEGER)")
    return connection


def insert(number: int) -> str:
    """Return the statement that writes the number."""
    return f"INSERT INTO numbers VALUES ({number})"  # noqa: S608 - a number of ours


async def numbers(writer: Writer) -> list[int]:
    """Return what the table has, in order."""
    query = "SELECT number FROM numbers ORDER BY rowid"
    return await writer.do(lambda connection: [row[0] for row in connection.execute(query)], ignore)


def ignore(_: object) -> None:
    """Land nowhere."""


async def blocked(writer: Writer) -> tuple[threading.Event, "asyncio.Task[object]"]:
    """Return an event that the thread waits for, and the task of the job that waits."""
    gate, begun = threading.Event(), threading.Event()

    def wait(_: sqlite3.Connection) -> object:
        begun.set()
        return gate.wait(5)

    task = asyncio.create_task(writer.do(wait, ignore))
    await asyncio.to_thread(begun.wait, 5)
    return gate, task


async def test_jobs_that_wait_together_share_one_transaction(writer: Writer) -> None:
    """One hundred jobs behind a slow one cost one commit, and land in their order."""
    gate, first = await blocked(writer)
    counted: list[bool] = []
    landed: list[int] = []

    def job(number: int) -> "asyncio.Task[int]":
        def run(connection: sqlite3.Connection) -> int:
            counted.append(connection.in_transaction)
            connection.execute(insert(number))
            return number

        return asyncio.create_task(writer.do(run, landed.append))

    tasks = [job(number) for number in range(100)]
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(first, *tasks)

    assert all(counted)
    assert landed == list(range(100)) == await numbers(writer)


async def test_a_refused_job_takes_nothing_back_of_its_neighbours(writer: Writer) -> None:
    """What the refused one wrote before it raised is gone, the rest stays."""
    gate, first = await blocked(writer)

    def refused(connection: sqlite3.Connection) -> None:
        connection.execute(insert(2))
        raise ConflictError("no")

    tasks = [
        asyncio.create_task(writer.do(lambda connection: connection.execute(insert(1)), ignore)),
        asyncio.create_task(writer.do(refused, ignore)),
        asyncio.create_task(writer.do(lambda connection: connection.execute(insert(3)), ignore)),
    ]
    await asyncio.sleep(0)
    gate.set()
    results = await asyncio.gather(first, *tasks, return_exceptions=True)

    assert [type(result) for result in results].count(ConflictError) == 1
    assert await numbers(writer) == [1, 3]


async def test_a_statement_that_fails_is_told_to_all_of_its_transaction(writer: Writer) -> None:
    """Nothing of the transaction stays, and the next one works."""
    with pytest.raises(Unavailable, match=r"numbers\.db: the database cannot be written: no such table"):
        await writer.do(lambda connection: connection.execute("INSERT INTO nowhere VALUES (1)"), ignore)
    await writer.do(lambda connection: connection.execute(insert(1)), ignore)

    assert await numbers(writer) == [1]


async def test_an_unexpected_error_does_not_end_the_thread(writer: Writer) -> None:
    """A fault of ours is said, and the next job is carried out."""

    def faulty(_: sqlite3.Connection) -> None:
        raise KeyError("x")

    with pytest.raises(Unavailable, match="KeyError"):
        await writer.do(faulty, ignore)

    assert await numbers(writer) == []


async def test_a_job_lands_although_its_caller_was_cancelled(writer: Writer) -> None:
    """What is on disk is in the cache, too."""
    gate, first = await blocked(writer)
    landed = asyncio.Event()
    task = asyncio.create_task(
        writer.do(lambda connection: connection.execute(insert(1)).rowcount, lambda _: landed.set())
    )
    await asyncio.sleep(0)
    task.cancel()
    gate.set()
    await first
    await asyncio.wait_for(landed.wait(), 5)

    assert task.cancelled()
    assert await numbers(writer) == [1]


async def test_a_write_that_takes_too_long_is_told_and_still_lands(tmp_path: Path) -> None:
    """The caller goes on after the limit; a late write is not lost."""
    landed: list[bool] = []
    writer, gate = Writer(_connection(tmp_path), "numbers.db", limit_seconds=0.05), threading.Event()
    with pytest.raises(Unavailable, match=r"took longer than 0\.05 s"):
        await writer.do(lambda _: gate.wait(5), landed.append)
    gate.set()
    await writer.close()
    await asyncio.sleep(0)

    assert landed == [True]


async def test_after_the_end_nothing_is_written(tmp_path: Path) -> None:
    """What waited is done, what comes later is refused."""
    writer = Writer(_connection(tmp_path), "numbers.db", limit_seconds=5)
    last = asyncio.create_task(writer.do(lambda connection: connection.execute(insert(1)).rowcount, ignore))
    await asyncio.sleep(0)
    await writer.close()
    await writer.close()
    with pytest.raises(Unavailable, match="closed"):
        await writer.do(lambda connection: connection.execute(insert(2)), ignore)

    assert await last == 1
