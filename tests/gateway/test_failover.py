"""A primary that goes away behind a real Envoy Gateway, in each of the ways there are, as the clients see it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.gateway.controller import Controller
from tests.gateway.failovers import BACK, FAULTS, MOVE_SECONDS, lose, primary, signals_of
from tests.gateway.objects import SEPARATE, SHARED
from tests.gateway.scene import Scene


def in_percent(seen: list[tuple[int, ...]]) -> list[int]:
    """Return what the backup had, one after the other; the floor is nothing."""
    parts = [round(100 * weights[1] / sum(weights)) for weights in seen]
    return [part for place, part in enumerate(parts) if place == 0 or part != parts[place - 1]]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("edge", [SHARED, SEPARATE])
async def test_backup_takes_over(opened: Callable[[str], Scene], controller: Controller, edge: str, fault: str) -> None:
    """A backup answers everything over both kinds of route; who was only drained or ill cost no request."""
    scene = opened(edge)
    async with primary(scene, signals=signals_of(fault)) as answers:
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
