"""A store of a real cluster with its journal, and hands of others beside it."""

from __future__ import annotations

import itertools
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from rollout.clock import SystemClock
from rollout.errors import NotOursError
from rollout.kube.api import KubeApi
from rollout.kube.orders import COMMAND
from rollout.kube.publishing import Prepare
from rollout.kube.resources import CLUSTER_POLICIES, POLICIES, ROLLOUTS, Document, Resource
from rollout.kube.statuses import FINALIZER
from rollout.kube.store import KubeStore
from rollout.ports import Key, Recorded, StoredRollout
from tests.kubernetes.cluster import Cluster
from tests.waiting import until

_numbers = itertools.count(1)


class KubeDesk(KubeStore):
    """The store and its journal as one, as the other stores are."""

    @property
    def last(self) -> int:
        """As the journal."""
        return self.journal.last

    async def history(self, key: Key, *, limit: int = 100, before: int | None = None) -> Sequence[Mapping[str, object]]:
        """As the journal."""
        return await self.journal.history(key, limit=limit, before=before)

    async def recorded(self, *, after: int, limit: int = 1000) -> Sequence[Recorded]:
        """As the journal."""
        return await self.journal.recorded(after=after, limit=limit)

    def may_miss(self, *, after: int, before: int) -> bool:
        """As the journal."""
        return self.journal.may_miss(after=after, before=before)

    def follow(self, listener: Callable[[Recorded], None]) -> Callable[[], None]:
        """As the journal."""
        return self.journal.follow(listener)


@asynccontextmanager
async def desk(
    cluster: Cluster, namespace: str, *, prepare: Prepare | None = None, token: str = ""
) -> AsyncIterator[KubeDesk]:
    """Open a store on the namespace, with a door of its own."""
    api = KubeApi(cluster.configuration(token), random.random)
    store = KubeDesk(api, SystemClock(), chance=random.random, namespace=namespace, prepare=prepare)
    try:
        await store.start()
        yield store
    finally:
        await store.aclose()
        await api.aclose()


class Hands:
    """What others do in the namespace: every method is done when the API server has answered."""

    def __init__(self, cluster: Cluster, api: KubeApi, namespace: str) -> None:
        """Act as an administrator."""
        self.cluster = cluster
        self.api = api
        self.namespace = namespace

    async def get(self, name: str = "checkout") -> dict[str, Any]:
        """Return the Rollout as the API server has it."""
        return dict(await self.api.get(ROLLOUTS, self.namespace, name))

    async def edit(self, *operations: Document, name: str = "checkout", subresource: str = "") -> None:
        """Patch the Rollout."""
        await self.api.patch(ROLLOUTS, self.namespace, name, operations, subresource=subresource)

    async def annotate(self, text: str, *flags: str, name: str = "checkout") -> None:
        """Leave a command as people do, by kubectl."""
        await self.cluster.kubectl(
            "annotate", "rollouts.rollout.dev", name, "-n", self.namespace, "--overwrite", f"{COMMAND}={text}", *flags
        )

    async def has_finalizer(self, name: str = "checkout") -> bool:
        """Return whether the Rollout has ours."""
        return FINALIZER in ((await self.get(name))["metadata"].get("finalizers") or ())

    async def is_gone(self, name: str = "checkout") -> bool:
        """Return whether there is no such Rollout."""
        try:
            await self.get(name)
        except NotOursError:
            return True
        return False


def clear(cluster: Cluster, namespace: str) -> None:
    """Take away every Rollout and policy of the namespace, and the policies for all."""
    inside: Sequence[Resource] = (ROLLOUTS, POLICIES, CLUSTER_POLICIES)
    for resource in inside:
        _, listed = cluster.ask("GET", resource.path(namespace))
        for item in listed.get("items") or ():
            path = resource.path(namespace, item["metadata"]["name"])
            if item["metadata"].get("finalizers"):
                bare = {"metadata": {"finalizers": None}}
                cluster.ask("PATCH", path, bare, content="application/merge-patch+json")
            cluster.ask("DELETE", path)


async def seen(store: KubeStore, key: Key, condition: Callable[[StoredRollout], object]) -> StoredRollout:
    """Return the Rollout as soon as the store shows it so."""
    await until(lambda: (found := store.read(key)) is not None and condition(found))
    found = store.read(key)
    assert found is not None
    return found
