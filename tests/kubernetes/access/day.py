"""A day of the service in a cluster, in half a minute: everything that it does there, done once, as its own account.

Whoever plays it looks at the audit log afterwards. What a kubelet and the controllers of workloads would write is
written by an administrator; so are changes at the wrong moment, which make the service read something once more.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp

from rollout.engine.observation import WorkloadKey
from rollout.errors import ConflictError
from rollout.kube.resources import LEASES, ROLLOUTS
from rollout.kube.workloads import KINDS
from tests.kubernetes.access.rules import Use, made
from tests.kubernetes.cluster import CONTROLLER, Cluster
from tests.kubernetes.seeing.worlds import path_of, workload
from tests.kubernetes.stage import Stage
from tests.waiting import patient

SYSTEM = "rollout-system"
ACCOUNT = "rollout-controller"
USER = f"system:serviceaccount:{SYSTEM}:{ACCOUNT}"
DAY = "24h"
BOTH = ("HTTPRoute", "GRPCRoute")
LATE = "late"
"""Routes of both kinds that exist from the beginning, and a Rollout that refers to them when all else is over."""


class Day:
    """The service as its account on a stage; ``tokens`` are those of people, by what they are."""

    def __init__(self, stage: Stage, folder: Path, tokens: dict[str, str]) -> None:
        """Keep what is needed in ``folder``."""
        self.stage = stage
        self.cluster: Cluster = stage.cluster
        self.folder = folder
        self.tokens = tokens
        self.url = ""

    # who plays

    @asynccontextmanager
    async def service(self) -> AsyncIterator[None]:
        """Run the service for all namespaces, with the rights that its account has and no more."""
        settings: dict[str, Any] = {
            "kubeconfig": self._kubeconfig(),
            "watch_namespace": None,
            "lease_namespace": SYSTEM,
            "lease_seconds": 3.0,
            "shards": 2,
            "listen": "127.0.0.1:0",
        }
        async with self.stage.controller(**settings) as runtime, self._busy(self._run_workloads):
            self.url = runtime.url
            yield

    def _kubeconfig(self) -> Path:
        token = token_of(self.cluster, SYSTEM, ACCOUNT)
        path = self.folder / "kubeconfig"
        known = json.loads(self.cluster.kubeconfig(CONTROLLER).read_text(encoding="utf-8"))
        known["users"][0]["user"]["token"] = token
        path.write_text(json.dumps(known), encoding="utf-8")
        return path

    async def ask(self, who: str, method: str, path: str, body: object = None) -> int:
        """Ask the API of the service as somebody; return the status of the answer."""
        headers = {"Authorization": f"Bearer {self.tokens[who]}"}
        timeout = aiohttp.ClientTimeout(total=10)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.request(method, f"{self.url}/api/v1{path}", json=body, headers=headers) as answer,
        ):
            await answer.read()
            return answer.status

    async def command(self, name: str, action: str) -> int:
        """Give a command by the API, as an operator."""
        return await self.ask(
            "operator", "POST", f"/rollouts/{self.stage.namespace}/{name}/commands", {"action": action}
        )

    # what happens

    async def promotion(self) -> None:
        """Promote one with routes of both kinds, made after the service began."""
        stage = self.stage
        await stage.pair()
        for kind in BOTH:
            await stage.route(kind=kind)
            await stage.route(LATE, kind=kind)
        await stage.rollout(routes=routes_of("checkout"), steps=[{"weight": 50, "hold": "300ms"}])
        await stage.phase("Idle")
        await stage.edit(revision="2")
        await stage.phase("Idle", reason="Promoted")
        await stage.weighs(0, 100)
        await stage.weighs(0, 100, kind="GRPCRoute")

    async def late_reference(self) -> None:
        """Refer to routes of which the watches told long ago, when nobody needed them."""
        await self.stage.pair(LATE)
        await self.stage.rollout(LATE, routes=routes_of(LATE), steps=[{"weight": 50}])
        for kind in BOTH:
            await self.did("get", f"gateway.networking.k8s.io/{kind.lower()}s")

    async def abort_and_deletion(self) -> None:
        """Abort an attempt by the API, begin again, and delete the Rollout in the middle."""
        stage = self.stage
        await stage.pair("cart")
        await stage.route("cart")
        await stage.rollout("cart", steps=[{"weight": 20, "hold": DAY}])
        await stage.phase("Idle", "cart")
        await stage.edit("cart", revision="2")
        await stage.weighs(80, 20, name="cart")
        assert await self.command("cart", "abort") == HTTPStatus.OK
        await stage.phase("Aborted", "cart")
        await stage.weighs(100, 0, name="cart")
        await stage.command("retry", "cart")
        await stage.weighs(80, 20, name="cart")
        await stage.delete(ROLLOUTS, "cart")
        await stage.gone(ROLLOUTS, "cart")
        await stage.weighs(100, 0, name="cart")

    async def copies(self) -> None:
        """Give stable the canary's pod template, for every kind of workload; scale what can be scaled up before."""
        await asyncio.gather(*(self._copy(kind) for kind in KINDS))

    async def _copy(self, kind: str) -> None:
        stage, name = self.stage, f"with-{kind.lower()}"
        scales = kind != "DaemonSet"
        keys = [WorkloadKey(kind, stage.namespace, f"{name}-{version}") for version in ("v1", "v2")]
        for key in keys:
            is_canary = key is keys[1]
            labels = {"app": name, "version": key.name}
            self.cluster.apply(path_of(key), workload(key, labels, 0 if is_canary else 2, key.name))
        stable, canary = ({"kind": kind, "name": key.name} for key in keys)
        await stage.pair(name)
        await stage.route(name)
        await stage.rollout(
            name,
            steps=[{"weight": 50, "hold": "300ms"}],
            promotion={"mode": "CopyTemplate"},
            workloads={"stable": stable, "canary": {**canary, "scaleUp": scales}},
        )
        await stage.phase("Idle", name)
        await stage.edit(name, revision="2")
        await until(lambda: self._image(keys[0]) == self._image(keys[1]), f"{kind} copied", seconds=40)

    def _image(self, key: WorkloadKey) -> str:
        _, found = self.cluster.ask("GET", f"{path_of(key)}/{key.name}")
        image: str = found["spec"]["template"]["spec"]["containers"][0]["image"]
        return image

    async def switch(self) -> None:
        """Stop all failover by the API, which makes the ConfigMap, and let it be, which changes it."""
        for stopped in (True, False):
            answered = await self.ask("admin", "PUT", "/failover", {"stopped": stopped, "reason": "a drill"})
            assert answered == HTTPStatus.OK

    async def refusals(self) -> None:
        """Refuse the same command until it is an event that happened again: what comes in one moment is one event."""
        await self.did("patch", "events.k8s.io/events", self._refused)

    async def _refused(self) -> None:
        number = await self.stage.command("approve")
        await self.stage.until(partial(_has_handled, number))

    async def conflicts(self) -> None:
        """Let somebody else write first: a Rollout, and a Lease."""
        async with self._busy(self._touch):
            await self.did("get", "rollout.dev/rollouts", lambda: self.command("checkout", "approve"))
            await self.did("get", "coordination.k8s.io/leases")

    async def _touch(self) -> None:
        """Change the Rollout and the Leases without a pause, in what is nobody's business."""
        for number in range(10_000):
            value = [{"op": "add", "path": "/metadata/labels", "value": {"touched": str(number)}}]
            await self.stage.api.patch(ROLLOUTS, self.stage.namespace, "checkout", value)
            for shard in range(2):
                await self.stage.api.patch(LEASES, SYSTEM, f"rollout-controller-{shard}", value)
            await asyncio.sleep(0.02)

    async def _run_workloads(self) -> None:
        """Write the status of every workload as its controller does."""
        while True:
            for resource in KINDS.values():
                listed = await self.stage.api.list_page(resource, namespace=self.stage.namespace)
                for found in listed["items"]:
                    await self._settle(resource.kind, found)
            await asyncio.sleep(0.1)

    async def _settle(self, kind: str, found: dict[str, Any]) -> None:
        generation, status = found["metadata"]["generation"], found.get("status") or {}
        if status.get("observedGeneration") == generation:
            return
        count = found["spec"].get("replicas", 2)
        pods = {"replicas": count, "updatedReplicas": count, "readyReplicas": count}
        if kind == "DaemonSet":
            counts = ("desiredNumberScheduled", "currentNumberScheduled", "updatedNumberScheduled", "numberReady")
            pods = {**dict.fromkeys(counts, 2), "numberMisscheduled": 0}
        operation = {"op": "add", "path": "/status", "value": {"observedGeneration": generation, **pods}}
        with suppress(ConflictError):
            name = found["metadata"]["name"]
            await self.stage.api.patch(KINDS[kind], self.stage.namespace, name, [operation], subresource="status")

    # what is seen

    async def did(self, verb: str, resource: str, act: Callable[[], Any] | None = None) -> None:
        """Return when the audit log says that the service did this; ``act`` is done again and again until then."""
        wanted = Use(resource, verb)
        async with asyncio.timeout(20):
            while wanted not in made(self.cluster.audited(USER), set()):
                if act is not None:
                    await act()
                await asyncio.sleep(0.1)

    @asynccontextmanager
    async def _busy(self, play: Callable[[], Any]) -> AsyncIterator[None]:
        playing = asyncio.create_task(play())
        try:
            yield
        finally:
            playing.cancel()
            await asyncio.gather(playing, return_exceptions=True)


def routes_of(name: str) -> list[dict[str, str]]:
    """Return references to the routes of both kinds of this name."""
    return [{"kind": kind, "name": name} for kind in BOTH]


def _has_handled(number: str, status: Mapping[str, Any]) -> bool:
    return number in [handled["id"] for handled in status.get("handledCommands") or ()]


def token_of(cluster: Cluster, namespace: str, account: str) -> str:
    """Return a token that the API server makes for the account."""
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
    status, answer = cluster.ask("POST", path, {"spec": {}})
    assert status == HTTPStatus.CREATED, answer
    token: str = answer["status"]["token"]
    return token


async def until(fact: Callable[[], object], what: str, *, seconds: float) -> None:
    """Return as soon as it is so."""
    try:
        async with asyncio.timeout(patient(seconds)):
            while not fact():
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"{what}: not within {seconds:g} s") from None
