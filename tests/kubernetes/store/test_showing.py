"""When a Rollout shows: after its routes were prepared, and in spite of that at last."""

import asyncio

from rollout.kube.references import routes_named
from rollout.kube.resources import ROLLOUTS, Document
from rollout.ports import Key
from tests.contracts.builders import rollout_document
from tests.contracts.stores import heard, there
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.store.world import Hands, desk, seen
from tests.waiting import until


class Rooms:
    """Takes its time to prepare, until ``open`` is set; ``told`` are the routes that were asked for."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.told: list[list[str]] = []

    async def prepare(self, _key: Key, document: Document) -> None:
        """Wait for ``open``."""
        self.told.append(sorted(route.name for route in routes_named(document)))
        await self.open.wait()


def routes(*names: str) -> list[dict[str, str]]:
    """Return routes as a spec has them."""
    return [{"kind": "HTTPRoute", "name": name} for name in names]


async def test_a_new_one_shows_when_its_routes_are_there(cluster: Cluster, hands: Hands, key: Key) -> None:
    """It is told once, then."""
    rooms = Rooms()
    async with desk(cluster, key.namespace, prepare=rooms.prepare) as store:
        told = heard(store)
        await hands.api.create(ROLLOUTS, rollout_document(namespace=key.namespace), namespace=key.namespace)
        await until(lambda: rooms.told)
        early = store.read(key), list(store.keys()), list(told)
        rooms.open.set()
        await seen(store, key, bool)

    assert early == (None, [], [])
    assert told == [key]
    assert rooms.told == [["checkout"]]


async def test_with_other_routes_it_stays_what_it_was_meanwhile(cluster: Cluster, hands: Hands, key: Key) -> None:
    """And shows then as it is by that time."""
    rooms = Rooms()
    rooms.open.set()
    async with desk(cluster, key.namespace, prepare=rooms.prepare) as store:
        await store.apply(rollout_document(namespace=key.namespace))
        rooms.open.clear()
        await hands.edit({"op": "add", "path": "/spec/routes", "value": routes("checkout", "other")})
        await until(lambda: len(rooms.told) == 2)
        await hands.edit({"op": "add", "path": "/spec/revision", "value": "2"})
        meanwhile = there(store, key).generation
        rooms.open.set()
        await seen(store, key, lambda shown: shown.generation == 3)

    assert meanwhile == 1
    assert rooms.told == [["checkout"], ["checkout", "other"]]


async def test_with_fewer_routes_it_shows_at_once(cluster: Cluster, hands: Hands, key: Key) -> None:
    """What is let go needs nobody to wait."""
    rooms = Rooms()
    rooms.open.set()
    async with desk(cluster, key.namespace, prepare=rooms.prepare) as store:
        await store.apply(rollout_document(namespace=key.namespace, routes=routes("checkout", "other")))
        rooms.open.clear()
        await hands.edit({"op": "add", "path": "/spec/routes", "value": routes("checkout")})
        await seen(store, key, lambda shown: shown.generation == 2)
        await until(lambda: len(rooms.told) == 2)

    assert rooms.told == [["checkout", "other"], ["checkout"]]


async def test_one_that_goes_meanwhile_never_shows(cluster: Cluster, hands: Hands, key: Key) -> None:
    """That it is gone is told nevertheless: whoever prepared for it lets go then."""
    rooms = Rooms()
    async with desk(cluster, key.namespace, prepare=rooms.prepare) as store:
        told = heard(store)
        await hands.api.create(ROLLOUTS, rollout_document(namespace=key.namespace), namespace=key.namespace)
        await until(lambda: rooms.told)
        await hands.api.delete(ROLLOUTS, key.namespace, key.name)
        await until(lambda: not store.watches()[0].names())
        rooms.open.set()

    assert store.read(key) is None
    assert told == [key]
