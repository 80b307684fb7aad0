"""Writes that others come before, each time just before: with a door that lets a rival through first."""

import random
from collections.abc import AsyncIterator, Sequence

import pytest
from structlog.testing import capture_logs

from rollout.clock import SystemClock
from rollout.errors import ConflictError, NotOursError, Unavailable
from rollout.kube.api import KubeApi
from rollout.kube.placing import MOST_TRIES
from rollout.kube.resources import Document, Resource
from rollout.ports import Key
from tests.contracts.builders import rollout_document, status
from tests.contracts.stores import PAUSE, there
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.store.world import Hands, KubeDesk

IDLE = {**status(1), "phase": "Idle"}


class RivalDoor(KubeApi):
    """Lets somebody else write, or delete, just before each of the next ``rivals`` writes, but for those ``spared``.

    ``down`` lets patches fail.
    """

    rivals = 0
    spared = 0
    down = False
    deletes = False

    async def patch(
        self, resource: Resource, namespace: str, name: str, operations: Sequence[Document], *, subresource: str = ""
    ) -> Document:
        """As ``KubeApi``."""
        if self.spared:
            self.spared -= 1
            return await super().patch(resource, namespace, name, operations, subresource=subresource)
        if self.down:
            raise Unavailable("the API server is away")
        await self._rival(resource, namespace, name)
        return await super().patch(resource, namespace, name, operations, subresource=subresource)

    async def replace(
        self, resource: Resource, namespace: str, name: str, document: Document, *, subresource: str = ""
    ) -> Document:
        """As ``KubeApi``."""
        await self._rival(resource, namespace, name)
        return await super().replace(resource, namespace, name, document, subresource=subresource)

    async def _rival(self, resource: Resource, namespace: str, name: str) -> None:
        if self.rivals:
            self.rivals -= 1
            if self.deletes:
                await self.delete(resource, namespace, name)
                return
            label = {"op": "add", "path": "/metadata/labels", "value": {"left": str(self.rivals)}}
            await super().patch(resource, namespace, name, [label])


@pytest.fixture
async def door(cluster: Cluster) -> AsyncIterator[RivalDoor]:
    """Open the door."""
    opened = RivalDoor(cluster.configuration(), random.random)
    yield opened
    await opened.aclose()


@pytest.fixture
async def store(door: RivalDoor, key: Key) -> AsyncIterator[KubeDesk]:
    """Open a store behind it, with a Rollout."""
    opened = KubeDesk(door, SystemClock(), chance=random.random, namespace=key.namespace)
    await opened.start()
    await opened.apply(rollout_document(namespace=key.namespace))
    yield opened
    await opened.aclose()


async def test_a_record_is_not_tried_again(store: KubeDesk, door: RivalDoor, key: Key) -> None:
    """What was decided was decided on something else; memory has what is there now."""
    door.rivals = 1
    with pytest.raises(ConflictError):
        await store.record(key, status=IDLE, expected=there(store, key).version)
    await store.record(key, status=IDLE, expected=there(store, key).version)

    assert there(store, key).status == IDLE


async def test_a_record_fails_too_where_the_finalizer_came_first(
    store: KubeDesk, door: RivalDoor, hands: Hands, key: Key
) -> None:
    """The finalizer then stands without an attempt, until something rests."""
    door.spared, door.rivals = 1, 1
    with pytest.raises(ConflictError):
        await store.record(key, status=status(1), expected=there(store, key).version)
    early = await hands.has_finalizer(), there(store, key).status
    await store.record(key, status=IDLE, expected=there(store, key).version)

    assert early == (True, {})
    assert not await hands.has_finalizer()


async def test_a_finalizer_goes_in_spite_of_rivals(store: KubeDesk, door: RivalDoor, hands: Hands, key: Key) -> None:
    """The record stands; its version is the one that has it, so that what the rival did is looked at."""
    await store.record(key, status=status(1), expected=there(store, key).version)
    door.spared, door.rivals = 1, 1
    version = await store.record(key, status=IDLE, expected=there(store, key).version)

    assert not await hands.has_finalizer()
    assert there(store, key).status == IDLE
    assert version != there(store, key).version


async def test_a_finalizer_that_cannot_go_stays_for_a_while(
    store: KubeDesk, door: RivalDoor, hands: Hands, key: Key
) -> None:
    """The record stands; the next one that rests takes it."""
    await store.record(key, status=status(1), expected=there(store, key).version)
    door.spared, door.down = 1, True
    with capture_logs() as logs:
        version = await store.record(key, status=IDLE, expected=there(store, key).version)
    left = await hands.has_finalizer()
    door.down = False
    await store.record(key, status={**IDLE, "message": "again"}, expected=version)

    assert left
    assert [(one["event"], one["why"]) for one in logs] == [("finalizer left", "the API server is away")]
    assert not await hands.has_finalizer()


async def test_a_command_and_an_apply_are_tried_again(store: KubeDesk, door: RivalDoor, key: Key) -> None:
    """They do not depend on what the rival wrote, and leave it."""
    door.rivals = MOST_TRIES - 1
    await store.command(key, PAUSE)
    door.rivals = MOST_TRIES - 1
    await store.apply(rollout_document(namespace=key.namespace, revision="2"))
    shown = there(store, key)

    assert shown.command == PAUSE
    assert shown.document == {
        **rollout_document(namespace=key.namespace, revision="2"),
        "metadata": {"name": key.name, "namespace": key.namespace, "labels": {"left": "0"}},
    }


async def test_at_last_they_give_up(store: KubeDesk, door: RivalDoor, key: Key) -> None:
    """Somebody fights with us, which the caller should know."""
    told = rf"was changed by others each of {MOST_TRIES} times"
    door.rivals = MOST_TRIES
    with pytest.raises(ConflictError, match=told):
        await store.command(key, PAUSE)
    door.rivals = MOST_TRIES
    with pytest.raises(ConflictError, match=told):
        await store.apply(rollout_document(namespace=key.namespace, revision="2"))

    assert there(store, key).command is None


async def test_a_removal_is_tried_again_and_gives_up_at_last(
    store: KubeDesk, door: RivalDoor, hands: Hands, key: Key
) -> None:
    """A label that somebody sets holds up no deletion."""
    await store.record(key, status=status(1), expected=there(store, key).version)
    await store.mark_deleting(key)
    door.rivals = MOST_TRIES
    with pytest.raises(ConflictError, match=f"was changed by others each of {MOST_TRIES} times"):
        await store.remove(key)
    door.rivals = MOST_TRIES - 1
    await store.remove(key)

    assert await hands.is_gone()
    assert store.read(key) is None


async def test_an_apply_of_a_version_is_not_tried_again(store: KubeDesk, door: RivalDoor, key: Key) -> None:
    """Who says what they have seen wants to hear of what they have not."""
    version = there(store, key).version
    door.rivals = 1
    with pytest.raises(ConflictError, match=f"{key} has changed since version {version}"):
        await store.apply(rollout_document(namespace=key.namespace, revision="2"), expected=version)


async def test_what_is_deleted_meanwhile_is_made_anew(store: KubeDesk, door: RivalDoor, hands: Hands, key: Key) -> None:
    """Whoever applies wants it to be there."""
    before = there(store, key).uid
    door.rivals, door.deletes = 1, True
    await store.apply(rollout_document(namespace=key.namespace, revision="2"))

    assert there(store, key).uid not in {"", before}
    assert (await hands.get())["spec"]["revision"] == "2"


async def test_a_write_to_what_is_deleted_meanwhile_says_so(store: KubeDesk, door: RivalDoor, key: Key) -> None:
    """And nothing of it stays in memory."""
    door.rivals, door.deletes = 1, True
    with pytest.raises(NotOursError, match=f"Rollout {key} is gone"):
        await store.record(key, status=IDLE, expected=there(store, key).version)

    assert store.read(key) is None
