"""Nothing is lost, and order is kept, through a sink with every fault and kills; the bench has more of both."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.kubernetes.cluster import Cluster
from tests.kubernetes.stage import open_stage
from tests.notify.chaos import Plan
from tests.notify.chaos_envoy import on_envoy
from tests.notify.chaos_kubernetes import on_kubernetes

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

PLAN = Plan(rollouts=30, steps=18, hold="200ms", kills=2, seed=7, settle_seconds=90)


async def test_kills_and_faults_lose_nothing_with_envoy(tmp_path: Path) -> None:
    """30 Rollouts with 20 transitions each: all told, in order, twice only as the same."""
    verdict, _ = await on_envoy(tmp_path, PLAN)

    assert verdict.made >= 20 * PLAN.rollouts
    assert verdict.is_good, str(verdict)


@pytest.mark.xdist_group("kubernetes")
async def test_kills_and_faults_lose_nothing_on_kubernetes(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    """The same with Rollouts that an API server has."""
    async with open_stage(cluster, namespace) as stage:
        verdict, _ = await on_kubernetes(stage, tmp_path, replace(PLAN, rollouts=10))

    assert verdict.made >= 200
    assert verdict.is_good, str(verdict)
