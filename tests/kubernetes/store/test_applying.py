"""Manifests that come through us: what they change, what they leave, and what is refused."""

import pytest

from rollout.errors import ConfigurationError
from rollout.kube.resources import ROLLOUTS
from rollout.ports import Key
from tests.contracts.builders import rollout_document
from tests.contracts.stores import heard, there
from tests.kubernetes.store.world import Hands, KubeDesk, seen
from tests.waiting import until


async def test_what_others_wrote_beside_the_spec_stays(store: KubeDesk, hands: Hands, key: Key) -> None:
    """Labels and annotations that the manifest does not name, finalizers and owners."""
    document = rollout_document(namespace=key.namespace)
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "11111111-1111-1111-1111-111111111111"}
    others = {
        "name": key.name,
        "labels": {"a": "1", "b": "1"},
        "annotations": {"c": "1"},
        "finalizers": ["example.net/others"],
        "ownerReferences": [owner],
    }
    await hands.api.create(ROLLOUTS, {**document, "metadata": others}, namespace=key.namespace)
    metadata = {"name": key.name, "namespace": key.namespace, "labels": {"b": "2"}}
    await store.apply({**rollout_document(revision="2"), "metadata": metadata})
    found = await hands.get()

    assert found["spec"]["revision"] == "2"
    assert found["metadata"]["labels"] == {"a": "1", "b": "2"}
    assert found["metadata"]["annotations"] == {"c": "1"}
    assert found["metadata"]["finalizers"] == ["example.net/others"]
    assert [one["name"] for one in found["metadata"]["ownerReferences"]] == ["x"]


async def test_what_the_manifest_leaves_out_of_the_spec_goes(store: KubeDesk, hands: Hands, key: Key) -> None:
    """The spec is the manifest's."""
    await store.apply(rollout_document(namespace=key.namespace, revision="2"))
    await store.apply(rollout_document(namespace=key.namespace))

    assert "revision" not in (await hands.get())["spec"]


async def test_who_applies_is_named(store: KubeDesk, hands: Hands, key: Key) -> None:
    """In ``managedFields``."""
    await store.apply(rollout_document(namespace=key.namespace))

    assert {one["manager"] for one in (await hands.get())["metadata"]["managedFields"]} == {"rollout-controller"}


async def test_every_field_that_is_refused_is_told(store: KubeDesk, key: Key) -> None:
    """At once, and nothing was made."""
    with pytest.raises(ConfigurationError) as refused:
        await store.apply(rollout_document(namespace=key.namespace, drift="Perhaps", precision=-3))

    fields = {problem.field for problem in refused.value.problems}
    assert {"spec.drift", "spec.precision"} <= fields
    assert store.read(key) is None


async def test_a_namespace_that_is_missing_is_a_fault_of_the_manifest(store: KubeDesk) -> None:
    """Nobody makes one by the way."""
    with pytest.raises(
        ConfigurationError, match=r"metadata\.namespace: there is no such namespace [(]given: nowhere[)]"
    ):
        await store.apply(rollout_document(namespace="nowhere"))


async def test_another_version_of_the_api_is_refused(store: KubeDesk, key: Key) -> None:
    """Its fields may mean something else."""
    document = rollout_document(namespace=key.namespace) | {"apiVersion": "rollout.dev/v2"}
    with pytest.raises(ConfigurationError, match="apiVersion"):
        await store.apply(document)
    with pytest.raises(ConfigurationError, match="apiVersion"):
        await store.apply_policy(document | {"kind": "RolloutPolicy"})


async def test_a_change_by_kubectl_is_told(store: KubeDesk, hands: Hands, key: Key) -> None:
    """Labels too, since they are shown; a finalizer is not, and wakes nobody."""
    await store.apply(rollout_document(namespace=key.namespace))
    told = heard(store)
    await hands.edit({"op": "add", "path": "/spec/revision", "value": "2"})
    changed = await seen(store, key, lambda shown: shown.generation == 2)
    await hands.edit({"op": "add", "path": "/metadata/labels", "value": {"team": "a"}})
    await seen(store, key, lambda shown: "labels" in shown.document["metadata"])  # type: ignore[operator]
    await hands.edit({"op": "add", "path": "/metadata/finalizers", "value": ["example.net/others"]})
    version = (await hands.get())["metadata"]["resourceVersion"]
    await until(lambda: there(store, key).version == version)

    assert changed.document == rollout_document(namespace=key.namespace, revision="2")
    assert told == [key, key]
