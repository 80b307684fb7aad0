"""What readers of events cost: a controller at work on a real database, and readers in a process of their own.

Commands make the controller record transitions at an even rate: before the streams, with them, and after, so that what
they cost the controller is seen within one run. Called by the bench, and with fewer by a test.
"""

import asyncio
import gc
import json
import os
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import psutil

from rollout.api.stream_response import Pace
from rollout.api.streams import StreamOptions
from rollout.engine.observation import Command
from rollout.ports import Key, Recorded
from rollout.sqlite.store import SqliteStore
from tests.api.world import OPERATOR, World, manifest, options, world
from tests.waiting import until

MIB = 1024 * 1024
PER_SECOND = 200


@dataclass(frozen=True, slots=True)
class Size:
    """How many there are of what; ``commands`` is a multiple of twice ``rollouts``."""

    rollouts: int
    commands: int
    readers: int
    stalled: int


@dataclass(frozen=True, slots=True)
class Load:
    """What a load took: seconds from command to record, in order of size, processor of one core, which sequences."""

    took: Sequence[float]
    percent: float
    after: int
    last: int

    @property
    def median(self) -> float:
        """Return the milliseconds from a command to its record, in the middle."""
        return 1000 * statistics.median(self.took)

    @property
    def p99(self) -> float:
        """Return the milliseconds that 99 of 100 took at most."""
        return 1000 * self.took[int(len(self.took) * 0.99)]


class Author:
    """Lets the controller record, and notes when what landed."""

    def __init__(self, api: World, keys: Sequence[Key]) -> None:
        self.landed: dict[int, float] = {}
        self._store = api.store
        self._keys = keys
        self._sent: dict[Key, float] = {}
        self._took: list[float] = []
        self._number = 0
        api.store.follow(self._note)

    def _note(self, recorded: Recorded) -> None:
        self.landed[recorded.sequence] = now = time.monotonic()
        if recorded.key in self._sent:
            self._took.append(now - self._sent.pop(recorded.key))

    async def command(self, key: Key, action: str, args: Mapping[str, object] | None = None) -> None:
        """Leave a command, once the one before it has been recorded."""
        await until(lambda: key not in self._sent, seconds=30)
        self._number += 1
        self._sent[key] = time.monotonic()
        await self._store.command(key, Command(f"c{self._number}", action, args or {}, at=time.time()))

    async def load(self, commands: int) -> Load:
        """Pause and resume Rollouts in turn at an even rate; return what it took."""
        loop, before = asyncio.get_running_loop(), self._store.last
        self._took = []
        spent, began = time.process_time(), loop.time()
        sending: list[asyncio.Task[None]] = []
        actions = {key: cycle(("pause", "resume")) for key in self._keys}
        for number, key in zip(range(commands), cycle(self._keys), strict=False):
            await asyncio.sleep(max(0.0, began + number / PER_SECOND - loop.time()))
            sending.append(asyncio.create_task(self.command(key, next(actions[key]))))
        await asyncio.gather(*sending)
        await until(lambda: self._store.last >= before + commands and not self._sent, seconds=30)
        percent = 100 * (time.process_time() - spent) / (loop.time() - began)
        return Load(sorted(self._took), percent, before, self._store.last)


async def attempts(api: World, rollouts: int) -> Author:
    """Let so many attempts be under way."""
    keys = [Key("shop", f"app-{number}") for number in range(rollouts)]
    author = Author(api, keys)
    for key in keys:
        api.furnish(key)
        await api.store.apply(manifest(key))
    await asyncio.gather(*(author.command(key, "start", {"revision": "2"}) for key in keys))
    await until(lambda: all(api.state(key).step == 1 for key in keys), seconds=30)
    return author


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of a load with readers: what each got, how many were cut, and memory (MiB) before and after."""

    load: Load
    readers: Sequence[Mapping[str, Any]]
    cut: int
    before: float
    after: float


async def with_readers(api: World, author: Author, size: Size) -> Seen:
    """Load the controller while all read."""
    arguments = (str(api.port), "/api/v1/events", str(size.readers), str(size.stalled))
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.stream_load", *arguments),
        stdin=pipe,
        stdout=pipe,
        limit=256 * MIB,
        env={**os.environ, "ROLLOUT_TOKEN": OPERATOR},
    )
    try:
        assert child.stdout is not None
        async with asyncio.timeout(30):
            assert await child.stdout.readline() == b"ready\n"
        gc.collect()
        before = psutil.Process().memory_info().rss / MIB
        load = await author.load(size.commands)
        after = psutil.Process().memory_info().rss / MIB
        async with asyncio.timeout(60):
            written, _ = await child.communicate(str(load.last).encode())
    except BaseException:
        child.kill()
        raise
    said = json.loads(written)
    return Seen(load, said["readers"], said["cut"], before, after)


async def measure(path: Path, size: Size) -> dict[str, float]:
    """Return the figures."""
    store = await SqliteStore.open(path)
    streams = StreamOptions(asyncio.Event(), pace=Pace(write_seconds=1.0))
    try:
        async with world(store, given=options(streams=streams)) as api:
            author = await attempts(api, size.rollouts)
            alone = await author.load(size.commands)
            seen = await with_readers(api, author, size)
            again = await author.load(size.commands)
    finally:
        await store.close()
    return _figures(seen, (alone, again), author.landed)


def _figures(seen: Seen, without: tuple[Load, Load], landed: Mapping[int, float]) -> dict[str, float]:
    load = seen.load
    wanted = list(range(load.after + 1, load.last + 1))
    delays = sorted(
        at - landed[sequence]
        for one in seen.readers
        for sequence, at in zip(one["sequences"], one["times"], strict=True)
    )
    usual = statistics.mean(one.median for one in without)
    return {
        "transitions recorded": float(len(wanted)),
        "readers that got each once and in order": float(sum(one["sequences"] == wanted for one in seen.readers)),
        "readers that took nothing and were cut": float(seen.cut),
        "record to receipt p50, ms": 1000 * statistics.median(delays),
        "record to receipt p99, ms": 1000 * delays[int(len(delays) * 0.99)],
        "record to receipt max, ms": 1000 * delays[-1],
        "command to record p50 without streams, ms": usual,
        "command to record p50 with streams, ms": load.median,
        "command to record p99 without streams, ms": statistics.mean(one.p99 for one in without),
        "command to record p99 with streams, ms": load.p99,
        "times as long with streams (p50)": load.median / usual,
        "processor of one core without streams, %": statistics.mean(one.percent for one in without),
        "processor of one core with streams, %": load.percent,
        "memory before, MiB": seen.before,
        "memory after, MiB": seen.after,
    }
