"""Worlds of the contract tests on a real API server: what a kubelet and controllers would write, written by hand."""

from __future__ import annotations

import random
from collections.abc import Mapping
from contextlib import AsyncExitStack
from http import HTTPStatus
from pathlib import Path
from typing import Any

from rollout.clock import SystemClock
from rollout.engine.observation import WorkloadKey
from rollout.kube.api import KubeApi
from rollout.kube.endpoints import KubeEndpoints
from rollout.kube.resources import Document
from rollout.kube.workloads import KINDS, KubeWorkloads
from rollout.ports import Workloads
from rollout.signals import BackendHealth
from tests.kubernetes.cluster import Cluster

SHOP = "shop"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"


def slice_of(service: str, name: str, endpoints: list[dict[str, Any]], **fields: object) -> dict[str, Any]:
    """Return an EndpointSlice of the Service with a port named `web`."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": name, "labels": {"kubernetes.io/service-name": service}},
        "addressType": "IPv4",
        "ports": [{"name": "web", "port": 80, "protocol": "TCP"}],
        "endpoints": endpoints,
        **fields,
    }


def endpoint(address: str, **conditions: bool) -> dict[str, Any]:
    """Return an endpoint with a pod behind it."""
    target = {"kind": "Pod", "name": f"pod-{address}"}
    return {"addresses": [address], "conditions": conditions, "targetRef": target}


def make_shop(cluster: Cluster) -> None:
    """Make the namespace of the contracts, unless an earlier test has."""
    status, answer = cluster.ask("POST", "/api/v1/namespaces", {"metadata": {"name": SHOP}})
    assert status in {HTTPStatus.CREATED, HTTPStatus.CONFLICT}, answer


class KubernetesEndpoints:
    """Services and EndpointSlices of a real API server."""

    health: BackendHealth

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._stack = AsyncExitStack()

    async def start(self, folder: Path) -> None:
        """Make a Service with two ready endpoints, and begin to watch."""
        make_shop(self._cluster)
        service = {"kind": "Service", "apiVersion": "v1", "metadata": {"name": "v1"}}
        service["spec"] = {"ports": [{"name": "web", "port": 8080}]}
        services = f"/api/v1/namespaces/{SHOP}/services"
        self._cluster.apply(services, service)
        self._stack.callback(self._cluster.ask, "DELETE", f"{services}/v1")
        self._slices = SLICES.format(namespace=SHOP)
        self._stack.callback(self._cluster.ask, "DELETE", f"{self._slices}/v1-a")
        await self.find_it()
        api = KubeApi(self._cluster.configuration(), random.random)
        self._stack.push_async_callback(api.aclose)
        adapter = KubeEndpoints(api, SystemClock(), chance=random.random, namespace=SHOP)
        self._stack.push_async_callback(adapter.aclose)
        await adapter.start()
        self.health = adapter

    async def lose_one(self) -> None:
        """Let one fail its probe."""
        self._put(ready=False)

    async def find_it(self) -> None:
        """Let it pass."""
        self._put(ready=True)

    def _put(self, *, ready: bool) -> None:
        endpoints = [endpoint("10.1.0.1", ready=ready), endpoint("10.1.0.2", ready=True)]
        self._cluster.apply(self._slices, slice_of("v1", "v1-a", endpoints))

    async def close(self) -> None:
        """End the watches and clean up."""
        await self._stack.aclose()


class KubernetesWorkloads:
    """Workloads of a real API server; the test is their controller."""

    workloads: Workloads

    def __init__(
        self,
        cluster: Cluster,
        labels: Mapping[WorkloadKey, Mapping[str, str]],
        pods: Mapping[WorkloadKey, int],
        runs: Mapping[WorkloadKey, str],
    ) -> None:
        self._cluster = cluster
        self._labels, self._pods, self._runs = labels, pods, runs
        self._stack = AsyncExitStack()

    async def start(self, folder: Path) -> None:
        """Make the workloads, let them roll out, and begin to watch."""
        make_shop(self._cluster)
        for key, labels in self._labels.items():
            self._cluster.apply(path_of(key), workload(key, labels, self._pods[key], self._runs[key]))
            self._stack.callback(self._cluster.ask, "DELETE", f"{path_of(key)}/{key.name}?gracePeriodSeconds=0")
            await self.roll(key, updated=self._pods[key], ready=self._pods[key])
        api = KubeApi(self._cluster.configuration(), random.random)
        self._stack.push_async_callback(api.aclose)
        kinds = {key.kind for key in self._labels}
        adapter = KubeWorkloads(api, SystemClock(), chance=random.random, namespace=SHOP, kinds=kinds)
        self._stack.push_async_callback(adapter.aclose)
        await adapter.start()
        self.workloads = adapter

    async def change(self, key: WorkloadKey, runs: str) -> None:
        """Set another image."""
        path = "/spec/template/spec/containers/0/image"
        self._patch(key, [{"op": "replace", "path": path, "value": f"checkout:{runs}"}])

    async def roll(self, key: WorkloadKey, *, updated: int, ready: int, old: int = 0) -> None:
        """Write the status as the controller of the kind does."""
        seen = {"observedGeneration": self._found(key)["metadata"]["generation"]}
        if key.kind == "DaemonSet":
            pods = {"desiredNumberScheduled": updated + old, "currentNumberScheduled": updated + old}
            pods |= {"updatedNumberScheduled": updated, "numberReady": ready, "numberMisscheduled": 0}
        else:
            pods = {"replicas": updated + old, "updatedReplicas": updated, "readyReplicas": ready}
        self._patch(key, [{"op": "replace", "path": "/status", "value": seen | pods}], "/status")

    async def fail(self, key: WorkloadKey, why: str) -> None:
        """Write the condition of a Deployment that does not get on."""
        condition = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": why}
        status = {"observedGeneration": self._found(key)["metadata"]["generation"], "conditions": [condition]}
        self._patch(key, [{"op": "replace", "path": "/status", "value": status}], "/status")

    async def take_away(self, key: WorkloadKey) -> None:
        """Delete it."""
        status, answer = self._cluster.ask("DELETE", f"{path_of(key)}/{key.name}")
        assert status == HTTPStatus.OK, answer

    async def labels(self, key: WorkloadKey) -> Mapping[str, str]:
        """Read the labels of its template."""
        found: Mapping[str, str] = self._found(key)["spec"]["template"]["metadata"]["labels"]
        return found

    async def close(self) -> None:
        """End the watches and clean up."""
        await self._stack.aclose()

    def _found(self, key: WorkloadKey) -> Document:
        status, found = self._cluster.ask("GET", f"{path_of(key)}/{key.name}")
        assert status == HTTPStatus.OK, found
        return found

    def _patch(self, key: WorkloadKey, operations: list[Document], subresource: str = "") -> None:
        path, content = f"{path_of(key)}/{key.name}{subresource}", "application/json-patch+json"
        status, answer = self._cluster.ask("PATCH", path, operations, content=content)
        assert status == HTTPStatus.OK, answer


def path_of(key: WorkloadKey) -> str:
    """Return the collection that the workload is in."""
    return KINDS[key.kind].path(key.namespace)


def workload(key: WorkloadKey, labels: Mapping[str, str], pods: int, runs: str) -> dict[str, Any]:
    """Return a workload whose selector names `app` and `version`."""
    selected = {name: value for name, value in labels.items() if name in {"app", "version"}}
    template = {
        "metadata": {"labels": dict(labels)},
        "spec": {"containers": [{"name": "app", "image": f"checkout:{runs}"}]},
    }
    spec: dict[str, Any] = {"selector": {"matchLabels": selected}, "template": template}
    if key.kind != "DaemonSet":
        spec["replicas"] = pods
    if key.kind == "StatefulSet":
        spec["serviceName"] = key.name
    return {"apiVersion": "apps/v1", "kind": key.kind, "metadata": {"name": key.name}, "spec": spec}
