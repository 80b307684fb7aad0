"""A primary with a backup for tests of this folder, and clients that come to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.gateway.answers import Answers
from tests.gateway.backends import HEALTH_PATH, PORT
from tests.gateway.objects import SEPARATE, SHARED
from tests.gateway.scene import Scene, refs

BACKENDS = {"stable": {"name": "v1", "port": PORT}, "backups": [{"name": "dr", "port": PORT}]}
ENDPOINTS: dict[str, Any] = {"endpoints": {}}
PROBE: dict[str, Any] = {
    **ENDPOINTS,
    "probe": {"http": {"path": HEALTH_PATH}, "interval": "200ms", "timeout": "200ms", "fall": 2, "rise": 2},
}
BACK = {"mode": "Auto", "stableFor": "1s", "steps": [10, 50, 100], "stepInterval": "1600ms"}
QUICK = {"cooldown": "1s"}
GATEWAYS: dict[str, dict[str, Any]] = {
    SHARED: {"minWriteInterval": "1500ms"},
    SEPARATE: {"minWriteInterval": "1500ms", "separateClusters": True},
}
MOVE_SECONDS = 20.0
FAULTS = ("killed", "drained", "scaled to nothing", "ill")
"""The ways in which a primary goes away."""


@asynccontextmanager
async def primary(scene: Scene, **failover: object) -> AsyncIterator[Answers]:
    """Let clients come to a primary that has a backup, with a failover that waits for nothing."""
    scene.backend("v1", "dr")
    scene.routes(refs(("v1", 100), ("dr", 0)))
    with scene.clients(rate=40) as answers:
        await scene.flows(answers)
        given = {"signals": ENDPOINTS, "confirmFor": "0s", "failback": {"mode": "Manual"}, "damping": QUICK, **failover}
        await scene.manifest(backends=BACKENDS, failover=given, gateway=GATEWAYS[scene.edge])
        await scene.until(is_ready)
        if scene.edge == SEPARATE:
            await scene.warmed("dr")
        yield answers


def lose(scene: Scene, fault: str) -> None:
    """Let the primary go away."""
    match fault:
        case "killed":
            scene.kill("v1")
        case "drained":
            scene.drain("v1")
        case "scaled to nothing":
            scene.scale_to_nothing("v1")
        case _:
            scene.behave("v1", is_healthy=False)


def signals_of(fault: str) -> dict[str, Any]:
    """Return the signals that see this fault."""
    return PROBE if fault == "ill" else ENDPOINTS


def is_ready(status: Any) -> bool:  # noqa: ANN401 - as the API server has it
    """Return whether a failover could be made."""
    return any(one["type"] == "FailoverReady" and one["status"] == "True" for one in status["conditions"])
