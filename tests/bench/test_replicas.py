"""How soon the other replica acts when the holder of the Lease stands still in the middle of a step, again and again.

Nothing that the first one writes when it goes on may change a weight: a watch has every change of the route.
"""

from __future__ import annotations

import asyncio
import signal
import statistics
import sys
import time
from pathlib import Path

import pytest

from tests.kubernetes.cluster import Cluster
from tests.kubernetes.replicas.pair import LEASE, holder, two_replicas
from tests.kubernetes.stage import Stage, open_stage

pytestmark = [pytest.mark.real, pytest.mark.timeout(1800), pytest.mark.xdist_group("kubernetes")]

RUNS = 50
STEPS = [{"weight": 10, "hold": "2s"}, {"weight": 60, "hold": "24h"}]


async def test_a_holder_that_stands_still_again_and_again(
    cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Stopped in step 1 until the other has taken step 2; then continued, in time for the next revision."""
    cluster.make_namespace("standstill")
    times: list[float] = []
    async with open_stage(cluster, "standstill") as stage:
        await stage.pair()
        await stage.route()
        await stage.rollout(steps=STEPS)
        async with two_replicas(stage, tmp_path) as replicas, stage.gateway():
            await stage.phase("Idle")
            async with stage.recorded() as seen:
                for run in range(RUNS):
                    await stage.edit(revision=f"r{run}")
                    await stage.weighs(90, 10, seconds=30)
                    first = await holder(stage)
                    replicas[first].signal(signal.SIGSTOP)
                    times.append(await _other_acts(stage))
                    replicas[first].signal(signal.SIGCONT)
    with capsys.disabled():
        sys.stdout.write(
            f"\nholder stopped in the middle of a step, {RUNS} times: the other acts after p50"
            f" {statistics.median(times):.2f} s, max {max(times):.2f} s (Lease {LEASE:g} s, step over after 2 s)\n"
        )

    assert max(times) <= LEASE + 2
    assert seen == [(100, 0), *[(90, 10), (40, 60), (100, 0)] * (RUNS - 1), (90, 10), (40, 60)]


async def _other_acts(stage: Stage) -> float:
    """Return how long it took until step 2 was in the route."""
    began = time.monotonic()
    async with asyncio.timeout(60):
        while await stage.weights() != (40, 60):
            await asyncio.sleep(0.02)
    return time.monotonic() - began
