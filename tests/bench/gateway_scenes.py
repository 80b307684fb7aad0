"""A lab of Envoy Gateway for the bench, with the controller, and how its figures are shown."""

from __future__ import annotations

import itertools
import random
import subprocess
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import datetime
from statistics import median, quantiles

from rollout.kube.api import KubeApi
from tests.gateway.controller import Controller
from tests.gateway.crew import Crew
from tests.gateway.lab import Lab
from tests.gateway.scene import Scene
from tests.kubernetes.access.day import USER
from tests.kubernetes.cluster import Cluster

_numbers = itertools.count(1)


class Bench:
    """The lab and who plays in it."""

    def __init__(self, lab: Lab, api: KubeApi, *, tick: str) -> None:
        """Start crew and controller."""
        self.lab = lab
        self.api = api
        self.crew = Crew(lab)
        self.controller = Controller(lab, tick=tick)
        self.controller.start()
        self.others: list[subprocess.Popen[bytes]] = []

    def scene(self, edge: str) -> Scene:
        """Open a scene at one of the Gateways."""
        name = f"bench-{next(_numbers)}"
        self.lab.cluster.make_namespace(name)
        return Scene(self.crew, self.api, name, edge)

    def end(self) -> None:
        """End who plays."""
        for process in self.others:
            process.kill()
            process.wait()
        self.controller.end()
        self.crew.end()


@asynccontextmanager
async def bench(*, scrape_seconds: int = 1, tick: str = "1s") -> AsyncIterator[Bench]:
    """Start a lab for a bench, and end it."""
    lab = Lab.begin(scrape_seconds)
    try:
        async with aclosing(KubeApi(lab.cluster.configuration(), random.random)) as api:
            playing = Bench(lab, api, tick=tick)
            try:
                yield playing
            finally:
                playing.end()
    finally:
        lab.end()


def patched(cluster: Cluster, user: str, namespace: str) -> list[float]:
    """Return when this user's patches of routes in a namespace came to the API server, in monotonic seconds."""
    offset = time.time() - time.monotonic()
    found = []
    for event in cluster.audited(user):
        reference = event.get("objectRef") or {}
        is_route = reference.get("resource") in {"httproutes", "grpcroutes"}
        if event["verb"] == "patch" and is_route and reference["namespace"] == namespace:
            found.append(datetime.fromisoformat(event["requestReceivedTimestamp"]).timestamp() - offset)
    return sorted(found)


def by_controller(cluster: Cluster, namespace: str) -> list[float]:
    """Return when the controller's patches of routes came."""
    return patched(cluster, USER, namespace)


def told(name: str, seconds: Sequence[float]) -> str:
    """Return median, 95th percentile and maximum in milliseconds."""
    rank = quantiles(seconds, n=20, method="inclusive")[18] if len(seconds) > 1 else seconds[0]
    figures = (median(seconds), rank, max(seconds))
    return f"{name}: " + " / ".join(f"{1000 * one:.0f}" for one in figures) + f" ms (p50, p95, max of {len(seconds)})"
