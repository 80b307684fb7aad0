"""A `rollout serve` in a process of its own: started, killed, ended; its log and its database read from outside."""

import asyncio
import json
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

from tests.waiting import patient

Line = dict[str, object]
Document = dict[str, object]

POLL_SECONDS = 0.03


class Server:
    """The command with its arguments. Its log is `log`, in JSON, all sessions one after the other.

    What it prints is in `printed`, as its own file; `environment` is added to ours.
    """

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.arguments = arguments
        self.log = folder / "serve.log"
        self.printed = folder / "serve.out"
        self.environment: dict[str, str] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._session_at = 0
        self.started_at = 0.0

    async def start(self) -> None:
        """Start it and do not wait for anything."""
        with self.log.open("ab") as log, self.printed.open("ab") as printed:
            self._session_at, self.started_at = log.tell(), time.time()
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "rollout", "serve", "--log-format", "json", *self.arguments),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=printed,
                stderr=log,
                env={**os.environ, **self.environment},
            )

    async def serving(self, *, seconds: float = 20.0) -> None:
        """Start it and wait until it says that it serves."""
        await self.start()
        await self.until(lambda: self.served_at() is not None, seconds=seconds)

    async def kill(self) -> None:
        """End it as a crash would, and wait until it is gone."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """Ask it to end; return its exit code and how many seconds that took."""
        assert self._process is not None
        began = time.monotonic()
        self.signal(number)
        code = await asyncio.wait_for(self._process.wait(), 20)
        return code, time.monotonic() - began

    def signal(self, number: signal.Signals) -> None:
        """Send a signal and do not wait for anything."""
        assert self._process is not None
        self._process.send_signal(number)

    async def ended(self, *, seconds: float = 20.0) -> int:
        """Wait until it ends by itself; return its exit code."""
        assert self._process is not None
        return await asyncio.wait_for(self._process.wait(), patient(seconds))

    @property
    def pid(self) -> int:
        """Return its process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Return whether it runs."""
        return self._process is not None and self._process.returncode is None

    def text(self) -> str:
        """Return what this session has written so far."""
        with self.log.open("rb") as log:
            log.seek(self._session_at)
            return log.read().decode(errors="replace")

    def lines(self) -> list[Line]:
        """Return the log lines of this session (what a kill cut off is not one)."""
        found = []
        for line in self.text().splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
        return [line for line in found if isinstance(line, dict)]

    @property
    def url(self) -> str:
        """Return where the API of this session is."""
        return next(str(line["api"]) for line in self.lines() if line.get("event") == "serving")

    @property
    def token(self) -> str:
        """Return the token that the first session has printed."""
        return self.printed.read_text().split()[-1]

    def served_at(self) -> str | None:
        """Return the timestamp of the line that says that this session serves, or None."""
        return next((str(line["timestamp"]) for line in self.lines() if line.get("event") == "serving"), None)

    async def said(self, *parts: str, seconds: float = 15.0) -> Line:
        """Wait for a log line that has all `parts` in it; return it."""
        found: list[Line] = []

        def is_there() -> bool:
            found[:] = [line for line in self.lines() if all(part in json.dumps(line) for part in parts)]
            return bool(found)

        await self.until(is_there, seconds=seconds)
        return found[0]

    async def until(self, condition: Callable[[], object], *, seconds: float = 15.0) -> None:
        """Return as soon as `condition` holds; fail with the log when it does not in time, or the process ended."""
        deadline = time.monotonic() + patient(seconds)
        while not condition():
            assert self.is_alive, f"rollout serve ended: {self.text()[-3000:]}"
            assert time.monotonic() < deadline, f"did not come about within {seconds:g} s; log: {self.text()[-3000:]}"
            await asyncio.sleep(POLL_SECONDS)


class Database:
    """The store's file, read from outside while the server runs, or after it was killed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def _rows(self, statement: str, *values: str) -> list[tuple[object, ...]]:
        if not self.path.exists():
            return []
        with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=5)) as connection:
            try:
                return connection.execute(statement, values).fetchall()
            except sqlite3.OperationalError as error:
                if "no such table" in str(error):
                    return []  # it is just being made
                raise

    def names(self) -> list[str]:
        """Return the names of the Rollouts in it."""
        return [str(name) for (name,) in self._rows("SELECT name FROM rollouts ORDER BY name")]

    def status(self, name: str) -> Mapping[str, object]:
        """Return the recorded status, empty when there is none."""
        found = self._rows("SELECT status FROM rollouts WHERE name = ?", name)
        return json.loads(str(found[0][0])) if found else {}

    def waiting(self, name: str) -> str | None:
        """Return the id of the command that waits to be carried out, None when there is none."""
        found = self._rows("SELECT command FROM commands WHERE name = ?", name)
        return str(json.loads(str(found[0][0]))["id"]) if found else None

    def history(self, name: str) -> list[Mapping[str, object]]:
        """Return all recorded transitions, oldest first, as (number by the table, and what it says)."""
        found = self._rows("SELECT number, transition FROM history WHERE name = ? ORDER BY born, number", name)
        return [{"row": number, **json.loads(str(text))} for number, text in found]

    def integrity(self) -> str:
        """Return what SQLite says of the file."""
        return str(self._rows("PRAGMA integrity_check")[0][0])
