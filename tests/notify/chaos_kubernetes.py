"""The telling under kills with Rollout custom resources on a real API server."""

import asyncio
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from rollout.kube.resources import EVENTS, ROLLOUTS
from rollout.ports import Key
from tests.kubernetes.cluster import CONTROLLER
from tests.kubernetes.stage import Stage, ref
from tests.notify.chaos import SECRETS, Bus, Plan, Verdict, all_told, id_of, judged, meanwhile, sinks_file
from tests.notify.leaks import leaks
from tests.notify.stands.server import standing
from tests.serve.server import Server

BACKENDS = {"stable": {"name": "web-v1", "port": 8080}, "canary": {"name": "web-v2", "port": 8080}}


async def on_kubernetes(stage: Stage, folder: Path, plan: Plan) -> tuple[Verdict, float]:
    """Run the plan; return what came of it, and how long the sink was told after the last transition."""
    await stage.pair("web")
    steps = [{"weight": weight, "hold": plan.hold} for weight in plan.weights]
    for name in plan.names:
        await stage.route(name, rules=[{"backendRefs": [ref("web-v1", 100), ref("web-v2", 0)]}])
        await stage.rollout(name, backends=BACKENDS, steps=steps)
    async with standing(Bus(plan.seed)) as bus:
        server = server_of(stage, folder, sinks_file(folder, bus))
        try:
            await server.serving(seconds=60)
            async with stage.gateway():
                await _until_all(stage, plan, "reason", "Baseline")
                async with meanwhile(server, plan, bus):
                    for name in plan.names:
                        await stage.edit(name, revision="2")
                rollouts = await _until_all(stage, plan, "stable", "web-v2")
            made = {found["metadata"]["name"]: _ids(found) for found in rollouts}
            took = await all_told(bus, {name: max(ids) for name, ids in made.items()}, seconds=plan.settle_seconds)
        finally:
            await server.kill()
        events = await stage.api.list_page(EVENTS, namespace=stage.namespace)
        said = {**bus.said, "statuses": json.dumps(rollouts).encode(), "events": json.dumps(events).encode()}
        return replace(judged(bus.told, made), leaks=leaks(folder, SECRETS, said)), took


def server_of(stage: Stage, folder: Path, sinks: Path) -> Server:
    """Return a service for the stage's namespace, not started."""
    return Server(
        folder,
        "--runtime=kubernetes",
        f"--kubeconfig={stage.cluster.kubeconfig(CONTROLLER)}",
        f"--watch-namespace={stage.namespace}",
        f"--lease-namespace={stage.namespace}",
        "--lease=3s",
        "--tick=1s",
        "--listen=off",
        f"--sinks={sinks}",
    )


async def _until_all(stage: Stage, plan: Plan, field: str, ending: str) -> list[dict[str, Any]]:
    """Return the Rollouts as soon as the statuses of all end so in this field, with nothing under way."""
    deadline = time.monotonic() + plan.settle_seconds
    while time.monotonic() < deadline:
        found = (await stage.api.list_page(ROLLOUTS, namespace=stage.namespace))["items"]
        states = [one.get("status") or {} for one in found]
        if all(one.get("phase") == "Idle" and str(one.get(field)).endswith(ending) for one in states):
            return list(found)
        await asyncio.sleep(1.0)
    raise AssertionError(f"not all Rollouts came to {field} {ending} within {plan.settle_seconds:g} s")


def _ids(found: dict[str, Any]) -> dict[int, str]:
    """Return the ids of a Rollout's transitions by number; of those that the status has no more it is not known."""
    metadata, transitions = found["metadata"], found["status"]["transitions"]
    key = Key(metadata["namespace"], metadata["name"])
    kept = {one["number"]: id_of(key, metadata["uid"], one) for one in transitions}
    return {number: kept.get(number, "") for number in range(1, max(kept) + 1)}
