"""Attempts of tests of this folder: a Rollout of two routes with a stable and a canary, and clients that come."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from tests.gateway.answers import Answers
from tests.gateway.backends import PORT
from tests.gateway.crew import BOTH
from tests.gateway.scene import ROUTE, ROUTES, Scene, refs

POLICY = {"kind": "ClusterRolloutPolicy", "name": "envoy-gateway"}
PAIR = {"stable": {"name": "v1", "port": PORT}, "canary": {"name": "v2", "port": PORT}}
SHORT: dict[str, Any] = {"warmUp": "0s", "minRequests": 20}
STEPS = [{"weight": 20, "hold": "1s"}, {"weight": 50, "hold": "1s"}]
FOR_EVER = [{"weight": 30, "hold": "1h"}]
ATTEMPT_SECONDS = 40.0


@asynccontextmanager
async def attempt(
    scene: Scene, *, rate: float = 40, kinds: Sequence[str] = BOTH, **spec: object
) -> AsyncIterator[Answers]:
    """Let clients come over these kinds of routes, adopt the routes, and start an attempt of revision 2."""
    scene.backend("v1", "v2")
    scene.routes(refs(("v1", 100), ("v2", 0)), kinds=kinds)
    with scene.clients(rate=rate, kinds=kinds) as answers:
        await scene.flows(answers, kinds=kinds)
        await scene.manifest(**given(kinds, **spec))
        await scene.phase("Idle")
        await scene.edit(revision="2")
        yield answers


def given(kinds: Sequence[str] = BOTH, **spec: object) -> dict[str, object]:
    """Return the spec of a Rollout of these kinds of routes, at rest."""
    routes = [{"kind": ROUTES[kind], "name": ROUTE} for kind in kinds]
    settings = {"policy": POLICY, "backends": PAIR, "revision": "1", "analysis": SHORT, "steps": STEPS}
    return {"routes": routes, **settings, **spec}


async def promoted(scene: Scene, name: str = "checkout") -> Mapping[str, Any]:
    """Return the status when the attempt has ended well."""
    return await scene.until(lambda now: now["reason"] == "Promoted", name, seconds=ATTEMPT_SECONDS)


def condition(status: Mapping[str, Any], kind: str) -> tuple[str, str]:
    """Return status and message of a condition."""
    found = whole_condition(status, kind)
    return found["status"], found["message"]


def whole_condition(status: Mapping[str, Any], kind: str) -> Mapping[str, str]:
    """Return a condition with all that it has."""
    return next(one for one in status["conditions"] if one["type"] == kind)
