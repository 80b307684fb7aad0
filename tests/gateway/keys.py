"""Users with a key each behind Envoy Gateway: who answers whom, and who is sent elsewhere by a change."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from http import HTTPStatus

import aiohttp

from rollout.kube.resources import HTTP_ROUTES
from tests.gateway.scene import ROUTE, Scene, host_of
from tests.waiting import patient

KEYS = 1000
AT_ONCE = 16
SECONDS = 30.0
Places = Mapping[int, str]
"""Who answered each key."""


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


async def settled(scene: Scene) -> Places:
    """Return who answers each key, as soon as that is twice the same, and nobody gets an error."""
    async with asyncio.timeout(patient(SECONDS)):
        before: Places = {}
        while True:
            now = await asked(scene)
            if now == before and not any(who.isdecimal() for who in now.values()):
                return now
            before = now
            await asyncio.sleep(0.3)


def share(scene: Scene, places: Places) -> float:
    """Return which part of the keys the first backend has."""
    return sum(who == scene.whole("v1") for who in places.values()) / len(places)


def moved(before: Places, now: Places) -> float:
    """Return which part of the keys another backend answers now."""
    return sum(before[key] != now[key] for key in now) / len(now)


def weigh(scene: Scene, *weights: int) -> None:
    """Write the weights of the HTTPRoute."""
    operations = [
        {"op": "replace", "path": f"/spec/rules/0/backendRefs/{place}/weight", "value": weight}
        for place, weight in enumerate(weights)
    ]
    path = HTTP_ROUTES.path(scene.namespace, ROUTE)
    status, answer = scene.cluster.ask("PATCH", path, operations, content="application/json-patch+json")
    assert status == HTTPStatus.OK, answer
