"""A world of the demo in which nothing runs."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from rollout.demo.behaviour import Behaviour
from rollout.demo.children import Children
from rollout.demo.gateway import Gateway, write_files
from rollout.demo.traffic import Traffic
from rollout.demo.world import World
from rollout.errors import Unavailable


@dataclass(frozen=True, slots=True)
class StillWorld(World):
    """Notes what is deployed; its programs are lost when a test says so."""

    deployed: dict[str, Behaviour] = field(default_factory=dict)
    lost: asyncio.Event = field(default_factory=asyncio.Event)
    dead: set[str] = field(default_factory=set)

    async def deploy(self, backend: str, behaviour: Behaviour) -> None:
        """Note it."""
        self.deployed[backend] = behaviour

    async def kill(self, backend: str) -> None:
        """Note it."""
        self.dead.add(backend)

    async def revive(self, backend: str, behaviour: Behaviour) -> None:
        """Note it."""
        self.dead.remove(backend)
        await self.deploy(backend, behaviour)

    async def watch(self) -> None:
        """Wait until the test loses a program."""
        await self.lost.wait()
        raise Unavailable("envoy ended with code -9")


def still_world(folder: Path) -> StillWorld:
    """Return a world that stands still, with Envoy's files in ``folder``."""
    write_files(folder, {"shop-blue": 1, "shop-green": 2, "cart-blue": 3, "cart-green": 4})
    (folder / "manifests").mkdir()
    gateway = Gateway("127.0.0.1:1", "127.0.0.1:2", folder / "routes" / "routes.yaml")
    reading = asyncio.ensure_future(asyncio.sleep(0))
    return StillWorld(folder, gateway, {}, Traffic(), None, Children(folder, 0), reading)
