"""Facts about the operator's switch in a cluster, beside what every switch does (``tests/contracts``)."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from rollout.clock import SystemClock
from rollout.controller.switch import OperatorSwitch
from rollout.errors import NotAllowedError, Unavailable
from rollout.kube.api import KubeApi
from rollout.kube.resources import CONFIG_MAPS
from rollout.kube.switch import NAME, KubeSwitch
from rollout.signals import Position
from tests.kubernetes.cluster import SOMEBODY, Cluster
from tests.kubernetes.proxy import Mode, Proxy
from tests.waiting import until

Replica = Callable[..., Awaitable[KubeSwitch]]


@pytest.fixture
async def replica(cluster: Cluster, namespace: str) -> AsyncIterator[Replica]:
    """Return what opens the switch of one more replica."""
    async with AsyncExitStack() as stack:

        async def opened(*, token: str = "", url: str = "") -> KubeSwitch:
            api = KubeApi(cluster.configuration(token, url), random.random)
            stack.push_async_callback(api.aclose)
            switch = KubeSwitch(api, SystemClock(), chance=random.random, namespace=namespace)
            stack.push_async_callback(switch.aclose)
            await switch.start()
            return switch

        yield opened


async def stop(cluster: Cluster, namespace: str, *entries: str) -> None:
    """Make the ConfigMap as people do."""
    literals = [f"--from-literal={entry}" for entry in entries]
    await cluster.kubectl("create", "configmap", NAME, "-n", namespace, *literals)


async def test_what_people_write_with_kubectl_is_known_everywhere_within_a_second(
    cluster: Cluster, namespace: str, replica: Replica
) -> None:
    """Every replica hears of it from the API server, whoever turned it."""
    switches = [await replica() for _ in range(2)]
    await stop(cluster, namespace, "failover=stopped", "failover-reason=maintenance of the mesh")
    written = time.monotonic()
    await until(lambda: all(switch.read().stopped for switch in switches), seconds=1.0)
    took = time.monotonic() - written
    position = switches[0].read()

    assert took < 1.0
    assert (position.by, position.reason) == ("ConfigMap, field manager kubectl-create", "maintenance of the mesh")
    assert abs(position.at - time.time()) < 60


async def test_who_turned_it_last_is_told(cluster: Cluster, namespace: str, replica: Replica) -> None:
    """One by the API, then one by kubectl, which leaves the other keys as they are, then one by the API again."""
    switch = await replica()
    turns: list[str] = []
    await switch.turn(Position(stopped=False, by="alice", at=1.8e9))
    turns.append(switch.read().by)
    await cluster.kubectl(
        *("patch", "configmap", NAME, "-n", namespace, "--type=merge", "-p", '{"data":{"failover":"stopped"}}')
    )
    await until(lambda: switch.read().stopped)
    turns.append(switch.read().by)
    await switch.turn(Position(stopped=False, by="bob", at=1.8e9))
    turns.append(switch.read().by)

    assert turns == ["alice", "ConfigMap, field manager kubectl-patch", "bob"]


async def test_a_configmap_that_is_deleted_releases(cluster: Cluster, namespace: str, replica: Replica) -> None:
    """Where there is none nothing is stopped."""
    await stop(cluster, namespace, "failover=stopped")
    switch = await replica()
    before = switch.read().stopped
    await cluster.kubectl("delete", "configmap", NAME, "-n", namespace)
    await until(lambda: not switch.read().stopped)

    assert before


async def test_other_keys_and_labels_stay(cluster: Cluster, namespace: str, replica: Replica, api: KubeApi) -> None:
    """The ConfigMap may be somebody else's, too."""
    await stop(cluster, namespace, "colour=blue")
    await cluster.kubectl("label", "configmap", NAME, "-n", namespace, "team=mesh")
    await (await replica()).turn(Position(stopped=True, by="alice", at=1.8e9, reason="fire"))
    found: dict[str, Any] = dict(await api.get(CONFIG_MAPS, namespace, NAME))

    assert found["metadata"]["labels"] == {"team": "mesh"}
    assert found["data"] == {
        "colour": "blue",
        "failover": "stopped",
        "failover-reason": "fire",
        "failover-by": "alice",
        "failover-since": "2027-01-15T08:00:00.000+00:00",
    }


async def test_other_configmaps_are_none_of_its_business(cluster: Cluster, namespace: str, replica: Replica) -> None:
    """Neither their changes nor their number."""
    switch, heard = await replica(), list[Position]()
    switch.subscribe(lambda: heard.append(switch.read()))
    await cluster.kubectl("create", "configmap", "other", "-n", namespace, "--from-literal=failover=stopped")
    await stop(cluster, namespace, "failover=stopped")
    await until(lambda: heard)

    assert [position.stopped for position in heard] == [True]


async def test_without_the_right_to_read_it_nobody_fails_over(
    cluster: Cluster, namespace: str, replica: Replica
) -> None:
    """All else goes on; the sentence says what is missing, and with the right it is read after all."""
    switch = await replica(token=SOMEBODY)
    operators = OperatorSwitch(switch, SystemClock())
    before = operators.stopped
    with pytest.raises(NotAllowedError):
        await switch.turn(Position(stopped=True))
    for kind, document in _rights(namespace):
        cluster.apply(f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/{kind}", document)
    await until(lambda: not operators.stopped, seconds=20)

    assert before.startswith(
        f"Failover is stopped until its switch was read: ConfigMap {namespace}/{NAME} was not read yet ("
    )
    assert "forbidden" in before


def _rights(namespace: str) -> list[tuple[str, dict[str, Any]]]:
    rule = {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": [NAME], "verbs": ["list", "watch"]}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "switch"}
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "somebody"}
    return [
        ("roles", {"metadata": {"name": "switch"}, "rules": [rule]}),
        ("rolebindings", {"metadata": {"name": "switch"}, "roleRef": role, "subjects": [subject]}),
    ]


async def test_what_it_said_last_holds_while_the_api_server_is_away(
    cluster: Cluster, namespace: str, replica: Replica
) -> None:
    """And what was said meanwhile is read when it is back."""
    await stop(cluster, namespace, "failover=stopped")
    async with Proxy(cluster.port) as proxy:
        switch = await replica(url=proxy.url)
        proxy.set(Mode.REFUSE)
        proxy.cut()
        await cluster.kubectl("delete", "configmap", NAME, "-n", namespace)
        during = switch.read().stopped
        proxy.set(Mode.PASS)
        await until(lambda: not switch.read().stopped, seconds=20)

    assert during


async def test_before_the_first_reading_it_is_not_known(cluster: Cluster, namespace: str, replica: Replica) -> None:
    """A start while the API server is away ends soon, and knows nothing; who listens hears of the first reading."""
    heard: list[Position] = []
    async with Proxy(cluster.port) as proxy:
        proxy.set(Mode.REFUSE)
        switch = await replica(url=proxy.url)
        switch.subscribe(lambda: heard.append(switch.read()))
        with pytest.raises(Unavailable, match="was not read yet"):
            switch.read()
        proxy.set(Mode.PASS)
        await until(lambda: heard, seconds=20)

    assert heard == [Position()]
