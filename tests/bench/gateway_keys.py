"""Users with a key each behind Envoy Gateway: who answers whom, and who is sent elsewhere by a change."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

import aiohttp

from rollout.kube.resources import HTTP_ROUTES
from tests.gateway.scene import ROUTE, Scene, host_of

KEYS = 1000
AT_ONCE = 16
SECONDS = 30.0
Places = Mapping[int, str]
"""Who answered each key."""


@dataclass(frozen=True, slots=True)
class Moved:
    """After a change: the share of keys that another backend answers now, and of those that the first one has."""

    what: str
    moved: float
    first: float


async def asked(scene: Scene) -> Places:
    """Ask once with each key."""
    address = f"http://127.0.0.1:{scene.lab.door(scene.lab.proxies[scene.edge].port)}/pay"
    host = host_of(scene.namespace, "http")
    found: dict[int, str] = {}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=AT_ONCE)) as session:

        async def ask(key: int) -> None:
            async with session.get(address, headers={"Host": host, "x-user": f"user-{key}"}) as response:
                found[key] = await response.text() if response.ok else str(response.status)

        await asyncio.gather(*(ask(key) for key in range(KEYS)))
    return found


async def settled(scene: Scene, least: float, most: float) -> Places:
    """Return who answers each key when the first backend has its share, and twice the same."""
    async with asyncio.timeout(SECONDS):
        before = await asked(scene)
        while True:
            await asyncio.sleep(0.3)
            now = await asked(scene)
            if now == before and least <= share(scene, now) <= most:
                return now
            before = now


def share(scene: Scene, places: Places) -> float:
    """Return which part of the keys the first backend has."""
    return sum(who == scene.whole("v1") for who in places.values()) / len(places)


def compared(scene: Scene, what: str, before: Places, now: Places) -> Moved:
    """Return what a change did."""
    return Moved(what, sum(before[key] != now[key] for key in now) / len(now), share(scene, now))


def weigh(scene: Scene, *weights: int) -> None:
    """Write the weights of the HTTPRoute."""
    operations = [
        {"op": "replace", "path": f"/spec/rules/0/backendRefs/{place}/weight", "value": weight}
        for place, weight in enumerate(weights)
    ]
    path = HTTP_ROUTES.path(scene.namespace, ROUTE)
    status, answer = scene.cluster.ask("PATCH", path, operations, content="application/json-patch+json")
    assert status == HTTPStatus.OK, answer
