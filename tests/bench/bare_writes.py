"""The bare time of the two writes that a step or a failover needs, as a measure for how much is put on top of them.

What is measured takes turns with these, through clients of the same kind, on the same API server: a ratio then says
the same on every machine.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Mapping, Sequence

from rollout.kube.resources import HTTP_ROUTES, ROLLOUTS
from tests.kubernetes.stage import Stage
from tests.kubernetes.stage import rollout as manifest

BARE = "bare"


def bare_route() -> dict[str, object]:
    """Return a route that belongs to nobody."""
    refs = [{"name": "a", "port": 80, "weight": 100}, {"name": "b", "port": 80, "weight": 0}]
    spec = {"parentRefs": [{"name": "no"}], "rules": [{"backendRefs": refs}]}
    head = {"apiVersion": HTTP_ROUTES.api_version, "kind": HTTP_ROUTES.kind}
    return {**head, "metadata": {"name": BARE}, "spec": spec}


async def make_bare(stage: Stage) -> None:
    """Make the objects that are written barely."""
    await stage.api.create(HTTP_ROUTES, bare_route(), namespace=stage.namespace)
    await stage.api.create(ROLLOUTS, manifest(BARE, suspend=True), namespace=stage.namespace)


async def write_barely(stage: Stage, times: list[float], run: int) -> None:
    """Write the status of one Rollout and the weights of one route, as large as those that are measured."""
    status = dict(await stage.status())
    status["message"] = f"written {run} times"
    weight = "/spec/rules/0/backendRefs/1/weight"
    began = time.perf_counter()
    await stage.api.patch(
        ROLLOUTS, stage.namespace, BARE, [{"op": "add", "path": "/status", "value": status}], subresource="status"
    )
    await stage.api.patch(HTTP_ROUTES, stage.namespace, BARE, [{"op": "replace", "path": weight, "value": run + 1}])
    times.append(time.perf_counter() - began)


def quantiles(times: Sequence[float]) -> tuple[float, float, float]:
    """Return p50, p95 and the maximum."""
    cut = statistics.quantiles(times, n=20)
    return cut[9], cut[18], max(times)


def as_ms(times: Sequence[float]) -> str:
    """Return seconds as milliseconds for people."""
    return ", ".join(f"{1000 * one:.1f}" for one in times)


def show(what: str, times: Mapping[str, Sequence[float]]) -> None:
    """Print what was measured, and as ratios to the bare writes."""
    bare = quantiles(times[BARE])
    sys.stdout.write(f"\n{what}, ms (p50, p95, max); bare writes {as_ms(bare)}\n")
    for name, measured in times.items():
        if name != BARE:
            mine = quantiles(measured)
            ratios = f"p50 {mine[0] / bare[0]:.2f}x, p95 {mine[1] / bare[1]:.2f}x of bare"
            sys.stdout.write(f"  {name}: {as_ms(mine)}; {ratios} ({len(measured)} runs)\n")
