"""Attempts of tests of this folder: a Rollout of two routes with a stable and a canary, and clients that come."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from tests.gateway.answers import Answers
from tests.gateway.backends import PORT
from tests.gateway.scene import Scene, refs

POLICY = {"kind": "ClusterRolloutPolicy", "name": "envoy-gateway"}
PAIR = {"stable": {"name": "v1", "port": PORT}, "canary": {"name": "v2", "port": PORT}}
SHORT: dict[str, Any] = {"warmUp": "0s", "minRequests": 20}
STEPS = [{"weight": 20, "hold": "1s"}, {"weight": 50, "hold": "1s"}]
FOR_EVER = [{"weight": 30, "hold": "1h"}]
ATTEMPT_SECONDS = 40.0


@asynccontextmanager
async def attempt(scene: Scene, *, rate: float = 40, **spec: object) -> AsyncIterator[Answers]:
    """Let clients come, adopt the routes, and start an attempt of revision 2."""
    scene.backend("v1", "v2")
    scene.routes(refs(("v1", 100), ("v2", 0)))
    with scene.clients(rate=rate) as answers:
        await scene.flows(answers)
        given = {"policy": POLICY, "backends": PAIR, "revision": "1", "analysis": SHORT, "steps": STEPS, **spec}
        await scene.manifest(**given)
        await scene.phase("Idle")
        await scene.edit(revision="2")
        yield answers


async def promoted(scene: Scene, name: str = "checkout") -> Mapping[str, Any]:
    """Return the status when the attempt has ended well."""
    return await scene.until(lambda now: now["reason"] == "Promoted", name, seconds=ATTEMPT_SECONDS)


def condition(status: Mapping[str, Any], kind: str) -> tuple[str, str]:
    """Return status and message of a condition."""
    found = next(one for one in status["conditions"] if one["type"] == kind)
    return found["status"], found["message"]
