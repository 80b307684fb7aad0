"""What every `Workloads` does: the fake in memory, and the workloads of a cluster."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Protocol

import pytest

from rollout.engine.observation import WorkloadKey, WorkloadView
from rollout.errors import ConflictError, NotOursError, UpdateRefused
from rollout.ports import Workloads
from tests.fakes.workloads import FakeWorkloads
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.fixtures import KUBERNETES
from tests.kubernetes.seeing.worlds import KubernetesWorkloads
from tests.waiting import until

STABLE = WorkloadKey("Deployment", "shop", "checkout-v1")
CANARY = WorkloadKey("Deployment", "shop", "checkout-v2")
NODES = WorkloadKey("DaemonSet", "shop", "checkout-nodes")
NOBODY = WorkloadKey("Deployment", "shop", "nobody")
LABELS: Mapping[WorkloadKey, Mapping[str, str]] = {
    STABLE: {"app": "checkout", "version": "v1"},
    CANARY: {"app": "checkout", "version": "v2", "team": "payments"},
    NODES: {"app": "nodes"},
}
"""The labels of the pod templates; the selectors name `app` and `version`, those that there are."""

PODS: Mapping[WorkloadKey, int] = {STABLE: 3, CANARY: 1, NODES: 1}
RUNS: Mapping[WorkloadKey, str] = {STABLE: "one", CANARY: "two", NODES: "one"}
"""What the pods run: the tag of their image."""


class World(Protocol):
    """Workloads, the hands of others on them, and the platform that rolls them out (or a test in its place)."""

    workloads: Workloads

    async def start(self, folder: Path) -> None:
        """Begin with STABLE, CANARY and NODES as LABELS, PODS and RUNS say, all rolled out and seen."""

    async def change(self, key: WorkloadKey, runs: str) -> None:
        """Let somebody give the workload's pods another image; nothing has rolled out yet."""

    async def roll(self, key: WorkloadKey, *, updated: int, ready: int, old: int = 0) -> None:
        """Let the platform report so many pods of the present template, `old` ones, and ready ones of both."""

    async def fail(self, key: WorkloadKey, why: str) -> None:
        """Let the platform give the rollout up for this reason (its message)."""

    async def take_away(self, key: WorkloadKey) -> None:
        """Let somebody delete the workload."""

    async def labels(self, key: WorkloadKey) -> Mapping[str, str]:
        """Return the labels of the pod template as they stand."""

    async def close(self) -> None:
        """End."""


class FakeWorld:
    """The fake in memory."""

    def __init__(self) -> None:
        self.fake = FakeWorkloads()
        self.workloads: Workloads = self.fake

    async def start(self, folder: Path) -> None:
        """Make the workloads."""
        for key, labels in LABELS.items():
            self.fake.put(key, RUNS[key], replicas=PODS[key], labels=labels, selector=("app", "version"))

    async def change(self, key: WorkloadKey, runs: str) -> None:
        """Change the template."""
        self.fake.change(key, runs)

    async def roll(self, key: WorkloadKey, *, updated: int, ready: int, old: int = 0) -> None:
        """Report so many."""
        self.fake.roll(key, updated=updated, ready=ready, old=old)

    async def fail(self, key: WorkloadKey, why: str) -> None:
        """Give up."""
        self.fake.fail(key, why)

    async def take_away(self, key: WorkloadKey) -> None:
        """Delete."""
        self.fake.take_away(key)

    async def labels(self, key: WorkloadKey) -> Mapping[str, str]:
        """Return the labels."""
        return self.fake.labels(key)

    async def close(self) -> None:
        """Nothing to end."""


def kubernetes(request: pytest.FixtureRequest) -> World:
    """Return a world in the cluster of this worker."""
    cluster: Cluster = request.getfixturevalue("cluster")
    return KubernetesWorkloads(cluster, LABELS, PODS, RUNS)


@pytest.fixture(
    params=[
        pytest.param(lambda _: FakeWorld(), id="fake"),
        pytest.param(kubernetes, id="kubernetes", marks=KUBERNETES),
    ]
)
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """One world of each kind, begun and ended."""
    made: World = request.param(request)
    try:
        await made.start(tmp_path)
        yield made
    finally:
        await made.close()


def seen(world: World, key: WorkloadKey) -> WorkloadView:
    """Return the workload, which must be there."""
    view = world.workloads.read(key)
    assert view is not None
    return view


async def copied(world: World) -> WorkloadView:
    """Copy the canary's template to stable, as both are seen."""
    stable, canary = seen(world, STABLE), seen(world, CANARY)
    return await world.workloads.copy_template(CANARY, STABLE, template=canary.template, expected=stable.version)


async def test_a_workload_is_read_with_its_pods(world: World) -> None:
    """As many as are wanted, all of the present template, all ready, and nothing failed."""
    view = seen(world, STABLE)

    assert (view.key, view.replicas, view.updated, view.ready) == (STABLE, 3, 3, 3)
    assert (view.settled, view.failed) == (True, "")
    assert 0 < len(view.template) <= 64


async def test_a_workload_that_does_not_exist_is_none(world: World) -> None:
    """Reading never raises."""
    assert world.workloads.read(NOBODY) is None


async def test_what_runs_the_same_has_the_same_template(world: World) -> None:
    """Other labels do not make another template; another image does, and the same image again does not."""
    first = seen(world, STABLE).template
    assert first != seen(world, CANARY).template
    await world.change(CANARY, "one")
    await until(lambda: seen(world, CANARY).template == first)
    await world.change(CANARY, "two")

    await until(lambda: seen(world, CANARY).template != first)


async def test_a_new_template_is_told_and_not_settled(world: World) -> None:
    """Until the platform has taken it in, the numbers of its pods are of the template before."""
    before, told = seen(world, CANARY), list[WorkloadKey]()
    world.workloads.subscribe(told.append)

    await world.change(CANARY, "three")

    await until(lambda: CANARY in told and seen(world, CANARY).template != before.template)
    assert not seen(world, CANARY).settled
    assert seen(world, CANARY).version != before.version


async def test_pods_are_ready_for_certain_only_without_old_ones(world: World) -> None:
    """Two of three ready pods with an old one among them: one new pod is ready for certain."""
    await world.change(STABLE, "three")

    await world.roll(STABLE, updated=2, ready=2, old=1)

    await until(lambda: seen(world, STABLE).updated == 2)
    assert seen(world, STABLE).settled
    assert (seen(world, STABLE).replicas, seen(world, STABLE).updated, seen(world, STABLE).ready) == (3, 2, 1)


async def test_a_rollout_that_was_given_up_says_why(world: World) -> None:
    """The platform's own message, until the next change."""
    await world.change(STABLE, "three")

    await world.fail(STABLE, "ReplicaSet has timed out progressing.")

    await until(lambda: seen(world, STABLE).failed)
    assert "timed out progressing" in seen(world, STABLE).failed
    await world.change(STABLE, "one")
    await world.roll(STABLE, updated=3, ready=3)
    await until(lambda: not seen(world, STABLE).failed)


async def test_a_copied_template_is_the_same_and_the_rest_stays(world: World) -> None:
    """The target has the source's template and its own number of pods; the cache has it at once."""
    before = seen(world, STABLE)

    after = await copied(world)

    assert (after.template, after.replicas, after.key) == (seen(world, CANARY).template, 3, STABLE)
    assert after.version != before.version
    assert not after.settled
    assert seen(world, STABLE) == after


async def test_labels_come_along_but_for_those_of_the_selectors(world: World) -> None:
    """Pods of stable are still found as stable's, and have the labels that only describe them."""
    await copied(world)

    assert await world.labels(STABLE) == {"app": "checkout", "version": "v1", "team": "payments"}


async def test_a_copy_onto_a_changed_target_is_a_conflict(world: World) -> None:
    """Nothing of the other's work is lost, and the cache has it by then."""
    before, canary = seen(world, STABLE), seen(world, CANARY)
    await world.change(STABLE, "three")

    with pytest.raises(ConflictError):
        await world.workloads.copy_template(CANARY, STABLE, template=canary.template, expected=before.version)

    assert seen(world, STABLE).template not in {before.template, canary.template}


async def test_another_template_than_the_judged_one_is_never_copied(world: World) -> None:
    """Somebody gave the source a newer one meanwhile: the target stays as it is."""
    stable, judged = seen(world, STABLE), seen(world, CANARY)
    await world.change(CANARY, "three")

    with pytest.raises(ConflictError):
        await world.workloads.copy_template(CANARY, STABLE, template=judged.template, expected=stable.version)

    assert seen(world, STABLE) == stable
    assert seen(world, CANARY).template != judged.template


async def test_a_workload_has_as_many_pods_as_it_is_told(world: World) -> None:
    """Up and down to none; its template stays, and the cache has it at once."""
    before = seen(world, CANARY)

    up = await world.workloads.scale(CANARY, 3, expected=before.version)
    down = await world.workloads.scale(CANARY, 0, expected=up.version)

    assert (up.replicas, down.replicas, down.template) == (3, 0, before.template)
    assert up.version != before.version
    assert seen(world, CANARY) == down


async def test_scaling_what_somebody_changed_is_a_conflict(world: World) -> None:
    """And read again it goes through."""
    before = seen(world, CANARY)
    await world.change(CANARY, "three")
    with pytest.raises(ConflictError):
        await world.workloads.scale(CANARY, 3, expected=before.version)

    after = await world.workloads.scale(CANARY, 3, expected=seen(world, CANARY).version)

    assert after.replicas == 3


async def test_nodes_say_how_many_pods_a_daemon_set_has(world: World) -> None:
    """Scaling one is refused."""
    with pytest.raises(UpdateRefused):
        await world.workloads.scale(NODES, 3, expected=seen(world, NODES).version)


async def test_a_workload_that_went_away_is_told_and_not_ours(world: World) -> None:
    """It reads as None, and every order to it says that it is gone."""
    told, stable, canary = list[WorkloadKey](), seen(world, STABLE), seen(world, CANARY)
    world.workloads.subscribe(told.append)
    await world.take_away(CANARY)

    await until(lambda: CANARY in told and world.workloads.read(CANARY) is None)
    with pytest.raises(NotOursError):
        await world.workloads.scale(CANARY, 3, expected=canary.version)
    with pytest.raises(NotOursError):
        await world.workloads.copy_template(CANARY, STABLE, template=canary.template, expected=stable.version)
    with pytest.raises(NotOursError):
        await world.workloads.copy_template(STABLE, CANARY, template=stable.template, expected=canary.version)
