"""A stage in one namespace of a real cluster: Services with endpoints, routes, a gateway's part in them, Rollouts.

There is no gateway and no kubelet here, so what they would write (route status, EndpointSlices) is written by the
stage, as an administrator and by a door of its own; the controller under test has another.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from http import HTTPStatus
from typing import Any

from rollout.bootstrap.kubernetes import kubernetes_runtime
from rollout.bootstrap.running import Runtime
from rollout.errors import NotOursError, RolloutError
from rollout.kube.api import KubeApi
from rollout.kube.resources import (
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    GRPC_ROUTES,
    HTTP_ROUTES,
    POLICIES,
    ROLLOUTS,
    SERVICES,
    Document,
    Resource,
    version_of,
)
from rollout.ports import Key, Measurements
from rollout.settings.table import RuntimeName, ServeSettings
from tests.kubernetes.cluster import CONTROLLER, Cluster
from tests.kubernetes.traffic import Traffic
from tests.waiting import patient

KINDS = {"HTTPRoute": HTTP_ROUTES, "GRPCRoute": GRPC_ROUTES}
GATEWAY = {"name": "edge"}
COMMAND = "rollout.dev/command"
PERSON = "person"
"""The field manager of what people do, so that it is told from what the controller does."""

_addresses = itertools.count(1)


class Stage:
    """What stands in one namespace; every method is done when the API server has answered."""

    def __init__(self, cluster: Cluster, api: KubeApi, namespace: str) -> None:
        """Play in ``namespace``; ``accepting`` is what the gateway writes into a route's status."""
        self.cluster = cluster
        self.api = api
        self.namespace = namespace
        self.accepting: Callable[[Document], list[dict[str, Any]] | None] = accepted
        self._ids = itertools.count(1)

    # what there is

    async def service(self, name: str, *, ready: int = 1, total: int | None = None, port: int = 8080) -> None:
        """Make a Service and its endpoints."""
        spec = {"clusterIP": "None", "ports": [{"name": "web", "port": port}]}  # there are few addresses for all tests
        service = {"metadata": {"name": name}, "spec": spec}
        await self.api.create(SERVICES, service, namespace=self.namespace)
        await self.api.create(ENDPOINT_SLICES, self._slice(name, ready, total or ready, port), namespace=self.namespace)

    async def endpoints(self, name: str, *, ready: int, total: int = 1, port: int = 8080) -> None:
        """Let so many endpoints of the Service be ready."""
        now = await self.api.get(ENDPOINT_SLICES, self.namespace, f"{name}-1")
        fresh = self._slice(name, ready, total, port)
        fresh["metadata"]["resourceVersion"] = version_of(now)
        await self.api.replace(ENDPOINT_SLICES, self.namespace, f"{name}-1", fresh)

    def _slice(self, name: str, ready: int, total: int, port: int) -> dict[str, Any]:
        return {
            "metadata": {"name": f"{name}-1", "labels": {"kubernetes.io/service-name": name}},
            "addressType": "IPv4",
            "ports": [{"name": "web", "port": port}],
            "endpoints": [
                {
                    "addresses": [f"10.9.{next(_addresses) // 250 % 250}.{place + 1}"],
                    "conditions": {"ready": place < ready},
                }
                for place in range(total)
            ],
        }

    async def pair(self, name: str = "checkout", *, canary_ready: int = 1) -> None:
        """Make the Services of a stable and a canary backend."""
        await self.service(f"{name}-v1")
        await self.service(f"{name}-v2", ready=canary_ready, total=1)

    async def route(
        self, name: str = "checkout", *, kind: str = "HTTPRoute", rules: Sequence[Mapping[str, Any]] | None = None
    ) -> Document:
        """Let a person make a route; without rules one that sends everything to the stable backend."""
        backends = [ref(f"{name}-v1", 100), ref(f"{name}-v2", 0)]
        spec = {"parentRefs": [GATEWAY], "rules": list(rules) if rules is not None else [{"backendRefs": backends}]}
        document = {"apiVersion": KINDS[kind].api_version, "kind": kind, "metadata": {"name": name}, "spec": spec}
        path = f"{KINDS[kind].path(self.namespace)}?fieldManager={PERSON}"
        status, answer = self.cluster.ask("POST", path, document)
        assert status == HTTPStatus.CREATED, answer
        return answer

    def change(self, resource: Resource, name: str, body: object, *, subresource: str = "") -> Document:
        """Let a person merge ``body`` into an object."""
        path = f"{resource.path(self.namespace, name, subresource)}?fieldManager={PERSON}"
        status, answer = self.cluster.ask("PATCH", path, body, content="application/merge-patch+json")
        assert status == HTTPStatus.OK, answer
        return answer

    async def rollout(self, name: str = "checkout", **spec: object) -> Document:
        """Make a Rollout, without analysis unless ``spec`` has one."""
        document = rollout(name, **spec)
        return await self.api.create(ROLLOUTS, document, namespace=self.namespace)

    async def edit(self, name: str = "checkout", **spec: object) -> None:
        """Change fields of the Rollout's spec."""
        operations = [{"op": "add", "path": f"/spec/{field}", "value": value} for field, value in spec.items()]
        await self.api.patch(ROLLOUTS, self.namespace, name, operations)

    async def command(self, action: str, name: str = "checkout", *, id: str = "", **args: object) -> str:  # noqa: A002 - as in the annotation
        """Annotate the Rollout with a command, as kubectl does; return its id."""
        number = id or f"{name}-{next(self._ids)}"
        told = json.dumps({"id": number, "action": action, "args": args})
        await self.annotate(name, COMMAND, told)
        return number

    async def annotate(self, name: str, key: str, value: str) -> None:
        """Annotate the Rollout."""
        await self.cluster.kubectl(
            "annotate", "rollouts.rollout.dev", name, "-n", self.namespace, "--overwrite", f"{key}={value}"
        )

    async def policy(self, name: str = "counted", **spec: object) -> None:
        """Make a RolloutPolicy that says where counters are, and judges errors without a warm-up."""
        analysis = {"warmUp": "0s", "minRequests": 5, "checks": [{"name": "errors", "kind": "Errors"}]}
        metrics = {
            "backendLabels": {"service": "{{ backend.name }}"},
            "errors": {"total": "requests", "bad": ["failures"]},
        }
        given = {"analysis": analysis, "metrics": metrics, **spec}
        await self.api.create(POLICIES, {**_policy(name), "spec": given}, namespace=self.namespace)

    async def delete(self, resource: Resource, name: str = "checkout") -> None:
        """Delete an object."""
        await self.api.delete(resource, self.namespace, name)

    async def annotate_route(self, name: str) -> None:
        """Touch the route, so that its gateway looks at it again."""
        await self.cluster.kubectl("annotate", "httproutes", name, "-n", self.namespace, "--overwrite", "looked=again")

    async def gone(self, resource: Resource, name: str = "checkout", *, seconds: float = 15.0) -> None:
        """Return as soon as the object is gone."""
        async with asyncio.timeout(patient(seconds)):
            with suppress(NotOursError):
                while True:
                    await self.api.get(resource, self.namespace, name)
                    await asyncio.sleep(0.02)

    @asynccontextmanager
    async def recorded(
        self, name: str = "checkout", *, kind: str = "HTTPRoute"
    ) -> AsyncIterator[list[tuple[int, ...]]]:
        """Watch the route meanwhile, and give every change of the weights of its first rule in order."""
        seen = [await self.weights(name, kind=kind)]
        since = version_of(await self.api.get(KINDS[kind], self.namespace, name))
        watching = asyncio.create_task(self._record(name, kind, since, seen))
        try:
            yield seen
            async with asyncio.timeout(5):  # the watch has shown the last change, too
                while seen[-1] != await self.weights(name, kind=kind):
                    await asyncio.sleep(0.01)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def _record(self, name: str, kind: str, since: str, seen: list[tuple[int, ...]]) -> None:
        events = self.api.watch(KINDS[kind], namespace=self.namespace, since=since, seconds=300)
        async with aclosing(events):
            async for told, document in events:
                if told in {"ADDED", "MODIFIED"} and document["metadata"]["name"] == name:
                    weights = tuple(entry.get("weight", 1) for entry in document["spec"]["rules"][0]["backendRefs"])
                    if weights != seen[-1]:
                        seen.append(weights)

    # what is seen

    async def weights(self, name: str = "checkout", *, kind: str = "HTTPRoute", rule: int = 0) -> tuple[int, ...]:
        """Return the weights of a rule as the API server has them."""
        found = await self.api.get(KINDS[kind], self.namespace, name)
        return tuple(ref.get("weight", 1) for ref in found["spec"]["rules"][rule]["backendRefs"])

    async def status(self, name: str = "checkout") -> Mapping[str, Any]:
        """Return the Rollout's status as the API server has it."""
        found = await self.api.get(ROLLOUTS, self.namespace, name)
        status: Mapping[str, Any] = found.get("status") or {}
        return status

    async def until(
        self, condition: Callable[[Mapping[str, Any]], object], name: str = "checkout", *, seconds: float = 15.0
    ) -> Mapping[str, Any]:
        """Return the Rollout's status as soon as ``condition`` holds of it."""
        status: Mapping[str, Any] = {}
        try:
            async with asyncio.timeout(patient(seconds)):
                while True:
                    status = await self.status(name)
                    if status and condition(status):
                        return status
                    await asyncio.sleep(0.02)
        except TimeoutError:
            told = {field: status.get(field) for field in ("phase", "step", "reason", "message", "weights")}
            raise AssertionError(f"did not come about within {seconds:g} s; the status says {told}") from None

    async def phase(
        self, phase: str, name: str = "checkout", *, reason: str = "", step: int | None = None
    ) -> Mapping[str, Any]:
        """Return the status as soon as the Rollout is in this phase (for this reason, at this step)."""

        def is_there(status: Mapping[str, Any]) -> bool:
            right_reason = not reason or status["reason"] == reason
            return status["phase"] == phase and right_reason and step in {None, status["step"]}

        return await self.until(is_there, name)

    async def holds(self, runtime: Runtime, step: int, name: str = "checkout", *, seconds: float = 15.0) -> None:
        """Return as soon as the hold time of the step runs: its weights are written, and the gateway has them."""
        key = Key(self.namespace, name)
        async with asyncio.timeout(patient(seconds)):
            while (now := runtime.controller.state(key)) is None or now.step != step or now.hold.since is None:
                await asyncio.sleep(0.005)

    async def weighs(
        self, *wanted: int, name: str = "checkout", kind: str = "HTTPRoute", seconds: float = 15.0
    ) -> None:
        """Return as soon as the route has these weights."""
        found: tuple[int, ...] = ()
        try:
            async with asyncio.timeout(patient(seconds)):
                while (found := await self.weights(name, kind=kind)) != wanted:
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"the weights of {name} are {found}, wanted {wanted}") from None

    def reasons(self, status: Mapping[str, Any]) -> list[str]:
        """Return the reasons of the transitions, oldest first."""
        return [made["reason"] for made in status["transitions"]]

    # who plays

    @asynccontextmanager
    async def controller(
        self, source: Measurements | None = None, *, with_gateway: bool = True, **settings: object
    ) -> AsyncIterator[Runtime]:
        """Run the service on this namespace, as ``rollout serve`` does, with a gateway beside it."""
        async with AsyncExitStack() as stack:
            if with_gateway:
                await stack.enter_async_context(self.gateway())
            yield await stack.enter_async_context(kubernetes_runtime(self.settings(**settings), source or Traffic()))

    @asynccontextmanager
    async def gateway(self) -> AsyncIterator[None]:
        """Accept every route as it stands, as a gateway does."""
        playing = asyncio.create_task(self._gateway())
        try:
            yield
        finally:
            playing.cancel()
            await asyncio.gather(playing, return_exceptions=True)

    def settings(self, **others: object) -> ServeSettings:
        """Return the settings of a service that runs this namespace."""
        given: dict[str, object] = {
            "runtime": RuntimeName.KUBERNETES,
            "kubeconfig": self.cluster.kubeconfig(CONTROLLER),
            "watch_namespace": self.namespace,
            "lease_namespace": self.namespace,
            "tick_seconds": 0.2,
            "listen": "off",
        }
        return ServeSettings.model_validate({**given, **others})

    async def _gateway(self) -> None:
        await asyncio.gather(*(self._accept_all(kind) for kind in KINDS.values()))

    async def _accept_all(self, kind: Resource) -> None:
        while True:
            with suppress(RolloutError):
                listed = await self.api.list_page(kind, namespace=self.namespace)
                for item in listed.get("items") or ():
                    await self._accept(kind, item)
                events = self.api.watch(kind, namespace=self.namespace, since=version_of(listed), seconds=60)
                async with aclosing(events):
                    async for told, document in events:
                        if told in {"ADDED", "MODIFIED"}:
                            await self._accept(kind, document)
            await asyncio.sleep(0.05)

    async def _accept(self, kind: Resource, document: Document) -> None:
        parents = self.accepting(document)
        if parents is None or (document.get("status") or {}).get("parents") == parents:
            return
        with suppress(RolloutError):
            operation = {"op": "add", "path": "/status", "value": {"parents": parents}}
            await self.api.patch(kind, self.namespace, document["metadata"]["name"], [operation], subresource="status")


def _policy(name: str) -> dict[str, Any]:
    return {"apiVersion": POLICIES.api_version, "kind": POLICIES.kind, "metadata": {"name": name}}


def ref(name: str, weight: int, **others: object) -> dict[str, Any]:
    """Return a backendRef to a Service."""
    return {"name": name, "port": 8080, "weight": weight, **others}


def rollout(name: str = "checkout", **spec: object) -> dict[str, Any]:
    """Return the manifest of a Rollout of ``NAME-v1`` and ``NAME-v2``; None takes a field away."""
    given: dict[str, object] = {
        "routes": [{"kind": "HTTPRoute", "name": name}],
        "backends": {"stable": {"name": f"{name}-v1", "port": 8080}, "canary": {"name": f"{name}-v2", "port": 8080}},
        "revision": "1",
        "steps": [{"weight": 20, "hold": "1s"}, {"weight": 50, "hold": "1s"}],
        "analysis": {"checks": []},
        "gateway": {"minWriteInterval": "0s"},
    }
    return {
        "apiVersion": ROLLOUTS.api_version,
        "kind": "Rollout",
        "metadata": {"name": name},
        "spec": {field: value for field, value in {**given, **spec}.items() if value is not None},
    }


def conditions(generation: int, *, accepted: str = "True", resolved: str = "True") -> list[dict[str, Any]]:
    """Return a parent's conditions."""
    at = "2026-01-01T00:00:00Z"
    return [
        {
            "type": kind,
            "status": status,
            "reason": kind,
            "message": "",
            "observedGeneration": generation,
            "lastTransitionTime": at,
        }
        for kind, status in (("Accepted", accepted), ("ResolvedRefs", resolved))
    ]


def accepted(document: Document) -> list[dict[str, Any]]:
    """Return the parents of a route that the gateway serves as it stands."""
    told = conditions(document["metadata"]["generation"])
    return [{"parentRef": GATEWAY, "controllerName": "example.net/gateway", "conditions": told}]


@asynccontextmanager
async def open_stage(cluster: Cluster, namespace: str) -> AsyncIterator[Stage]:
    """Open a stage with a door of its own."""
    api = KubeApi(cluster.configuration(), random.random)
    try:
        yield Stage(cluster, api, namespace)
    finally:
        await api.aclose()


__all__ = ["DEPLOYMENTS", "Stage", "accepted", "conditions", "open_stage", "ref", "rollout"]
