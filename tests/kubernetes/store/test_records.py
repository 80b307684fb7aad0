"""Statuses as they are written: over the version that was seen, beside the spec, and with the finalizer meanwhile."""

import pytest

from rollout.errors import ConflictError, NotOursError
from rollout.kube.resources import ROLLOUTS
from rollout.kube.statuses import FINALIZER
from rollout.ports import Key
from tests.contracts.builders import rollout_document, status
from tests.contracts.stores import PAUSE, heard, there
from tests.kubernetes.cluster import CONTROLLER, Cluster
from tests.kubernetes.store.world import Hands, KubeDesk, desk, seen
from tests.waiting import until

IDLE = {**status(1), "phase": "Idle"}
OTHERS = {"op": "add", "path": "/metadata/finalizers", "value": ["example.net/others"]}


async def made(store: KubeDesk, key: Key, *statuses: dict[str, object]) -> None:
    """Make the Rollout and record these statuses."""
    await store.apply(rollout_document(namespace=key.namespace))
    for each in statuses:
        await store.record(key, status=each, expected=there(store, key).version)


async def test_a_record_touches_nothing_but_the_status(store: KubeDesk, hands: Hands, key: Key) -> None:
    """Not the spec, nor what others have written beside it."""
    await made(store, key, status(1))
    before = await hands.get()
    await store.record(key, status=status(1, 2), expected=there(store, key).version)
    after = await hands.get()

    assert after["status"]["phase"] == "Progressing"
    assert [one["number"] for one in after["status"]["transitions"]] == [1, 2]
    assert after["spec"] == before["spec"]
    assert after["metadata"]["generation"] == before["metadata"]["generation"] == 1


async def test_what_others_wrote_first_is_a_conflict(store: KubeDesk, hands: Hands, key: Key) -> None:
    """The API server compares; memory then has what is there."""
    await made(store, key, status(1))
    version = there(store, key).version
    await hands.edit({"op": "add", "path": "/spec/revision", "value": "2"})
    with pytest.raises(ConflictError):
        await store.record(key, status=status(1, 2), expected=version)

    assert there(store, key).document["spec"] == rollout_document(revision="2")["spec"]
    assert there(store, key).status == status(1)


async def test_the_finalizer_is_there_while_an_attempt_runs(store: KubeDesk, hands: Hands, key: Key) -> None:
    """It goes with the status that rests."""
    await made(store, key)
    new = await hands.has_finalizer()
    await store.record(key, status=status(1), expected=there(store, key).version)
    running = await hands.has_finalizer()
    version = await store.record(key, status=IDLE, expected=there(store, key).version)

    assert (new, running, await hands.has_finalizer()) == (False, True, False)
    assert version == there(store, key).version == (await hands.get())["metadata"]["resourceVersion"]


async def test_the_finalizers_of_others_stay(store: KubeDesk, hands: Hands, key: Key) -> None:
    """Ours comes beside them and goes alone."""
    await made(store, key)
    await hands.edit(OTHERS)
    await seen(store, key, lambda shown: int(shown.version) > 0 and _others(store, key))
    await store.record(key, status=status(1), expected=there(store, key).version)
    running = (await hands.get())["metadata"]["finalizers"]
    await store.record(key, status=IDLE, expected=there(store, key).version)

    assert running == ["example.net/others", FINALIZER]
    assert (await hands.get())["metadata"]["finalizers"] == ["example.net/others"]


def _others(store: KubeDesk, key: Key) -> bool:
    kept = store.watches()[0].get(key.namespace, key.name)
    return kept is not None and bool(kept["metadata"].get("finalizers"))


async def test_a_finalizer_that_somebody_took_comes_back(store: KubeDesk, hands: Hands, key: Key) -> None:
    """With the next record of the attempt."""
    await made(store, key, status(1))
    await hands.edit({"op": "remove", "path": "/metadata/finalizers"})
    await until(lambda: not _others(store, key))
    await store.record(key, status=status(1, 2), expected=there(store, key).version)

    assert await hands.has_finalizer()


async def test_a_rollout_at_rest_is_deleted_at_once(store: KubeDesk, hands: Hands, key: Key) -> None:
    """Nothing has to be put back."""
    await made(store, key, status(1), IDLE)
    await store.mark_deleting(key)

    assert await hands.is_gone()
    assert store.read(key) is None


async def test_a_deletion_waits_until_the_attempt_was_finished(store: KubeDesk, hands: Hands, key: Key) -> None:
    """By kubectl as by us; statuses are written meanwhile, and then it is gone."""
    await made(store, key, status(1))
    told = heard(store)
    await hands.api.delete(ROLLOUTS, key.namespace, key.name)
    await seen(store, key, lambda shown: shown.deleting)
    await store.record(key, status={**status(1, 2), "phase": "Aborting"}, expected=there(store, key).version)
    held = await hands.has_finalizer()
    await store.remove(key)

    assert held
    assert await hands.is_gone()
    assert store.read(key) is None
    assert told == [key, key]


async def test_what_others_hold_stays_until_they_let_go(store: KubeDesk, hands: Hands, key: Key) -> None:
    """We have finished; it is shown as being deleted, and being removed again changes nothing."""
    await made(store, key)
    await hands.edit(OTHERS)
    await until(lambda: _others(store, key))
    await store.record(key, status=status(1), expected=there(store, key).version)
    await store.mark_deleting(key)
    await store.remove(key)
    await store.remove(key)
    left = (await hands.get())["metadata"]["finalizers"]
    shown = there(store, key).deleting
    await hands.edit({"op": "remove", "path": "/metadata/finalizers"})
    await until(lambda: store.read(key) is None)

    assert (left, shown) == (["example.net/others"], True)


async def test_one_that_was_taken_away_by_force_is_gone(store: KubeDesk, hands: Hands, key: Key) -> None:
    """Somebody took the finalizer: a record says so, and nothing of it stays."""
    await made(store, key, status(1))
    version = there(store, key).version
    await store.mark_deleting(key)
    await hands.edit({"op": "remove", "path": "/metadata/finalizers"})
    await until(lambda: store.read(key) is None)
    with pytest.raises(NotOursError):
        await store.record(key, status=status(1, 2), expected=version)

    assert list(store.keys()) == []


async def test_nothing_is_kept_between_records(store: KubeDesk, hands: Hands, key: Key) -> None:
    """Prometheus can be asked again."""
    await made(store, key, status(1))
    before = await hands.get()
    await store.checkpoint(key, judge={"beganAt": 1.0}, samples={"v1": [1]})

    assert await hands.get() == before
    assert there(store, key).samples == {}


async def test_a_record_is_one_request_and_no_read(cluster: Cluster, key: Key) -> None:
    """Two where the finalizer comes or goes; nothing is asked for what is in memory."""
    async with desk(cluster, key.namespace, token=CONTROLLER) as store:
        await made(store, key)
        before = len(_asked(cluster, key))
        for each in (status(1), status(1, 2), status(1, 2, 3), IDLE):
            await store.record(key, status=each, expected=there(store, key).version)
            await store.history(key)
        await store.command(key, PAUSE)
        list(store.keys())
        asked = _asked(cluster, key)[before:]

    own, of_status = "patch rollouts", "patch rollouts/status"
    assert asked == [own, of_status, of_status, of_status, of_status, own, own]


def _asked(cluster: Cluster, key: Key) -> list[str]:
    """Return what the store asked for in the namespace besides watches."""
    found = []
    for event in cluster.audited("controller"):
        what = event.get("objectRef") or {}
        if what.get("namespace") == key.namespace and event["verb"] != "watch":
            found.append(f"{event['verb']} {'/'.join(filter(None, (what['resource'], what.get('subresource'))))}")
    return found
