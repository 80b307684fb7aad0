"""Two hundred readers of events, ten of which take nothing, beside a controller at work on a real database.

The readers are in a process of their own. Commands make the controller record two hundred transitions a second: before
the streams, with them, and after, so that what they cost the controller is seen within one run.
"""

import asyncio
import gc
import json
import os
import statistics
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import psutil
import pytest
import structlog

from rollout.api.stream_response import Pace
from rollout.clock import SystemClock
from rollout.controller.controller import Controller, Options, Ports
from rollout.engine.observation import BackendKey, Command, Endpoints, RouteKey
from rollout.ports import Key, Recorded
from rollout.rehearsal.health import SimulatedGates
from rollout.sqlite.store import SqliteStore
from tests.api.stream_world import Served, serving
from tests.fakes.health import FakeBackendHealth
from tests.fakes.measurements import FakeMeasurements
from tests.fakes.routes import FakeRouteTable
from tests.waiting import until

ROLLOUTS = 100
COMMANDS = 1000
PER_SECOND = 200
READERS, STALLED = 190, 10
MIB = 1024 * 1024


class World:
    """A controller with attempts under way in a real database; what each command took until it was recorded."""

    def __init__(self, store: SqliteStore) -> None:
        self.store = store
        self.routes, self.health = FakeRouteTable(), FakeBackendHealth()
        ports = Ports(store, self.routes, self.health, FakeMeasurements(), SimulatedGates(), SystemClock())
        self.controller = Controller(ports, Options(cadence_seconds=10.0))
        self.landed: dict[int, float] = {}
        self._sent: dict[Key, float] = {}
        self._took: list[float] = []
        self._number = 0
        store.follow(self._note)

    def _note(self, recorded: Recorded) -> None:
        self.landed[recorded.sequence] = now = time.monotonic()
        if recorded.key in self._sent:
            self._took.append(now - self._sent.pop(recorded.key))

    async def fill(self) -> list[Key]:
        """Put everything in place and return the keys when all attempts run."""
        keys = []
        for number in range(ROLLOUTS):
            stable, canary, route = f"stable-{number}", f"canary-{number}", RouteKey("HTTPRoute", "shop", f"r-{number}")
            self.routes.put(route, {stable: 100, canary: 0})
            self.health.put(BackendKey("shop", stable), Endpoints(4, 4))
            self.health.put(BackendKey("shop", canary), Endpoints(1, 1))
            spec = {
                "routes": [{"kind": "HTTPRoute", "name": route.name}],
                "backends": {"stable": {"name": stable}, "canary": {"name": canary}},
                "steps": [{"weight": 10, "hold": "24h"}, {"weight": 50, "hold": "5m"}],
                "analysis": {"checks": []},
            }
            document = {"kind": "Rollout", "metadata": {"name": f"app-{number}", "namespace": "shop"}, "spec": spec}
            keys.append(await self.store.apply(document))
        await asyncio.gather(*(self._command(key, "start", {"revision": "v2"}) for key in keys))
        await until(lambda: all(self._is_in_step(key) for key in keys), seconds=30)
        return keys

    def _is_in_step(self, key: Key) -> bool:
        state = self.controller.state(key)
        return state is not None and state.step == 1

    async def _command(self, key: Key, action: str, args: Mapping[str, object] | None = None) -> None:
        self._number += 1
        self._sent[key] = time.monotonic()
        await self.store.command(key, Command(f"c{self._number}", action, args or {}, at=time.time()))

    async def load(self, keys: list[Key], action: str) -> "Load":
        """Pause or resume Rollouts in turn at an even rate; return what it took."""
        loop, before = asyncio.get_running_loop(), self.store.last
        self._took = []
        spent, passes, began = time.process_time(), self.controller.counts.passes, loop.time()
        sending: set[asyncio.Task[None]] = set()
        actions = {key: cycle(("pause", "resume") if action == "pause" else ("resume", "pause")) for key in keys}
        for number, key in zip(range(COMMANDS), cycle(keys), strict=False):
            await asyncio.sleep(max(0.0, began + number / PER_SECOND - loop.time()))
            sending.add(asyncio.create_task(self._command(key, next(actions[key]))))
        await asyncio.gather(*sending)
        await until(lambda: self.store.last >= before + COMMANDS and not self._sent, seconds=30)
        cpu, made = time.process_time() - spent, self.controller.counts.passes - passes
        return Load(sorted(self._took), 100 * cpu / (loop.time() - began), made, before, self.store.last)


@dataclass(frozen=True, slots=True)
class Load:
    """What a load took: seconds from command to record, in order of size, processor of one core, passes."""

    took: list[float]
    percent: float
    passes: int
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


async def readers(port: int) -> asyncio.subprocess.Process:
    """Start the readers and return when all have been greeted."""
    arguments = (str(port), "/events", str(READERS), str(STALLED))
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.stream_load", *arguments, stdin=pipe, stdout=pipe, limit=256 * MIB
    )
    assert child.stdout is not None
    async with asyncio.timeout(30):
        assert await child.stdout.readline() == b"ready\n"
    return child


async def with_readers(
    world: World, keys: list[Key], served: Served
) -> tuple[Load, list[dict[str, list[float]]], dict[str, float]]:
    """Load the controller while all read; return also what each reader got, and memory."""
    child = await readers(served.port)
    assert child.stdout is not None
    await until(lambda: served.feed.readers == READERS + STALLED)
    gc.collect()
    before = psutil.Process().memory_info().rss
    load = await world.load(keys, "pause")
    after = psutil.Process().memory_info().rss
    left = served.feed.readers
    await asyncio.sleep(0.5)
    written, _ = await child.communicate(b"")
    return load, json.loads(written), {"before": before / MIB, "after": after / MIB, "left": left}


async def measure(path: Path) -> dict[str, float]:
    """Return the figures."""
    store = await SqliteStore.open(path)
    world = World(store)
    run = asyncio.create_task(world.controller.run())
    keys = await world.fill()
    alone = await world.load(keys, "pause")
    async with serving(store, pace=Pace(write_seconds=1.0)) as served:
        busy, got, memory = await with_readers(world, keys, served)
    again = await world.load(keys, "pause")
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    await store.close()
    wanted = list(range(busy.after + 1, busy.last + 1))
    delays = sorted(
        at - world.landed[int(sequence)]
        for one in got
        for sequence, at in zip(one["sequences"], one["times"], strict=True)
    )
    usual = (alone.median + again.median) / 2
    return {
        "transitions recorded": float(len(wanted)),
        "readers that got each once and in order": float(sum(one["sequences"] == wanted for one in got)),
        "readers that were cut": READERS + STALLED - memory["left"],
        "record to receipt p50, ms": 1000 * delays[len(delays) // 2],
        "record to receipt p99, ms": 1000 * delays[int(len(delays) * 0.99)],
        "record to receipt max, ms": 1000 * delays[-1],
        "command to record p50 without streams, ms": usual,
        "command to record p50 with streams, ms": busy.median,
        "command to record p99 without streams, ms": (alone.p99 + again.p99) / 2,
        "command to record p99 with streams, ms": busy.p99,
        "times as long with streams (p50)": busy.median / usual,
        "processor of one core without streams, %": (alone.percent + again.percent) / 2,
        "processor of one core with streams, %": busy.percent,
        "memory before, MiB": memory["before"],
        "memory after, MiB": memory["after"],
    }


@pytest.mark.timeout(180)
def test_two_hundred_readers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each reader gets each transition once, in order, 99 of 100 within 200 ms, and the controller is not slower."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    figures = asyncio.run(measure(tmp_path / "rollout.db"))
    lines = [f"  {name:58} {value:12.1f}\n" for name, value in figures.items()]
    with capsys.disabled():
        sys.stdout.write(
            f"\n{READERS} readers and {STALLED} that take nothing, {os.cpu_count()} cores:\n{''.join(lines)}"
        )

    assert figures["readers that got each once and in order"] == READERS
    assert figures["record to receipt p99, ms"] <= 200
    assert figures["memory after, MiB"] - figures["memory before, MiB"] <= 32
