"""Policies as people change them beside us, and who hears of that."""

from collections.abc import Iterator

import pytest

from rollout.errors import ConfigurationError
from rollout.kube.resources import CLUSTER_POLICIES, POLICIES, Resource
from rollout.ports import Key, PolicyKey
from rollout.spec.resource import PolicyRef
from tests.contracts.builders import policy_document, rollout_document
from tests.contracts.stores import heard
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.store.world import Hands, KubeDesk, clear, desk
from tests.waiting import until


@pytest.fixture(autouse=True)
def emptied(cluster: Cluster, namespace: str) -> Iterator[None]:
    """Leave no policy for all behind."""
    yield
    clear(cluster, namespace)


def _named(kind: str) -> dict[str, object]:
    return {"kind": kind, "name": "envoy"}


async def two_users(store: KubeDesk, namespace: str) -> tuple[Key, Key]:
    """Make a Rollout that uses the policy for all, and one that uses the namespace's."""
    return (
        await store.apply(rollout_document("a", namespace=namespace, policy=_named("ClusterRolloutPolicy"))),
        await store.apply(rollout_document("b", namespace=namespace, policy=_named("RolloutPolicy"))),
    )


@pytest.mark.parametrize(("resource", "which"), [(CLUSTER_POLICIES, 0), (POLICIES, 1)])
async def test_who_uses_a_policy_hears_of_it(
    store: KubeDesk, hands: Hands, namespace: str, *, resource: Resource, which: int
) -> None:
    """When it comes, changes and goes, and nobody else does."""
    user = (await two_users(store, namespace))[which]
    told = heard(store)
    inside = namespace if resource.namespaced else ""
    document = {"metadata": {"name": "envoy"}, "spec": {}}
    await hands.api.create(
        resource, {**document, "apiVersion": resource.api_version, "kind": resource.kind}, namespace=inside
    )
    await until(lambda: len(told) == 1)
    spec = {"analysis": {"minRequests": 7}}
    await hands.api.patch(resource, inside, "envoy", [{"op": "add", "path": "/spec", "value": spec}])
    await until(lambda: len(told) == 2)
    changed = store.policy(PolicyRef(kind=resource.kind, name="envoy"), namespace)  # type: ignore[arg-type]
    await hands.api.delete(resource, inside, "envoy")
    await until(lambda: len(told) == 3)

    assert told == [user] * 3
    assert changed is not None
    assert changed["spec"] == spec
    assert store.policy(PolicyRef(kind=resource.kind, name="envoy"), namespace) is None  # type: ignore[arg-type]


async def test_a_policy_that_is_only_touched_wakes_nobody(store: KubeDesk, hands: Hands, namespace: str) -> None:
    """A finalizer is none of what is wanted; its document stays the very same."""
    await two_users(store, namespace)
    policy: PolicyKey = ("ClusterRolloutPolicy", "", "envoy")
    await store.apply_policy(policy_document("envoy"))
    before, told = store.policies()[policy], heard(store)
    watch = next(one for one in store.watches() if one.resource is CLUSTER_POLICIES)
    add = {"op": "add", "path": "/metadata/finalizers", "value": ["example.net/others"]}
    await hands.api.patch(CLUSTER_POLICIES, "", "envoy", [add])
    await until(lambda: (watch.get("", "envoy") or {})["metadata"].get("finalizers"))

    assert told == []
    assert store.policies()[policy] is before


async def test_one_that_is_there_at_the_start_is_known(store: KubeDesk, cluster: Cluster, namespace: str) -> None:
    """A Rollout is never read without its policy."""
    await two_users(store, namespace)
    await store.apply_policy(policy_document("envoy", analysis={"minRequests": 7}))
    async with desk(cluster, namespace) as later:
        found = later.policy(PolicyRef(kind="ClusterRolloutPolicy", name="envoy"), namespace)

    assert found == policy_document("envoy", analysis={"minRequests": 7})


async def test_a_policy_of_another_namespace_is_not_seen(store: KubeDesk, cluster: Cluster, namespace: str) -> None:
    """We were told to look at one."""
    cluster.make_namespace(f"{namespace}-b")
    async with desk(cluster, f"{namespace}-b") as other:
        await other.apply_policy(
            {
                **policy_document("envoy", kind="RolloutPolicy"),
                "metadata": {"name": "envoy", "namespace": f"{namespace}-b"},
            }
        )
        there = list(other.policies())

    assert there == [("RolloutPolicy", f"{namespace}-b", "envoy")]
    assert dict(store.policies()) == {}


async def test_removing_what_is_not_there_is_no_fault(store: KubeDesk, namespace: str) -> None:
    """It is gone, which was wanted."""
    await store.remove_policy("RolloutPolicy", namespace, "envoy")

    assert dict(store.policies()) == {}


async def test_what_the_api_server_refuses_names_the_fields(store: KubeDesk) -> None:
    """All of them."""
    with pytest.raises(ConfigurationError) as refused:
        await store.apply_policy(policy_document("envoy", analysis={"minRequests": -1}, steps=[{"weight": "many"}]))

    fields = {problem.field for problem in refused.value.problems}
    assert {"spec.analysis.minRequests", "spec.steps[0].weight"} <= fields
