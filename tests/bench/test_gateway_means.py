"""Envoy Gateway's own means and the controller on the same faults: what clients of a lost primary notice.

`ROLLOUT_BENCH_RUNS` is how often each fault befalls each primary, and `ROLLOUT_BENCH_MEANS` picks the means whose
titles contain it.
"""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from collections.abc import Callable
from statistics import median

import pytest

from tests.bench.gateway_faults import Fault, Seen, suffer
from tests.bench.gateway_keys import compared, settled, weigh
from tests.bench.gateway_means import MEANS, Means, closed, opened
from tests.bench.gateway_scenes import Bench, bench
from tests.gateway.crew import BOTH
from tests.gateway.means import HASH

pytestmark = [pytest.mark.real, pytest.mark.timeout(10800), pytest.mark.xdist_group("gateway")]

RUNS = int(os.environ.get("ROLLOUT_BENCH_RUNS", "1"))
PICKED = os.environ.get("ROLLOUT_BENCH_MEANS", "")
TAKEOVER_SECONDS = 30.0
TOLERANCE = 0.06
"""Of a share of a thousand keys."""

Cells = dict[tuple[Fault, str], list[Seen]]


def _show(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


async def test_lost_primary(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever happens, the primary has its traffic again in the end; the controller's backup has it meanwhile."""
    wrong = []
    async with bench() as playing:
        for means in MEANS:
            if PICKED not in means.title:
                continue
            try:
                cells = await _suffered(playing, means)
            except AssertionError as error:
                wrong.append(f"{means.title}: {error}")
                continue
            with capsys.disabled():
                for fault in Fault:
                    _show(f"| {means.title} | {fault} | {_told(cells, fault)} |")

    assert not wrong


async def _suffered(playing: Bench, means: Means) -> Cells:
    found: Cells = defaultdict(list)
    scene = await opened(playing, means)
    for fault in Fault:
        for _ in range(RUNS):
            ending = TAKEOVER_SECONDS if fault in means.carries else 0.0
            for kind, seen in (await suffer(scene, fault, ending=ending)).items():
                found[fault, kind].append(seen)
    closed(scene)
    return found


def _told(cells: Cells, fault: Fault) -> str:
    return " | ".join(_told_kind(kind, cells[fault, kind]) for kind in BOTH)


def _told_kind(kind: str, cell: list[Seen]) -> str:
    def typical(figure: Callable[[Seen], float]) -> float:
        return median(figure(one) for one in cell)

    return (
        f"{kind} {typical(lambda one: one.failed):g} (max {max(one.failed for one in cell)}) "
        f"of {typical(lambda one: one.sent):g} until {typical(lambda one: one.until):.2f} s, "
        f"each after {typical(lambda one: one.waited):.2f} s; back {typical(lambda one: one.back_failed):g} failed "
        f"in {typical(lambda one: one.back):.1f} s"
    )


async def test_keys_stay(capsys: pytest.CaptureFixture[str]) -> None:
    """With a consistent hash few users are sent elsewhere as weight is moved; after a failover all come back."""
    async with bench() as playing:
        scene = await opened(playing, Means("consistent hash", (HASH,), standby=0))
        places = await settled(scene, 1, 1)
        found = []
        for first in (90, 50, 90, 99):
            weigh(scene, first, 100 - first)
            now = await settled(scene, first / 100 - TOLERANCE, first / 100 + TOLERANCE)
            found.append(compared(scene, f"to {first}/{100 - first}", places, now))
            places = now
        scene.kill("v1")
        away = await settled(scene, 0, 0)
        found.append(compared(scene, "primary killed", places, away))
        scene.revive("v1")
        home = await settled(scene, 0.99 - TOLERANCE, 1)
        found.append(compared(scene, "and back, against before", places, home))
    with capsys.disabled():
        for one in found:
            _show(f"keys {one.what}: {one.moved:.1%} moved, {one.first:.1%} at the first backend")

    assert home == places
