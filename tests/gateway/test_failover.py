"""A primary that goes away behind a real Envoy Gateway, in each of the ways there are, as the clients see it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.gateway.answers import Answers
from tests.gateway.backends import HEALTH_PATH, PORT
from tests.gateway.controller import Controller
from tests.gateway.objects import SEPARATE, SHARED
from tests.gateway.scene import ROUTES, Scene, refs

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
        for kind in ROUTES.values() if scene.edge == SEPARATE else ():
            await scene.weighs(999_999, 1, kind=kind)  # the cluster of the backup is there
        yield answers


def is_ready(status: Any) -> bool:  # noqa: ANN401 - as the API server has it
    """Return whether a failover could be made."""
    return any(one["type"] == "FailoverReady" and one["status"] == "True" for one in status["conditions"])


def in_percent(seen: list[tuple[int, ...]]) -> list[int]:
    """Return what the backup had, one after the other; the floor is nothing."""
    parts = [round(100 * weights[1] / sum(weights)) for weights in seen]
    return [part for place, part in enumerate(parts) if place == 0 or part != parts[place - 1]]


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


@pytest.mark.parametrize("fault", ["killed", "drained", "scaled to nothing", "ill"])
async def test_backup_takes_over(scene: Scene, controller: Controller, fault: str) -> None:
    """A backup answers everything over both kinds of route; who was only drained or ill cost no request."""
    async with primary(scene, signals=PROBE if fault == "ill" else ENDPOINTS) as answers:
        lose(scene, fault)
        await answers.answered_by(scene.whole("dr"), seconds=MOVE_SECONDS)
        status = await scene.status()

    assert scene.shares() == [(0, 100), (0, 100)]
    assert status["failover"]["phase"] == "FailedOver"
    if fault in {"drained", "ill"}:
        assert not answers.failed(), answers.summary()


async def test_primary_gets_its_traffic_back_in_steps(scene: Scene, controller: Controller) -> None:
    """Clients see 10, 50 and 100 per cent of answers from the primary, and no error on the way back."""
    async with primary(scene, failback=BACK) as answers, scene.recorded() as seen:
        scene.kill("v1")
        await answers.answered_by(scene.whole("dr"), seconds=MOVE_SECONDS)
        scene.revive("v1")
        await scene.until(lambda now: now["failover"]["phase"] == "Normal", seconds=30)
        begun = await answers.answered_by(scene.whole("v1"), seconds=MOVE_SECONDS)

    assert in_percent(seen) == [0, 100, 90, 50, 0]
    assert not [answer for answer in answers.failed() if answer.sent > begun - 3], answers.summary()
