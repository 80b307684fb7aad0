"""A route on a real API server, the table that reads it, and the hands of a gateway and of somebody else on it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

from rollout.clock import SystemClock
from rollout.engine.observation import Acceptance, BackendKey, RouteKey, RouteView, RuleWeights
from rollout.kube.api import KubeApi
from rollout.kube.resources import GRPC_ROUTES, HTTP_ROUTES, Resource
from rollout.kube.routecache import WATCHING
from rollout.kube.routes import KubeRouteTable
from rollout.ports import Key, RouteTable
from tests.kubernetes.cluster import Cluster
from tests.waiting import until

KINDS: Mapping[str, Resource] = {"HTTPRoute": HTTP_ROUTES, "GRPCRoute": GRPC_ROUTES}
OWNER = Key("shop", "checkout")
PARENT = {"name": "front"}
SOMEBODY = "kubectl-edit"
JSON_PATCH, MERGE_PATCH = "application/json-patch+json", "application/merge-patch+json"


def refs(weights: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return ``backendRefs`` to Services."""
    return [{"name": name, "port": 8080, "weight": weight} for name, weight in weights.items()]


def document(key: RouteKey, rules: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a route with these rules."""
    return {
        "apiVersion": KINDS[key.kind].api_version,
        "kind": key.kind,
        "metadata": {"namespace": key.namespace, "name": key.name},
        "spec": {"parentRefs": [PARENT], "rules": list(rules)},
    }


def path_of(key: RouteKey, *, subresource: str = "") -> str:
    """Return where the API server keeps the route."""
    return KINDS[key.kind].path(key.namespace, key.name, subresource)


def make(cluster: Cluster, key: RouteKey, rules: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Let somebody make the route, or change it to this."""
    return cluster.apply(KINDS[key.kind].path(key.namespace), document(key, rules))


def get(cluster: Cluster, key: RouteKey) -> dict[str, Any]:
    """Return the route as the API server has it."""
    status, answer = cluster.ask("GET", path_of(key))
    assert status == 200, answer
    return answer


def change(cluster: Cluster, key: RouteKey, body: object, *, content: str = MERGE_PATCH) -> dict[str, Any]:
    """Let somebody patch the route."""
    status, answer = cluster.ask("PATCH", f"{path_of(key)}?fieldManager={SOMEBODY}", body, content=content)
    assert status == 200, answer
    return answer


def accept(cluster: Cluster, key: RouteKey, status: str = "True") -> None:
    """Let the gateway say that it serves the route as it stands, or does not."""
    conditions = [
        {
            "type": kind,
            "status": status,
            "reason": "Told",
            "message": "as the test says",
            "observedGeneration": get(cluster, key)["metadata"]["generation"],
            "lastTransitionTime": "2026-11-21T10:00:00Z",
        }
        for kind in ("Accepted", "ResolvedRefs")
    ]
    told = {"parentRef": PARENT, "controllerName": "example.com/gateway", "conditions": conditions}
    body = {"status": {"parents": [told]}}
    code, answer = cluster.ask("PATCH", path_of(key, subresource="status"), body, content=MERGE_PATCH)
    assert code == 200, answer


async def open_table(
    stack: AsyncExitStack, api: KubeApi, *keys: RouteKey, namespace: str = "", start: bool = True
) -> KubeRouteTable:
    """Open a table whose Rollout OWNER refers to ``keys``; the stack ends it."""
    table = KubeRouteTable(api, SystemClock(), chance=random.random, namespace=namespace, options=WATCHING)
    stack.push_async_callback(table.aclose)
    table.refer(OWNER, keys)
    if start:
        await table.start()
    return table


def to_write(view: RouteView, *, index: int = 0, **wanted: int) -> list[RuleWeights]:
    """Return a write of these weights into a rule of the route."""
    rule = view.rules[index]
    return [
        RuleWeights(index, rule.name, {BackendKey(view.key.namespace, name): weight for name, weight in wanted.items()})
    ]


def weights_of(view: RouteView | None, *, index: int = 0) -> dict[str, int]:
    """Return the weights of a rule by the names of its backends."""
    assert view is not None
    return {ref.backend.name: ref.weight for ref in view.rules[index].refs}


class KubernetesRoutes:
    """A world of the contract of ``RouteTable``: one route in the namespace of the test."""

    table: RouteTable

    def __init__(self, cluster: Cluster, namespace: str, kind: str) -> None:
        self.key = RouteKey(kind, namespace, "checkout")
        self._cluster = cluster
        self._stack = AsyncExitStack()

    async def start(self, weights: Mapping[str, int]) -> None:
        """Make the route, and a gateway's word on it."""
        make(self._cluster, self.key, [{"name": "rule-0", "backendRefs": refs(weights)}])
        accept(self._cluster, self.key)
        api = KubeApi(self._cluster.configuration(), random.random)
        self._stack.push_async_callback(api.aclose)
        self.table = await open_table(self._stack, api, self.key, namespace=self.key.namespace)

    async def change(self, weights: Mapping[str, int]) -> None:
        """Patch the rules."""
        rules = [{"name": "rule-0", "backendRefs": refs(weights)}]
        await asyncio.to_thread(change, self._cluster, self.key, {"spec": {"rules": rules}})

    async def settle(self) -> None:
        """Let the gateway take in the route as it stands."""
        await asyncio.to_thread(accept, self._cluster, self.key)
        await until(lambda: is_accepted(self.table.read(self.key)))

    async def take_away(self) -> None:
        """Delete the route."""
        await asyncio.to_thread(self._cluster.ask, "DELETE", path_of(self.key))

    async def close(self) -> None:
        """End the table; the namespace stays."""
        await self._stack.aclose()


def is_accepted(view: RouteView | None) -> bool:
    """Return whether the gateway serves the route."""
    return view is not None and view.acceptance is Acceptance.ACCEPTED
