"""A primary behind Envoy Gateway that is killed again and again, with the controller or with a bare loop in charge."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from tests.bench.gateway_scenes import Bench
from tests.gateway.failovers import BACKENDS, ENDPOINTS
from tests.gateway.objects import SHARED
from tests.gateway.scene import Scene, refs

RATE = 500
PAUSE_SECONDS = 1.6
"""Envoy merges changes of weights alone that come within a second."""

AT_ONCE = {"stableFor": "1s", "steps": [100], "stepInterval": "1s", "holdGrowth": {"factor": 1}}
DAMPING = {"cooldown": "1s", "maxFailovers": 1000, "per": "10m"}
MOVE_SECONDS = 30.0


async def governed(playing: Bench, standby: int) -> Scene:
    """Open a scene in which the controller is in charge."""
    scene = opened(playing)
    failover = {
        "signals": ENDPOINTS,
        "confirmFor": "0s",
        "standbyWeight": standby,
        "failback": AT_ONCE,
        "damping": DAMPING,
    }
    await scene.manifest(backends=BACKENDS, failover=failover, gateway={"minWriteInterval": "1500ms"})
    await scene.until(lambda now: _has(now, "dr", standby), seconds=MOVE_SECONDS)
    return scene


async def bare(playing: Bench) -> Scene:
    """Open a scene in which a bare loop is in charge; it ends with the lab."""
    scene, cluster = opened(playing), playing.lab.cluster
    words = (sys.executable, "-m", "tests.bench.gateway_bare", cluster.url, cluster.ca, cluster.token, scene.namespace)
    playing.others.append(playing.lab.enclosure.spawn(playing.lab.folder / "bare.log", *words))
    return scene


def opened(playing: Bench) -> Scene:
    """Open a scene with a primary and a backup."""
    scene = playing.scene(SHARED)
    scene.backend("v1", "dr")
    scene.routes(refs(("v1", 100), ("dr", 0)))
    return scene


async def kill_once(scene: Scene, kind: str, standby: int = 0) -> int:
    """Kill the primary under load; return how many requests failed, when it has its traffic back."""
    with scene.clients(rate=RATE, kinds=[kind]) as answers:
        await scene.flows(answers, kinds=[kind])
        await asyncio.sleep(PAUSE_SECONDS)
        answers.forget()
        scene.kill("v1")
        await answers.answered_by(scene.whole("dr"), kinds=[kind], seconds=MOVE_SECONDS)
        failed = len(answers.failed())
    await asyncio.sleep(PAUSE_SECONDS)
    scene.revive("v1")
    async with asyncio.timeout(MOVE_SECONDS):
        while any(shares != (100 - standby, standby) for shares in scene.shares()):
            await asyncio.sleep(0.05)
    return failed


def _has(status: Any, name: str, percent: int) -> bool:  # noqa: ANN401 - as the API server has it
    observed = status["weights"]["observed"]
    return bool(observed) and 100 * observed[name] == percent * sum(observed.values())
