"""What Envoy Gateway's clients notice of weight changes, of a lost primary and of a bad canary, counted by themselves.

Rates are of all clients together. `ROLLOUT_BENCH_RUNS` takes the place of the numbers of runs, for a quick look.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections import defaultdict
from http import HTTPStatus
from statistics import median
from typing import Any

import pytest

from rollout.kube.resources import GRPC_ROUTES, HTTP_ROUTES
from tests.bench.gateway_kills import PAUSE_SECONDS, RATE, bare, governed, kill_once
from tests.bench.gateway_scenes import Bench, bench, by_controller, patched, told
from tests.gateway.answers import Answers
from tests.gateway.attempts import PAIR, POLICY, attempt
from tests.gateway.crew import BOTH
from tests.gateway.objects import SEPARATE, SHARED
from tests.gateway.scene import Scene, refs

pytestmark = [pytest.mark.real, pytest.mark.timeout(1800), pytest.mark.xdist_group("gateway")]

BARE, CONTROLLER, STANDBY = "a bare loop", "the controller", "the controller, standby weight 1"
_RUNS = os.environ.get("ROLLOUT_BENCH_RUNS")
CHANGES = int(_RUNS or 100)
KILLS = int(_RUNS or 30)
NO_ANALYSIS: dict[str, Any] = {"analysis": {"checks": []}}


def _show(title: str, *lines: str) -> None:
    sys.stdout.write("\n".join((f"\n{title}", *(f"  {line}" for line in lines), "")))


async def test_weight_changes_lose_no_request(capsys: pytest.CaptureFixture[str]) -> None:
    """The controller changes weights 100 times at each Gateway; none of the requests meanwhile fails."""
    async with bench() as playing:
        shared = await _back_and_forth(playing)
        separate = await _steps(playing)
        bare = await _barely(playing)
    with capsys.disabled():
        _show(
            f"weights changed by the controller at {RATE} rps, HTTP and gRPC:",
            *shared.lines,
            *bare.lines,
            *separate.lines,
        )

    assert not shared.failed
    assert not separate.failed


class Found:
    """What a part of the bench found: lines to show, and how many requests failed."""

    def __init__(self, failed: int, *lines: str) -> None:
        self.failed = failed
        self.lines = lines


async def _back_and_forth(playing: Bench) -> Found:
    """Start and abort an attempt in turns: from 0 to 50 per cent and back."""
    scene = playing.scene(SHARED)
    scene.backend("v1", "v2")
    scene.routes(refs(("v1", 100), ("v2", 0)))
    with scene.clients(rate=RATE / 2) as answers:
        await scene.flows(answers)
        steps = [{"weight": 50, "hold": "1h"}]
        await scene.manifest(
            backends=PAIR, revision="0", steps=steps, gateway={"minWriteInterval": "1500ms"}, **NO_ANALYSIS
        )
        await scene.phase("Idle")
        for run in range(1, CHANGES // 2 + 1):
            await scene.edit(revision=str(run))
            await answers.answered_by(scene.whole("v1"), scene.whole("v2"))
            await scene.phase("Progressing", step=1)
            await asyncio.sleep(PAUSE_SECONDS)
            await scene.command("abort")
            await scene.phase("Aborted")
            await asyncio.sleep(PAUSE_SECONDS)
        moments = by_controller(playing.lab.cluster, scene.namespace)
    waits = _until_first(scene, answers, moments)
    failed = len(answers.failed())
    return Found(
        failed,
        f"one cluster for all: {len(moments) // 2} changes of two routes, {len(answers.all())} requests, {failed} lost",
        *(told(f"  from the patch to the first answer of the canary, {kind}", waits[kind]) for kind in BOTH),
    )


def _until_first(scene: Scene, answers: Answers, moments: list[float]) -> dict[str, list[float]]:
    """Return how long after each patch that gave the canary weight it answered for the first time, by kind."""
    waits: dict[str, list[float]] = {kind: [] for kind in BOTH}
    for kind in BOTH:
        found = [one.at for one in answers.all(kind=kind) if one.who == scene.whole("v2")]
        begins = [at for before, at in zip([0.0, *found], found, strict=False) if at - before > PAUSE_SECONDS / 2]
        for begin in begins:
            waits[kind].append(begin - max(moment for moment in moments if moment < begin - 0.001))
    return waits


async def _steps(playing: Bench) -> Found:
    """Run one attempt whose steps go up and down, at the Gateway that keeps one cluster for each backend."""
    scene = playing.scene(SEPARATE)
    steps = [{"weight": weight} for _ in range(CHANGES // 2) for weight in (20, 60)]
    async with attempt(scene, rate=RATE / 2, steps=steps, **NO_ANALYSIS) as answers:
        await scene.until(lambda now: now["reason"] == "Promoted", seconds=4 * CHANGES + 20)
        begun = max(scene.first_of("v2", answers, kind).at for kind in BOTH) + 1
        moments = by_controller(playing.lab.cluster, scene.namespace)
    failed = len(answers.failed(since=begun))
    return Found(
        failed,
        f"one cluster each: {len(moments) // 2} changes of two routes, {len(answers.all(since=begun))} requests, "
        f"{failed} failed (and {len(answers.failed()) - failed} while the canary's cluster began)",
    )


async def _barely(playing: Bench) -> Found:
    """Patch the weights without a controller."""
    scene = playing.scene(SHARED)
    scene.backend("v1", "v2")
    scene.routes(refs(("v1", 100), ("v2", 0)))
    with scene.clients(rate=RATE / 2) as answers:
        await scene.flows(answers)
        for _ in range(CHANGES // 2):
            for stable in (50, 100):
                _patch(scene, stable)
                await asyncio.sleep(PAUSE_SECONDS)
        moments = patched(playing.lab.cluster, "admin", scene.namespace)
    waits = _until_first(scene, answers, moments)
    return Found(
        len(answers.failed()),
        *(told(f"  the same, patched barely, {kind}", waits[kind]) for kind in BOTH),
    )


def _patch(scene: Scene, stable: int) -> None:
    operations = [
        {"op": "replace", "path": f"/spec/rules/0/backendRefs/{place}/weight", "value": weight}
        for place, weight in enumerate((stable, 100 - stable))
    ]
    for resource in (HTTP_ROUTES, GRPC_ROUTES):
        path = resource.path(scene.namespace, "checkout")
        status, answer = scene.cluster.ask("PATCH", path, operations, content="application/json-patch+json")
        assert status == HTTPStatus.OK, answer


async def test_killed_primary(capsys: pytest.CaptureFixture[str]) -> None:
    """A primary is killed and not ready, again and again: how many requests fail until the backup has them all.

    Where a machine is slow, the bare loop says how slow. The controller records what it will do before it does it: that
    is two writes, one after the other, and the first is the longer one. So it costs about twice what the loop
    costs, and more than three times is a fault of its own.
    """
    lost: dict[str, list[int]] = defaultdict(list)
    async with bench() as playing:
        scenes = {
            BARE: await bare(playing),
            CONTROLLER: await governed(playing, 0),
            STANDBY: await governed(playing, 1),
        }
        for kind in BOTH:
            for _ in range(KILLS):
                for who, scene in scenes.items():
                    lost[f"{who}, {kind}"].append(await kill_once(scene, kind, int(who == STANDBY)))
    with capsys.disabled():
        found = [f"{who}: p50 {median(counts):g}, max {max(counts)}" for who, counts in lost.items()]
        _show(f"primary killed and not ready at {RATE} rps, {KILLS} runs, failed requests:", *found)

    for kind in BOTH:
        least = median(lost[f"{BARE}, {kind}"])
        assert median(lost[f"{CONTROLLER}, {kind}"]) <= max(40, 3 * least)
        assert median(lost[f"{STANDBY}, {kind}"]) <= max(15, least)


async def test_bad_canary_is_caught(capsys: pytest.CaptureFixture[str]) -> None:
    """10 per cent weight, 200 rps, 20 per cent errors, scrapes each 5 s: how soon it is rolled back."""
    seconds = []
    async with bench(scrape_seconds=5, tick="5s") as playing:
        for _ in range(max(1, KILLS // 6)):
            scene = playing.scene(SEPARATE)
            async with attempt(scene, rate=100, steps=[{"weight": 10, "hold": "1h"}], policy=POLICY) as answers:
                scene.behave("v2", http_errors=0.2, grpc_errors=0.2)
                await scene.until(lambda now: now["phase"] == "Aborted", seconds=120)
                begun = min(scene.first_of("v2", answers, kind).sent for kind in BOTH)
                last = max(one.at for one in answers.all() if one.who == scene.whole("v2"))
            seconds.append(last - begun)
    with capsys.disabled():
        _show(f"bad canary from its first to its last answer: p50 {median(seconds):.1f} s, max {max(seconds):.1f} s")

    assert median(seconds) <= 30
