"""What every ``SwitchRecord`` does: the fake, a row of SQLite, and a ConfigMap of a real API server."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rollout.clock import SystemClock
from rollout.errors import Unavailable
from rollout.kube.api import ApiOptions, KubeApi
from rollout.kube.switch import KubeSwitch
from rollout.signals import Position, SwitchRecord
from rollout.sqlite.store import SqliteStore
from tests.fakes.switch import FakeSwitch
from tests.kubernetes.fixtures import KUBERNETES
from tests.kubernetes.proxy import Mode, Proxy
from tests.waiting import until

if TYPE_CHECKING:
    from tests.kubernetes.cluster import Cluster

STOPPED = Position(stopped=True, by="alice", at=1_800_000_000.25, reason="maintenance of the mesh – until 11 o'clock")
RELEASED = Position(stopped=False, by="bob", at=1_800_000_600.0, reason="")


class World(ABC):
    """A record, and what may happen around it."""

    record: SwitchRecord

    @abstractmethod
    async def start(self) -> None:
        """Open the record; its first reading is in."""

    @abstractmethod
    async def other(self) -> SwitchRecord:
        """Return the record as the next life or another replica has it."""

    @abstractmethod
    async def take_down(self) -> None:
        """Let nothing be kept any more."""

    @abstractmethod
    async def close(self) -> None:
        """End all."""


class FakeWorld(World):
    """The fake, which is its own next life."""

    record: FakeSwitch

    async def start(self) -> None:
        """Make it."""
        self.record = FakeSwitch()

    async def other(self) -> SwitchRecord:
        """Return the same."""
        return self.record

    async def take_down(self) -> None:
        """Let it fail."""
        self.record.down = True

    async def close(self) -> None:
        """Nothing to end."""


class SqliteWorld(World):
    """A file of SQLite."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "rollout.db"

    async def start(self) -> None:
        """Open the file."""
        self._store = await SqliteStore.open(self._path)
        self._open = True
        self.record = self._store.switch

    async def other(self) -> SwitchRecord:
        """Return what is read after a restart."""
        await self._store.close()
        await self.start()
        return self.record

    async def take_down(self) -> None:
        """Close the file."""
        await self._store.close()
        self._open = False

    async def close(self) -> None:
        """Close the file, unless it is."""
        if self._open:
            await self._store.close()


class KubernetesWorld(World):
    """A ConfigMap, seen through a door that can be shut."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._stack = AsyncExitStack()

    async def start(self) -> None:
        """Watch it."""
        self._proxy = await self._stack.enter_async_context(Proxy(self._cluster.port))
        self.record = await self._switch(self._proxy.url)

    async def other(self) -> SwitchRecord:
        """Return the record of another replica."""
        return await self._switch(self._cluster.url)

    async def take_down(self) -> None:
        """Shut the door."""
        self._proxy.set(Mode.REFUSE)
        self._proxy.cut()

    async def close(self) -> None:
        """End all."""
        await self._stack.aclose()

    async def _switch(self, url: str) -> KubeSwitch:
        options = ApiOptions(timeout_seconds=2.0, attempts=2)
        api = KubeApi(self._cluster.configuration(url=url), random.random, options)
        self._stack.push_async_callback(api.aclose)
        switch = KubeSwitch(api, SystemClock(), chance=random.random, namespace=self._namespace)
        self._stack.push_async_callback(switch.aclose)
        await switch.start()
        return switch


@pytest.fixture(params=["fake", "sqlite", pytest.param("kubernetes", marks=KUBERNETES)])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """One world of each kind, begun and ended."""
    made: World
    if request.param == "fake":
        made = FakeWorld()
    elif request.param == "sqlite":
        made = SqliteWorld(tmp_path)
    else:
        made = KubernetesWorld(request.getfixturevalue("cluster"), request.getfixturevalue("namespace"))
    try:
        await made.start()
        yield made
    finally:
        await made.close()


async def test_nothing_is_stopped_before_somebody_turns_it(world: World) -> None:
    """A switch that nobody ever turned lets failover be."""
    assert world.record.read() == Position()


async def test_what_was_turned_is_known_at_once(world: World) -> None:
    """Who, when and why come back as they were given."""
    await world.record.turn(STOPPED)

    assert world.record.read() == STOPPED


async def test_it_is_released_as_it_was_stopped(world: World) -> None:
    """The last turn counts, and says who made it."""
    await world.record.turn(STOPPED)
    await world.record.turn(RELEASED)

    assert world.record.read() == RELEASED


async def test_a_restart_and_another_replica_know_it(world: World) -> None:
    """It outlives who turned it."""
    await world.record.turn(STOPPED)
    other = await world.other()

    assert other.read() == STOPPED


async def test_listeners_hear_of_each_change(world: World) -> None:
    """Whoever listens can read the new position at once."""
    heard: list[Position] = []
    world.record.subscribe(lambda: heard.append(world.record.read()))
    for position in (STOPPED, RELEASED):
        await world.record.turn(position)
        await until(lambda expected=position: heard[-1:] == [expected])  # type: ignore[misc] # bound now

    assert heard[-1] == RELEASED


async def test_what_cannot_be_kept_is_said_and_the_last_one_holds(world: World) -> None:
    """Nobody believes in a turn that is lost, and nothing is released by a fault."""
    await world.record.turn(STOPPED)
    await world.take_down()
    with pytest.raises(Unavailable):
        await world.record.turn(RELEASED)

    assert world.record.read() == STOPPED
