"""What becomes of a name: deletion and another life, statuses that are lost or come from a backup."""

import time

import pytest

from rollout.errors import ConflictError, NotOursError
from rollout.kube.resources import ROLLOUTS
from rollout.ports import Key
from tests.contracts.builders import rollout_document, status, transition
from tests.contracts.stores import all_recorded, heard, named, record, there
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.store.world import Hands, KubeDesk, desk, seen
from tests.waiting import until


async def begun(store: KubeDesk, key: Key) -> None:
    """Make the Rollout, with an attempt that runs."""
    await store.apply(rollout_document(namespace=key.namespace))
    await record(store, key, 1, 2)


async def test_a_life_has_its_time_and_name(store: KubeDesk, hands: Hands, key: Key) -> None:
    """Both are the API server's."""
    await begun(store, key)
    shown, metadata = there(store, key), (await hands.get())["metadata"]

    assert shown.uid == metadata["uid"] != ""
    assert abs(shown.created_at - time.time()) < 60


async def test_another_object_of_the_name_is_another_rollout(store: KubeDesk, hands: Hands, key: Key) -> None:
    """Nothing of the one before is shown with it, and what was decided on that one is not written."""
    await begun(store, key)
    await all_recorded(store, 2)
    first, told = there(store, key), heard(store)
    await hands.edit({"op": "remove", "path": "/metadata/finalizers"})
    await hands.api.delete(ROLLOUTS, key.namespace, key.name)
    await hands.api.create(ROLLOUTS, rollout_document(namespace=key.namespace), namespace=key.namespace)
    with pytest.raises((ConflictError, NotOursError)):  # by how much of it is seen by now
        await store.record(key, status=status(1, 2, 3), expected=first.version)
    second = await seen(store, key, lambda shown: shown.uid != first.uid)

    assert second.status == {}
    assert (second.deleting, second.command, second.generation) == (False, None, 1)
    assert key in told
    assert not await hands.has_finalizer()


async def test_the_history_is_that_of_the_last_life(store: KubeDesk, hands: Hands, key: Key) -> None:
    """The journal has both."""
    await begun(store, key)
    await store.mark_deleting(key)
    await store.remove(key)
    await hands.api.create(ROLLOUTS, rollout_document(namespace=key.namespace), namespace=key.namespace)
    await seen(store, key, lambda shown: not shown.deleting)
    await record(store, key, 1)
    found = await all_recorded(store, 3)

    assert named(found) == [("checkout", 1), ("checkout", 2), ("checkout", 1)]
    assert list(await store.history(key)) == [transition(1)]


async def test_a_manifest_does_not_take_a_deletion_back(store: KubeDesk, key: Key) -> None:
    """The API server knows no way back; who applies is told to come again."""
    await begun(store, key)
    await store.mark_deleting(key)
    with pytest.raises(ConflictError, match="is being deleted; apply it again once it is gone"):
        await store.apply(rollout_document(namespace=key.namespace, revision="2"))

    assert there(store, key).deleting


async def test_a_status_that_was_lost_is_empty(store: KubeDesk, hands: Hands, key: Key) -> None:
    """As after a restore that left statuses out: it is told, and the Rollout begins anew."""
    await begun(store, key)
    told = heard(store)
    await hands.edit({"op": "remove", "path": "/status"}, subresource="status")
    lost = await seen(store, key, lambda shown: not shown.status)
    await record(store, key, 1)
    found = await all_recorded(store, 3)

    assert lost.status == {}
    assert told == [key]
    assert [one.transition["number"] for one in found] == [1, 2, 1]


async def test_a_status_of_a_backup_is_what_it_says(store: KubeDesk, hands: Hands, key: Key) -> None:
    """It is shown and told as it is; what comes after it is new."""
    await begun(store, key)
    backup = (await hands.get())["status"]
    await record(store, key, 1, 2, 3)
    await all_recorded(store, 3)
    told = heard(store)
    await hands.edit({"op": "add", "path": "/status", "value": backup}, subresource="status")
    restored = await seen(store, key, lambda shown: shown.status != status(1, 2, 3))
    await record(store, key, 1, 2, 3)
    await until(lambda: store.last and len(store.journal.sequences(key)) == 3)

    assert restored.status == status(1, 2)
    assert told == [key]
    assert list(await store.history(key)) == [transition(3), transition(2), transition(1)]


async def test_all_replicas_tell_the_same(store: KubeDesk, cluster: Cluster, key: Key) -> None:
    """Numbers too, and so does one that starts later, but that it takes the last for younger than it is."""
    other = Key(key.namespace, "search")
    async with desk(cluster, key.namespace) as beside:
        await record(store, key, 1)
        await record(beside, other, 1)
        await seen(store, other, lambda shown: shown.status)
        await record(store, other, 1, 2)
        await record(store, key, 1, 2, 3)
        found, there_too = await all_recorded(store, 5), await all_recorded(beside, 5)
    async with desk(cluster, key.namespace) as late:
        known = {(one.key, one.transition["number"]): one.sequence for one in await late.recorded(after=0)}

    assert found == there_too
    assert named(found) == [("checkout", 1), ("search", 1), ("search", 2), ("checkout", 2), ("checkout", 3)]
    assert known.keys() == {(one.key, one.transition["number"]) for one in found}
    assert known[key, 1] == found[0].sequence
    assert known[other, 1] == found[1].sequence
    assert all(known[one.key, one.transition["number"]] >= one.sequence for one in found)
