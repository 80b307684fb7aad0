"""All stores, those that keep their own manifests, and how the tests of their contract look at them."""

import asyncio

from rollout.engine.observation import Command
from rollout.ports import Key, Recorded, StoredRollout
from rollout.sqlite.store import SqliteStore
from tests.contracts.builders import rollout_document, status
from tests.fakes.store import FakeStore
from tests.kubernetes.store.world import KubeDesk

OwnStore = FakeStore | SqliteStore
Store = OwnStore | KubeDesk

CHECKOUT = Key("shop", "checkout")
SEARCH = Key("shop", "search")
PAUSE = Command("c1", "pause", {"why": "lunch"}, at=5.0, reason="lunch", by="ada")
ABORT = Command("c2", "abort", at=6.0)


def there(store: Store, key: Key = CHECKOUT) -> StoredRollout:
    """Return the Rollout, which must be there."""
    found = store.read(key)
    assert found is not None
    return found


def heard(store: Store) -> list[Key]:
    """Return the list into which what is told from now on is put."""
    told: list[Key] = []
    store.subscribe(told.append)
    return told


def followed(store: Store) -> list[Recorded]:
    """Return the list into which every transition that is recorded from now on is put."""
    told: list[Recorded] = []
    store.follow(told.append)
    return told


async def record(store: Store, key: Key, *numbers: int) -> None:
    """Record a status with these transitions, of a Rollout that is made when it is not there."""
    if store.read(key) is None:
        await store.apply(rollout_document(key.name, namespace=key.namespace))
    await store.record(key, status=status(*numbers), expected=there(store, key).version)


async def all_recorded(store: Store, count: int) -> list[Recorded]:
    """Return the transitions that were recorded, as soon as there are so many."""
    async with asyncio.timeout(5):
        while len(found := list(await store.recorded(after=0))) < count:
            await asyncio.sleep(0.005)
    return found


def named(recorded: list[Recorded]) -> list[tuple[str, object]]:
    """Return the Rollouts' names and the numbers of transitions."""
    return [(one.key.name, one.transition["number"]) for one in recorded]


def told(recorded: Recorded) -> tuple[int, str, object]:
    """Return the sequence, the Rollout's name and the number of a transition."""
    return (recorded.sequence, recorded.key.name, recorded.transition["number"])
