"""Two replicas of the service as processes of their own, and the Lease that says which of them acts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from rollout.kube.resources import LEASES
from tests.kubernetes.cluster import CONTROLLER
from tests.kubernetes.stage import Stage
from tests.serve.server import Server

LEASE = 3.0


@asynccontextmanager
async def two_replicas(stage: Stage, folder: Path) -> AsyncIterator[dict[str, Server]]:
    """Run replicas a and b, by the beginning of their identities."""
    replicas: dict[str, Server] = {}
    async with AsyncExitStack() as stack:
        for name in ("a", "b"):
            home = folder / name
            home.mkdir()
            server = Server(
                home,
                "--runtime=kubernetes",
                f"--kubeconfig={stage.cluster.kubeconfig(CONTROLLER)}",
                f"--watch-namespace={stage.namespace}",
                f"--lease-namespace={stage.namespace}",
                f"--identity={name}",
                f"--lease={LEASE:g}s",
                "--tick=1s",
                "--listen=off",
            )
            await server.serving()
            stack.push_async_callback(server.kill)
            replicas[name] = server
        yield replicas


async def holder(stage: Stage) -> str:
    """Return which replica holds the Lease."""
    found = await stage.api.get(LEASES, stage.namespace, f"rollout-controller.{stage.namespace}.0")
    return str(found["spec"].get("holderIdentity") or "").partition("-")[0]


async def taken_over(stage: Stage, before: str, *, seconds: float) -> float:
    """Wait until another holds the Lease; return how long that took."""
    began = time.monotonic()
    async with asyncio.timeout(seconds):
        while await holder(stage) in {before, ""}:
            await asyncio.sleep(0.05)
    return time.monotonic() - began
