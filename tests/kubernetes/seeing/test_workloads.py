"""Workloads on a real API server, between the hands of others: what the contract of the port does not go into."""

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from http import HTTPStatus
from typing import Any

import pytest

from rollout.clock import SystemClock
from rollout.engine.observation import WorkloadKey, WorkloadView
from rollout.errors import ConflictError, UpdateRefused
from rollout.kube.api import KubeApi
from rollout.kube.resources import Document, Resource
from rollout.kube.workloads import KubeWorkloads
from tests.kubernetes.cluster import SOMEBODY, Cluster
from tests.kubernetes.seeing.worlds import path_of, workload
from tests.waiting import until

RESTARTED = "kubectl.kubernetes.io/restartedAt"


class Deployments:
    """A stable and a canary in the namespace of the test, and what a person does to them."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster = cluster
        self.stable, self.canary = (WorkloadKey("Deployment", namespace, name) for name in ("v1", "v2"))
        for key, runs in ((self.stable, "one"), (self.canary, "two")):
            self.make(key, runs)

    def make(self, key: WorkloadKey, runs: str = "one") -> None:
        """Make one with two pods."""
        self._cluster.apply(path_of(key), workload(key, {"app": "checkout", "version": key.name}, 2, runs))

    def found(self, key: WorkloadKey) -> dict[str, Any]:
        """Return it as the API server has it."""
        status, answer = self._cluster.ask("GET", f"{path_of(key)}/{key.name}")
        assert status == HTTPStatus.OK, answer
        return answer

    def patch(self, key: WorkloadKey, path: str, value: object, *, subresource: str = "") -> None:
        """Set one field."""
        operation = [{"op": "add", "path": path, "value": value}]
        url, content = f"{path_of(key)}/{key.name}{subresource}", "application/json-patch+json"
        status, answer = self._cluster.ask("PATCH", url, operation, content=content)
        assert status == HTTPStatus.OK, answer

    def take_away(self, key: WorkloadKey) -> None:
        """Delete it."""
        assert self._cluster.ask("DELETE", f"{path_of(key)}/{key.name}")[0] == HTTPStatus.OK


@pytest.fixture
def deployments(cluster: Cluster, namespace: str) -> Deployments:
    """Make them."""
    return Deployments(cluster, namespace)


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    """End what a test opened."""
    async with AsyncExitStack() as opened:
        yield opened


@pytest.fixture
async def workloads(api: KubeApi, namespace: str, deployments: Deployments, stack: AsyncExitStack) -> KubeWorkloads:
    """Watch Deployments."""
    return await watching(api, namespace, stack)


async def watching(api: KubeApi, namespace: str, stack: AsyncExitStack) -> KubeWorkloads:
    """Watch Deployments by way of ``api``."""
    made = KubeWorkloads(api, SystemClock(), chance=random.random, namespace=namespace)
    stack.push_async_callback(made.aclose)
    await made.start()
    return made


def seen(workloads: KubeWorkloads, key: WorkloadKey) -> WorkloadView:
    """Return the workload, which must be there."""
    view = workloads.read(key)
    assert view is not None
    return view


async def test_a_restart_is_no_new_revision(workloads: KubeWorkloads, deployments: Deployments) -> None:
    """`kubectl rollout restart` makes the pods anew: another version, which is not settled, of the same template."""
    before = seen(workloads, deployments.canary)

    deployments.patch(deployments.canary, "/spec/template/metadata/annotations", {RESTARTED: "2026-11-21T10:00:00Z"})

    await until(lambda: seen(workloads, deployments.canary).version != before.version)
    assert seen(workloads, deployments.canary).template == before.template
    assert not seen(workloads, deployments.canary).settled


async def test_pods_that_come_and_go_do_not_hinder_a_write(workloads: KubeWorkloads, deployments: Deployments) -> None:
    """The status changed since it was read: what is wanted did not, and the write goes through."""
    before = seen(workloads, deployments.canary)
    status = {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 1}
    deployments.patch(deployments.canary, "/status", status, subresource="/status")
    deployments.patch(deployments.canary, "/metadata/labels", {"note": "here"})

    after = await workloads.scale(deployments.canary, 5, expected=before.version)

    assert after.replicas == 5
    assert deployments.found(deployments.canary)["metadata"]["labels"] == {"note": "here"}


async def test_an_object_made_anew_under_its_name_is_another(
    workloads: KubeWorkloads, deployments: Deployments
) -> None:
    """Its generation is the same, its uid is not: nothing is written on the word of the old one."""
    before = seen(workloads, deployments.canary)
    deployments.take_away(deployments.canary)
    deployments.make(deployments.canary)

    with pytest.raises(ConflictError):
        await workloads.scale(deployments.canary, 5, expected=before.version)

    assert deployments.found(deployments.canary)["spec"]["replicas"] == 2
    assert seen(workloads, deployments.canary).version != before.version


async def test_a_change_between_the_look_and_the_copy_is_a_conflict(
    cluster: Cluster, namespace: str, deployments: Deployments, stack: AsyncExitStack
) -> None:
    """The API server tests again what was read a moment before; nothing of the other's work is lost."""

    class Between(KubeApi):
        """Lets somebody give stable another image before the write."""

        async def patch(
            self,
            resource: Resource,
            namespace: str,
            name: str,
            operations: Sequence[Document],
            *,
            subresource: str = "",
        ) -> Document:
            """Change it, then patch."""
            deployments.patch(deployments.stable, "/spec/template/spec/containers/0/image", "checkout:urgent")
            return await super().patch(resource, namespace, name, operations, subresource=subresource)

    door = Between(cluster.configuration(), random.random)
    stack.push_async_callback(door.aclose)
    workloads = await watching(door, namespace, stack)
    stable, canary = seen(workloads, deployments.stable), seen(workloads, deployments.canary)

    with pytest.raises(ConflictError):
        await workloads.copy_template(
            deployments.canary, deployments.stable, template=canary.template, expected=stable.version
        )

    found = deployments.found(deployments.stable)
    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == "checkout:urgent"
    assert seen(workloads, deployments.stable).template not in {stable.template, canary.template}


async def test_a_copy_brings_the_whole_template_and_nothing_else(
    workloads: KubeWorkloads, deployments: Deployments
) -> None:
    """What makes pods is the canary's, byte by byte; the number of pods, the selector and all about stable stay."""
    deployments.patch(deployments.canary, "/spec/template/metadata/annotations", {"checksum/config": "1234"})
    deployments.patch(deployments.canary, "/spec/template/spec/terminationGracePeriodSeconds", 7)
    await until(lambda: seen(workloads, deployments.canary).version.endswith("/3"))
    before, giving = deployments.found(deployments.stable), deployments.found(deployments.canary)
    stable, canary = seen(workloads, deployments.stable), seen(workloads, deployments.canary)

    await workloads.copy_template(
        deployments.canary, deployments.stable, template=canary.template, expected=stable.version
    )

    after = deployments.found(deployments.stable)
    template = after["spec"].pop("template")
    before["spec"].pop("template")
    assert template["spec"] == giving["spec"]["template"]["spec"]
    assert template["metadata"]["annotations"] == {"checksum/config": "1234"}
    assert template["metadata"]["labels"] == {"app": "checkout", "version": "v1"}
    assert after["spec"] == before["spec"]


async def test_what_the_api_server_does_not_take_is_refused(workloads: KubeWorkloads, deployments: Deployments) -> None:
    """With its own words."""
    with pytest.raises(UpdateRefused, match="must be greater than or equal to 0"):
        await workloads.scale(deployments.canary, -1, expected=seen(workloads, deployments.canary).version)


async def test_another_kind_is_watched_once_somebody_asks(workloads: KubeWorkloads, deployments: Deployments) -> None:
    """Until then nobody needs the right to see it."""
    nodes = WorkloadKey("DaemonSet", deployments.stable.namespace, "nodes")
    deployments.make(nodes)
    assert [watch.resource.kind for watch in workloads.watches()] == ["Deployment"]

    assert workloads.read(nodes) is None

    await until(lambda: workloads.read(nodes))
    assert workloads.explain(nodes) == ""
    assert workloads.read(WorkloadKey("CronJob", nodes.namespace, "nodes")) is None


async def test_a_kind_that_we_may_not_see_is_explained_and_nobody_waits_for_it(
    cluster: Cluster, deployments: Deployments, stack: AsyncExitStack
) -> None:
    """Only who names such a workload is told; a service is as ready as without."""
    door = KubeApi(cluster.configuration(SOMEBODY), random.random)
    stack.push_async_callback(door.aclose)
    poor = KubeWorkloads(door, SystemClock(), chance=random.random, namespace=deployments.stable.namespace, kinds=())
    stack.push_async_callback(poor.aclose)
    data = WorkloadKey("StatefulSet", deployments.stable.namespace, "db")
    unseen = (poor.read(data), poor.explain(data))
    await until(lambda: bool(poor.explain(data)))

    assert unseen == (None, "")
    assert poor.explain(data).startswith("StatefulSets cannot be seen: GET /apis/apps/v1/")
    assert 'cannot list resource "statefulsets"' in poor.explain(data)
    assert poor.watches() == ()


async def test_without_the_right_to_change_it_a_write_is_refused(
    cluster: Cluster, deployments: Deployments, workloads: KubeWorkloads, stack: AsyncExitStack
) -> None:
    """The sentence names the right that is missing; nothing is tried again by itself."""
    door = KubeApi(cluster.configuration(SOMEBODY), random.random)
    stack.push_async_callback(door.aclose)
    poor = KubeWorkloads(door, SystemClock(), chance=random.random, namespace=deployments.stable.namespace, kinds=())

    with pytest.raises(UpdateRefused, match='cannot patch resource "deployments"'):
        await poor.scale(deployments.canary, 3, expected=seen(workloads, deployments.canary).version)

    await poor.aclose()
