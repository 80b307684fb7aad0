"""Facts about electors where the API server does a part of what it is asked for only."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from rollout.clock import SystemClock
from rollout.errors import Unavailable
from rollout.kube.api import KubeApi
from rollout.kube.elector import ElectorOptions, LeaseElector
from rollout.kube.resources import Document, Resource
from rollout.ports import Key
from tests.waiting import until

LEASE_SECONDS = 1.5


@dataclass
class Leases:
    """Leases in memory, of which one cannot be written and all cannot be read as long as that is wanted.

    ``before_write`` is called before each write.
    """

    kept: dict[str, Document] = field(default_factory=dict)
    unwritable: str = ""
    readable: bool = True
    before_write: Callable[[], None] = lambda: None
    numbers: itertools.count[int] = field(default_factory=itertools.count)

    async def list_page(self, resource: Resource, **_: object) -> Document:
        """Return all."""
        if not self.readable:
            raise Unavailable(f"{resource.plural} cannot be read")
        return {"items": list(self.kept.values()), "metadata": {}}

    async def get(self, _resource: Resource, _namespace: str, name: str) -> Document:
        """Return one."""
        return self.kept[name]

    async def create(self, _resource: Resource, document: Document, *, namespace: str = "") -> Document:
        """Make one."""
        return await self._write(document)

    async def replace(self, _resource: Resource, _namespace: str, _name: str, document: Document) -> Document:
        """Put one in place of another."""
        return await self._write(document)

    async def delete(self, _resource: Resource, _namespace: str, name: str) -> None:
        """Take one away."""
        self.kept.pop(name, None)

    async def _write(self, document: Document) -> Document:
        self.before_write()
        await asyncio.sleep(0)
        name = document["metadata"]["name"]
        if name == self.unwritable:
            raise Unavailable(f"{name} cannot be written")
        metadata: dict[str, Any] = {**document["metadata"], "resourceVersion": str(next(self.numbers))}
        self.kept[name] = {**document, "metadata": metadata}
        return self.kept[name]

    def holder(self, number: int) -> str:
        """Return who holds a shard."""
        return str(self.kept.get(f"rollout-controller-{number}", {}).get("spec", {}).get("holderIdentity", ""))


@asynccontextmanager
async def made(leases: Leases, *, shards: int) -> AsyncIterator[LeaseElector]:
    """Give an elector that has not begun yet."""
    options = ElectorOptions("rollout", "replica", LEASE_SECONDS, shards)
    elector = LeaseElector(cast("KubeApi", leases), SystemClock(), options, chance=lambda: 0.5)
    try:
        yield elector
    finally:
        await elector.aclose()


async def test_a_lease_that_cannot_be_written_delays_no_other() -> None:
    """What was taken beside it counts at once; the one is tried again."""
    leases = Leases(unwritable="rollout-controller-1")
    async with made(leases, shards=4) as elector:
        await elector.start()
        at_first = elector.shards
        leases.unwritable = ""
        await until(lambda: elector.shards == (0, 1, 2, 3))

    assert at_first == (0, 2, 3)


async def test_a_gain_is_told_in_the_moment_in_which_it_counts() -> None:
    """While the next shard is being taken, nobody acts for the one before without having been told."""
    leases, untold = Leases(), list[tuple[int, ...]]()
    async with made(leases, shards=4) as elector:
        told = set[int]()
        elector.subscribe(lambda: told.update(elector.shards))
        leases.before_write = lambda: untold.append(tuple(set(elector.shards) - told))
        leases.unwritable = "rollout-controller-1"
        await elector.start()
        leases.unwritable = ""
        await until(lambda: elector.shards == (0, 1, 2, 3))

    assert set(untold) == {()}
    assert told == {0, 1, 2, 3}


async def test_what_cannot_be_made_sure_of_is_given_back() -> None:
    """A replica that may write and not read keeps no Lease from those that may both, and never acts."""
    leases = Leases()

    def hide() -> None:
        leases.readable = False

    leases.before_write = hide
    async with made(leases, shards=1) as elector:
        await elector.start()
        taken = leases.holder(0)
        acted = elector.holds(Key("shop", "checkout"))
        await until(lambda: leases.holder(0) == "", seconds=3 * LEASE_SECONDS)

    assert taken == elector.identity
    assert not acted
