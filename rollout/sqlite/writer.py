"""The one thread that touches the database.

Jobs come from the event loop and are carried out in their order. Those that wait together share one
transaction, so that a thousand records that come at once cost one sync of the disk; each has its own
savepoint, so that a refused one takes nothing back of the others. What a job leaves for the loop
(a newer cache) lands there in the same order, also when nobody waits for the job any more.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TypeVar

import structlog

from rollout.errors import RolloutError, Unavailable

log = structlog.get_logger(__name__)

MOST_TOGETHER = 256
"""How many jobs share a transaction at most."""

T = TypeVar("T")
Landing = Callable[[], None]


@dataclass(frozen=True, slots=True)
class _Job:
    """``attempt`` runs in the thread and returns what runs on the loop once all is on disk; else ``refuse`` does."""

    attempt: Callable[[sqlite3.Connection], Landing]
    refuse: Callable[[RolloutError], None]


class Writer:
    """Carries out jobs on ``connection``, which belongs to its thread from now on until ``close``."""

    def __init__(self, connection: sqlite3.Connection, name: str, *, limit_seconds: float) -> None:
        """Start the thread; answers land on the running loop."""
        self._connection = connection
        self._name = name
        self._limit_seconds = limit_seconds
        self._loop = asyncio.get_running_loop()
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._serve, name="sqlite writer", daemon=True)
        self._thread.start()

    async def do(self, run: Callable[[sqlite3.Connection], T], then: Callable[[T], None]) -> T:
        """Carry out ``run`` in the thread and, when it is on disk, ``then`` with its result on the loop.

        Raises:
            RolloutError: what ``run`` raises; nothing of it stays.
            Unavailable: the database cannot be written, is closed, or took longer than the limit (it may
                still be written then, and lands if so).
        """
        if self._closed:
            raise Unavailable(f"{self._name}: the database is closed")
        answer: asyncio.Future[T] = self._loop.create_future()

        def attempt(connection: sqlite3.Connection) -> Landing:
            result = run(connection)
            return lambda: land(result)

        def land(result: T) -> None:
            try:
                then(result)
            finally:
                if not answer.done():
                    answer.set_result(result)

        def refuse(error: RolloutError) -> None:
            if not answer.done():
                answer.set_exception(error)

        self._jobs.put(_Job(attempt, refuse))
        try:
            async with asyncio.timeout(self._limit_seconds):
                return await answer
        except TimeoutError as error:
            told = f"{self._name}: the database took longer than {self._limit_seconds:g} s"
            raise Unavailable(told) from error

    async def close(self) -> None:
        """Carry out what waits, then close the connection and end the thread."""
        if not self._closed:
            self._closed = True
            self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)

    def _serve(self) -> None:
        going_on = True
        while going_on:
            batch, going_on = self._next_batch()
            if batch:
                self._carry_out(batch)
        self._connection.close()

    def _next_batch(self) -> tuple[list[_Job], bool]:
        """Wait for a job and return it with those behind it, and whether more may come."""
        batch: list[_Job] = []
        job = self._jobs.get()
        while job is not None:
            batch.append(job)
            if len(batch) == MOST_TOGETHER or self._jobs.empty():
                return batch, True
            job = self._jobs.get()
        return batch, False

    def _carry_out(self, batch: list[_Job]) -> None:
        try:
            landings = self._transact(batch)
        except sqlite3.Error as error:
            landings = self._refuse_all(batch, f"the database cannot be written: {error}", error)
        except Exception as error:
            log.exception("a write failed in an unexpected way", database=self._name)
            landings = self._refuse_all(batch, f"a write failed: {error!r}", error)
        for landing in landings:
            self._land(landing)

    def _transact(self, batch: list[_Job]) -> list[Landing]:
        self._connection.execute("BEGIN IMMEDIATE")
        landings = [self._attempt(job) for job in batch]
        self._connection.execute("COMMIT")
        return landings

    def _attempt(self, job: _Job) -> Landing:
        self._connection.execute("SAVEPOINT job")
        try:
            landing = job.attempt(self._connection)
        except RolloutError as error:
            self._connection.execute("ROLLBACK TO job")
            refused = error
            landing = lambda: job.refuse(refused)  # noqa: E731 - one of two landings
        self._connection.execute("RELEASE job")
        return landing

    def _refuse_all(self, batch: list[_Job], sentence: str, cause: Exception) -> list[Landing]:
        self._roll_back()

        def refusal(job: _Job) -> Landing:
            error = Unavailable(f"{self._name}: {sentence}")
            error.__cause__ = cause
            return lambda: job.refuse(error)

        return [refusal(job) for job in batch]

    def _roll_back(self) -> None:
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            log.exception("a transaction cannot be taken back now", database=self._name)

    def _land(self, landing: Landing) -> None:
        try:
            self._loop.call_soon_threadsafe(landing)
        except RuntimeError:
            # The loop has been closed without the store: what is written is on disk, nobody is left to be told.
            log.warning("written after the end of the loop", database=self._name)
