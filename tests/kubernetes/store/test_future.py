"""Objects that an older service does not understand, under the CRDs of a newer release, and kinds that are missing."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import pytest

from rollout.engine.table import Phase
from rollout.errors import ConfigurationError
from rollout.kube.resources import ROLLOUTS
from rollout.ports import Key
from rollout.spec.crd import crds
from rollout.spec.resource import PolicyRef
from tests.contracts.builders import policy_document, rollout_document
from tests.contracts.stores import heard, record, there
from tests.kubernetes.cluster import GATEWAY_API, Cluster, gateway_crds
from tests.kubernetes.stage import Stage, open_stage, rollout
from tests.kubernetes.store.world import Hands, desk, seen

ANYTHING = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
NOT_UNDERSTOOD: dict[str, Any] = {
    "a-field": {"spec": {**rollout_document()["spec"], "mirror": {"percent": 5}}},  # type: ignore[dict-item]
    "a-kind": {"spec": rollout_document(routes=[{"kind": "UDPRoute", "name": "x"}])["spec"]},
    "a-type": {"spec": rollout_document(steps={"plan": "b"})["spec"]},
    "a-policy": {"spec": rollout_document(policy=["envoy"])["spec"]},
    "a-text": {"spec": "all"},
    "a-list": {"spec": [1, 2]},
    "nothing": {},
}
STATUSES: tuple[Any, ...] = (
    "done",
    [1],
    {"phase": ["Progressing"], "failover": "x", "engine": [1], "handledCommands": {"id": 1}},
    {"phase": "Progressing", "transitions": [1, {"number": "2"}, {"number": 3, "sequence": "x"}], "engine": {}},
    {"phase": "Fading", "attempt": -1, "engine": {"phase": 7, "owned": [{"route": 1}]}},
)


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Run an API server whose Rollouts may be anything, and that has no policies for all."""
    running = Cluster.begin(tmp_path_factory.mktemp("newer"))
    try:
        permissive = [_permissive(crd) for crd in crds() if crd["spec"]["scope"] == "Namespaced"]
        for crd in (*gateway_crds(GATEWAY_API), *permissive):
            running.install(crd)
        yield running
    finally:
        running.end()


def _permissive(crd: Mapping[str, Any]) -> dict[str, Any]:
    changed: dict[str, Any] = json.loads(json.dumps(crd))
    changed["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = ANYTHING
    return changed


@pytest.fixture
async def stage(newer: Cluster, request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    """Open a stage in a namespace of the test's own."""
    namespace = request.node.originalname.replace("_", "-")[:60].rstrip("-")
    newer.make_namespace(namespace)
    async with open_stage(newer, namespace) as opened:
        yield opened


async def make(stage: Stage, name: str, parts: dict[str, Any]) -> None:
    """Make a Rollout of these parts."""
    document = {"apiVersion": ROLLOUTS.api_version, "kind": ROLLOUTS.kind, "metadata": {"name": name}}
    await stage.api.create(ROLLOUTS, {**document, **parts}, namespace=stage.namespace)


async def test_what_is_not_understood_is_invalid(stage: Stage) -> None:
    """Each says so in its status, and beside them another one is run."""
    await stage.pair()
    await stage.route()
    for name, parts in NOT_UNDERSTOOD.items():
        await make(stage, name, parts)
    await stage.rollout()
    async with stage.controller():
        told = {name: await stage.phase("Invalid", name) for name in NOT_UNDERSTOOD}
        await stage.phase("Idle")

    assert "mirror" in told["a-field"]["message"]
    assert all(status["message"] for status in told.values())


async def with_statuses(stage: Stage) -> list[Key]:
    """Make a Rollout with each of the statuses."""
    for number, status in enumerate(STATUSES):
        await make(stage, f"r{number}", {"spec": rollout("checkout")["spec"]})
        operation = {"op": "add", "path": "/status", "value": status}
        await stage.api.patch(ROLLOUTS, stage.namespace, f"r{number}", [operation], subresource="status")
    return [Key(stage.namespace, f"r{number}") for number in range(len(STATUSES))]


def is_understood(status: object) -> bool:
    """Return whether it is a status of this release."""
    return isinstance(status, Mapping) and status.get("phase") in list(Phase) and bool(status.get("message"))


async def test_every_status_is_read_as_far_as_it_goes(stage: Stage) -> None:
    """The Rollout shows, and the next record puts it right."""
    keys = await with_statuses(stage)
    async with desk(stage.cluster, stage.namespace) as store:
        shown = [there(store, key).status for key in keys]
        for key in keys:
            await record(store, key, 1)
        recorded = [there(store, key).status["phase"] for key in keys]

    assert shown[:2] == [{}, {}]
    assert recorded == ["Progressing"] * len(STATUSES)


async def test_a_status_that_is_not_understood_stops_nobody(stage: Stage) -> None:
    """It says in the end what is the matter, in words of this release, and another Rollout is run."""
    await stage.pair("own")
    await stage.route("own")
    await with_statuses(stage)
    await stage.rollout("own")
    async with stage.controller():
        await stage.phase("Idle", "own")
        told = [await stage.until(is_understood, f"r{number}") for number in range(len(STATUSES))]

    assert all(status["message"] for status in told)


async def test_a_policy_wakes_those_who_can_be_read(stage: Stage) -> None:
    """The others name none."""
    for name, parts in NOT_UNDERSTOOD.items():
        await make(stage, name, parts)
    hands = Hands(stage.cluster, stage.api, stage.namespace)
    async with desk(stage.cluster, stage.namespace) as store:
        user = await store.apply(
            rollout_document(namespace=stage.namespace, policy={"kind": "RolloutPolicy", "name": "own"})
        )
        told = heard(store)
        policy = policy_document("own", kind="RolloutPolicy", fading={"curve": "s"})
        await store.apply_policy({**policy, "metadata": {"name": "own", "namespace": stage.namespace}})
        found = store.policy(PolicyRef(kind="RolloutPolicy", name="own"), stage.namespace)
        await hands.edit({"op": "add", "path": "/spec/revision", "value": "2"})
        await seen(store, user, lambda shown: shown.generation == 2)

    assert found is not None
    assert found["spec"] == {"fading": {"curve": "s"}}
    assert told == [user, user]


async def test_a_kind_that_the_cluster_does_not_serve_is_named(stage: Stage) -> None:
    """The store begins without it; who applies one is told what is missing."""
    async with desk(stage.cluster, stage.namespace) as store:
        with pytest.raises(ConfigurationError, match=r"kind: the cluster does not serve it.*ClusterRolloutPolicy"):
            await store.apply_policy(policy_document("envoy"))
        await store.remove_policy("ClusterRolloutPolicy", "", "envoy")

    assert dict(store.policies()) == {}
