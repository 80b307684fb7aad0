"""Envoy Gateway's own means and the controller on the same faults: what clients of a lost primary notice.

`ROLLOUT_BENCH_RUNS` is how often each fault befalls each primary, and `ROLLOUT_BENCH_MEANS` picks the means whose
titles contain it.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections import defaultdict
from collections.abc import Callable
from statistics import median

import pytest

from tests.bench.gateway_faults import RATE, WATCHED_SECONDS, Fault, Seen, suffer
from tests.bench.gateway_kills import PAUSE_SECONDS
from tests.bench.gateway_means import MEANS, Means, closed, opened
from tests.bench.gateway_scenes import Bench, bench
from tests.gateway.crew import BOTH
from tests.gateway.keys import KEYS, moved, settled, share, weigh
from tests.gateway.means import HASH

pytestmark = [pytest.mark.real, pytest.mark.timeout(10800), pytest.mark.xdist_group("gateway")]

RUNS = int(os.environ.get("ROLLOUT_BENCH_RUNS", "1"))
PICKED = os.environ.get("ROLLOUT_BENCH_MEANS", "")
TAKEOVER_SECONDS = 30.0

Cells = dict[tuple[Fault, str], list[Seen]]


def _show(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


async def test_lost_primary(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever happens, the primary has its traffic again in the end; the controller's backup has it meanwhile."""
    wrong, rows = [], []
    async with bench() as playing:
        for means in (one for one in MEANS if PICKED in one.title):
            try:
                cells = await _suffered(playing, means)
            except AssertionError as error:
                wrong.append(f"{means.title}: {error}")
                continue
            rows.append(_row(means.title, cells))
            with capsys.disabled():
                _show(rows[-1])
    with capsys.disabled():
        _show(f"\nprimary lost at {RATE} requests a second of each kind, {RUNS} runs of {WATCHED_SECONDS:g} s:")
        _show("failed requests HTTP / gRPC, when the last was sent, how long it waited; at the return: failed, seconds")
        _show("\n".join(rows))

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


def _row(title: str, cells: Cells) -> str:
    return " | ".join((f"| {title}", *(_told(cells, fault) for fault in Fault))) + " |"


def _told(cells: Cells, fault: Fault) -> str:
    def typical(figure: Callable[[Seen], float], kind: str) -> float:
        return median(figure(one) for one in cells[fault, kind])

    failed = " / ".join(f"{typical(lambda one: one.failed, kind):g}" for kind in BOTH)
    most = max(one.failed for kind in BOTH for one in cells[fault, kind])
    last, waited, lost, back = (
        max(typical(figure, kind) for kind in BOTH)
        for figure in (lambda one: one.until, lambda one: one.waited, lambda one: one.back_failed, lambda one: one.back)
    )
    return f"{failed} (max {most}), {last:.2f} s, after {waited:.2f} s; back {lost:g}, {back:.0f} s"


async def test_users_of_a_consistent_hash(capsys: pytest.CaptureFixture[str]) -> None:
    """Whose key is sent elsewhere as weights move, and by a failover; after it all are where they were."""
    async with bench() as playing:
        scene = await opened(playing, Means("consistent hash", (HASH,), standby=0))
        places, found = await settled(scene), []
        for first in (90, 50, 99):
            weigh(scene, first, 100 - first)
            await asyncio.sleep(PAUSE_SECONDS)
            now = await settled(scene)
            found.append((f"weights {first}/{100 - first}", moved(places, now), share(scene, now)))
            places = now
        scene.kill("v1")
        await asyncio.sleep(PAUSE_SECONDS)
        away = await settled(scene)
        found.append(("primary killed", moved(places, away), share(scene, away)))
        scene.revive("v1")
        await asyncio.sleep(PAUSE_SECONDS)
        home = await settled(scene)
        found.append(("and back", moved(places, home), share(scene, home)))
    with capsys.disabled():
        for what, part, first_share in found:
            _show(f"consistent hash, {what}: {part:.1%} of {KEYS} users moved, {first_share:.1%} at the primary")

    assert set(away.values()) == {scene.whole("dr")}
    assert home == places
