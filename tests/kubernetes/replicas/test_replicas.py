"""Two replicas as processes of their own: one is stopped in the middle of a step, and the other takes over."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.kubernetes.cluster import Cluster
from tests.kubernetes.replicas.pair import LEASE, holder, taken_over, two_replicas
from tests.kubernetes.stage import Stage, open_stage

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
async def stage(cluster: Cluster, namespace: str) -> AsyncIterator[Stage]:
    """Open a stage in the test's namespace."""
    async with open_stage(cluster, namespace) as opened:
        yield opened


async def test_a_holder_that_stands_still_is_replaced_and_then_writes_nothing(stage: Stage, tmp_path: Path) -> None:
    """SIGSTOP in a step: the other has the Lease within its length and 2 s; after SIGCONT the first stays quiet."""
    await stage.pair()
    await stage.route()
    steps = [{"weight": weight, "hold": "4s"} for weight in (10, 30, 60)]
    await stage.rollout(steps=steps)
    async with two_replicas(stage, tmp_path) as replicas, stage.gateway():
        await stage.phase("Idle")
        async with stage.recorded() as seen:
            await stage.edit(revision="2")
            await stage.weighs(90, 10)
            first = await holder(stage)
            replicas[first].signal(signal.SIGSTOP)
            took = await taken_over(stage, first, seconds=LEASE + 10)
            await stage.weighs(70, 30, seconds=20)
            replicas[first].signal(signal.SIGCONT)
            await stage.phase("Idle", reason="Promoted")
            await stage.weighs(0, 100)

    assert took <= LEASE + 2
    assert seen == [(100, 0), (90, 10), (70, 30), (40, 60), (0, 100)]


async def test_a_clean_stop_hands_over_at_once(stage: Stage, tmp_path: Path) -> None:
    """SIGTERM gives the Lease back; the other goes on without a wait."""
    await stage.pair()
    await stage.route()
    await stage.rollout(steps=[{"weight": 10, "hold": "1s"}, {"weight": 50, "hold": "24h"}])
    async with two_replicas(stage, tmp_path) as replicas, stage.gateway():
        await stage.phase("Idle")
        first = await holder(stage)
        code, _ = await replicas[first].end()
        took = await taken_over(stage, first, seconds=LEASE)
        await stage.edit(revision="2")
        await stage.weighs(50, 50)

    assert code == 0
    assert took < LEASE


async def test_a_killed_holder_is_replaced(stage: Stage, tmp_path: Path) -> None:
    """Kill -9 in the middle of a step: no step is skipped or repeated."""
    await stage.pair()
    await stage.route()
    await stage.rollout(steps=[{"weight": weight, "hold": "2s"} for weight in (10, 30, 60)])
    async with two_replicas(stage, tmp_path) as replicas, stage.gateway():
        await stage.phase("Idle")
        async with stage.recorded() as seen:
            await stage.edit(revision="2")
            await stage.weighs(90, 10)
            await replicas[await holder(stage)].kill()
            await stage.until(lambda status: status["reason"] == "Promoted", seconds=40)
            await stage.weighs(0, 100)

    assert seen == [(100, 0), (90, 10), (70, 30), (40, 60), (0, 100)]
