"""Deployments behind the backends of a stage; the stage is their controller, too, since nothing runs here."""

from __future__ import annotations

import asyncio
from typing import Any

from rollout.engine.observation import WorkloadKey
from rollout.kube.resources import DEPLOYMENTS
from tests.kubernetes.seeing.worlds import workload
from tests.kubernetes.stage import Stage
from tests.waiting import patient

IMAGE = "/spec/template/spec/containers/0/image"
NAMED: dict[str, Any] = {
    role: {"kind": "Deployment", "name": f"checkout-{version}"}
    for role, version in (("stable", "v1"), ("canary", "v2"))
}
"""``spec.workloads`` of the Rollout ``checkout``."""


class Deployments:
    """The Deployments ``checkout-v1`` and ``checkout-v2``."""

    def __init__(self, stage: Stage) -> None:
        """Begin without any."""
        self._stage = stage

    async def make(self, *, canary: int = 2) -> None:
        """Make both, two pods of image ``one`` each (or so many of the canary), all of them there."""
        for name, pods in (("checkout-v1", 2), ("checkout-v2", canary)):
            key = WorkloadKey("Deployment", self._stage.namespace, name)
            document = workload(key, {"app": "checkout", "version": name}, pods, "one")
            await self._stage.api.create(DEPLOYMENTS, document, namespace=self._stage.namespace)
            await self.rolled(name)

    async def find(self, name: str) -> dict[str, Any]:
        """Return a Deployment as the API server has it."""
        return dict(await self._stage.api.get(DEPLOYMENTS, self._stage.namespace, name))

    async def image(self, name: str) -> str:
        """Return which image the Deployment's pod template names."""
        image: str = (await self.find(name))["spec"]["template"]["spec"]["containers"][0]["image"]
        return image.removeprefix("checkout:")

    async def replicas(self, name: str) -> int:
        """Return how many pods are wanted."""
        return int((await self.find(name))["spec"]["replicas"])

    async def release(self, image: str, name: str = "checkout-v2") -> None:
        """Set another image, and let its pods come at once."""
        operation = {"op": "replace", "path": IMAGE, "value": f"checkout:{image}"}
        await self._stage.api.patch(DEPLOYMENTS, self._stage.namespace, name, [operation])
        await self.rolled(name)

    async def rolled(self, name: str, *, ready: int | None = None, given_up: str = "") -> None:
        """Write what its controller says once all pods are new, and ready (or so many of them); or that it gave up."""
        found = await self.find(name)
        pods = found["spec"]["replicas"]
        told = {"observedGeneration": found["metadata"]["generation"], "replicas": pods, "updatedReplicas": pods}
        condition = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
        conditions = [{**condition, "message": given_up}] if given_up else []
        value = {**told, "readyReplicas": pods if ready is None else ready, "conditions": conditions}
        operation = {"op": "add", "path": "/status", "value": value}
        await self._stage.api.patch(DEPLOYMENTS, self._stage.namespace, name, [operation], subresource="status")

    async def runs(self, name: str, image: str, *, seconds: float = 15.0) -> None:
        """Return as soon as the Deployment's pod template names this image."""
        async with asyncio.timeout(patient(seconds)):
            while await self.image(name) != image:
                await asyncio.sleep(0.02)

    async def has(self, name: str, replicas: int, *, seconds: float = 20.0) -> None:
        """Return as soon as so many pods of the Deployment are wanted."""
        async with asyncio.timeout(patient(seconds)):
            while await self.replicas(name) != replicas:
                await asyncio.sleep(0.02)
