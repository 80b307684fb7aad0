"""How soon a cluster's events become patched routes, as a ratio to the bare time of the same two writes; and how quiet.

Each ratio comes from one run: a trigger and the two bare writes take turns, through clients of the same kind, on the
same API server. The clock of a trigger starts when its write is answered and ends when a watch shows the route patched.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager

import pytest

from rollout.bootstrap.running import Runtime
from rollout.engine.state import State
from rollout.engine.table import Phase
from rollout.kube.resources import HTTP_ROUTES, ROLLOUTS, version_of
from tests.bench.bare_writes import BARE, bare_route, make_bare, quantiles, show, write_barely
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.stage import Stage, open_stage
from tests.kubernetes.stage import rollout as manifest

pytestmark = [pytest.mark.real, pytest.mark.timeout(1800), pytest.mark.xdist_group("kubernetes")]

RUNS = 200
DAY = "24h"
IDLE, IDLE_SECONDS = 500, 120.0
OURS = re.compile(r'group="(rollout.dev|gateway.networking.k8s.io|discovery.k8s.io|apps|events.k8s.io)"')
_COUNTED = re.compile(r"^apiserver_request_total\{(?P<labels>.*)\} (?P<count>[0-9.e+]+)$", re.MULTILINE)
MANY = 2000


@asynccontextmanager
async def _stage(cluster: Cluster, namespace: str) -> AsyncIterator[Stage]:
    cluster.make_namespace(namespace)
    async with open_stage(cluster, namespace) as stage:
        yield stage


class Watched:
    """The moment at which the route was seen with each weight last."""

    def __init__(self, stage: Stage, runtime: Runtime) -> None:
        """Watch the stage of a service that runs."""
        self.runtime = runtime
        self._stage = stage
        self._seen: dict[int, float] = {}
        self._news = asyncio.Event()

    async def run(self) -> None:
        """Watch the route checkout until cancelled."""
        api, namespace = self._stage.api, self._stage.namespace
        since = version_of(await api.get(HTTP_ROUTES, namespace, "checkout"))
        async with aclosing(api.watch(HTTP_ROUTES, namespace=namespace, since=since, seconds=1500)) as events:
            async for told, document in events:
                if told == "MODIFIED" and document["metadata"]["name"] == "checkout":
                    self._seen[document["spec"]["rules"][0]["backendRefs"][1]["weight"]] = time.perf_counter()
                    self._news.set()

    async def since(self, moment: float, weight: int) -> float:
        """Return how long after ``moment`` the canary was seen at ``weight``."""
        async with asyncio.timeout(30):
            while self._seen.get(weight, 0.0) < moment:
                self._news.clear()
                await self._news.wait()
        return self._seen[weight] - moment


async def test_events_become_patched_routes(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    """By a command, a change of the spec, and the canary's last endpoint that is gone: 200 times each."""
    times: dict[str, list[float]] = defaultdict(list)
    async with _stage(cluster, "latency") as stage, stage.controller(tick_seconds=10.0) as runtime:
        await stage.pair()
        await stage.route()
        await stage.rollout(steps=[{"weight": 20, "hold": DAY}, {"weight": 50, "hold": DAY}])
        await make_bare(stage)
        await stage.phase("Idle")
        watched = Watched(stage, runtime)
        watching = asyncio.create_task(watched.run())
        await stage.edit(revision="first")
        await stage.weighs(80, 20)
        for run in range(RUNS):
            await _one_of_each(stage, watched, times, run)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    with capsys.disabled():
        show("trigger to patched route", times)
    bare = quantiles(times.pop(BARE))

    for measured in times.values():
        found = quantiles(measured)
        assert len(measured) == RUNS
        assert found[0] <= 1.5 * bare[0]
        assert found[1] <= 3.0 * bare[1]


async def _one_of_each(stage: Stage, watched: Watched, times: dict[str, list[float]], run: int) -> None:
    """Go on by a command, begin anew by the spec, abort by endpoints, try again; and write twice barely."""
    await write_barely(stage, times[BARE], run)
    moment = await _command(stage, f"promote-{run}", "promote")
    times["annotation"].append(await watched.since(moment, 50))
    await write_barely(stage, times[BARE], run + RUNS)
    await stage.holds(watched.runtime, 2)
    await stage.edit(revision=f"r{run}")
    times["spec"].append(await watched.since(time.perf_counter(), 0))
    await stage.holds(watched.runtime, 1)
    await write_barely(stage, times[BARE], run + 2 * RUNS)
    await stage.endpoints("checkout-v2", ready=0)
    times["endpoints"].append(await watched.since(time.perf_counter(), 0))
    await stage.phase("Aborted")
    await stage.endpoints("checkout-v2", ready=1)
    await stage.until(lambda status: status["health"].get("checkout-v2") == "Healthy")
    await _command(stage, f"retry-{run}", "retry")
    await stage.weighs(80, 20)
    await stage.holds(watched.runtime, 1)


async def _command(stage: Stage, number: str, action: str) -> float:
    """Annotate the Rollout and return the moment of the answer."""
    told = f'{{"id": "{number}", "action": "{action}"}}'
    operation = {"op": "add", "path": "/metadata/annotations", "value": {"rollout.dev/command": told}}
    await stage.api.patch(ROLLOUTS, stage.namespace, "checkout", [operation])
    return time.perf_counter()


def _requests(cluster: Cluster) -> dict[str, float]:
    """Return how many requests other than watches each verb and resource of ours had, by the API server's count."""
    counted: dict[str, float] = defaultdict(float)
    for found in _COUNTED.finditer(cluster.text("/metrics")):
        labels = found["labels"]
        if OURS.search(labels) and 'verb="WATCH"' not in labels:
            counted[labels] += float(found["count"])
    return counted


def _audited(cluster: Cluster) -> list[str]:
    """Return what the controller asked for besides watches and its Lease, by the API server's audit log."""
    asked = []
    for event in cluster.audited("controller"):
        resource = (event.get("objectRef") or {}).get("resource", "")
        if event["verb"] != "watch" and resource != "leases":
            asked.append(f"{event['verb']} {resource}")
    return asked


async def _make_many(stage: Stage, count: int, **spec: object) -> None:
    """Make Rollouts that share one pair of Services, each with a route of its own."""
    await stage.pair()
    backends = {"stable": {"name": "checkout-v1", "port": 8080}, "canary": {"name": "checkout-v2", "port": 8080}}
    gate = asyncio.Semaphore(16)

    async def one(number: int) -> None:
        async with gate:
            name = f"shop-{number}"
            route = bare_route() | {"metadata": {"name": name}}
            refs = [
                {"name": "checkout-v1", "port": 8080, "weight": 100},
                {"name": "checkout-v2", "port": 8080, "weight": 0},
            ]
            route["spec"] = {"parentRefs": [{"name": "edge"}], "rules": [{"backendRefs": refs}]}
            await stage.api.create(HTTP_ROUTES, route, namespace=stage.namespace)
            await stage.api.create(ROLLOUTS, manifest(name, backends=backends, **spec), namespace=stage.namespace)

    await asyncio.gather(*(one(number) for number in range(count)))


async def _all_in(stage: Stage, phase: str, count: int, *, seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while True:
            listed = await stage.api.list_page(ROLLOUTS, namespace=stage.namespace, limit=0)
            if sum((item.get("status") or {}).get("phase") == phase for item in listed["items"]) == count:
                return
            await asyncio.sleep(0.5)


async def test_idle_rollouts_cost_no_request(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    """500 of them at rest, for two minutes."""
    async with _stage(cluster, "idle") as stage:
        await _make_many(stage, IDLE)
        async with stage.controller(with_gateway=False, tick_seconds=10.0):
            await _all_in(stage, "Idle", IDLE, seconds=300)
            before, asked = _requests(cluster), len(_audited(cluster))
            await asyncio.sleep(IDLE_SECONDS)  # the length of the look is what is measured
            after, more_asked = _requests(cluster), _audited(cluster)[asked:]
    more = {
        labels: count - before.get(labels, 0.0) for labels, count in after.items() if count > before.get(labels, 0.0)
    }
    with capsys.disabled():
        sys.stdout.write(
            f"\n{IDLE} idle Rollouts, {IDLE_SECONDS:g} s: {sum(more.values()):g} requests besides watches"
            f" by apiserver_request_total, {len(more_asked)} by the audit log\n"
        )

    assert not more
    assert not more_asked


async def test_a_restart_with_many_rollouts(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    """How soon after its caches are synced a new controller has looked at each of 2,000 in the middle of a step.

    And before that, how long it takes until all their routes are written when all got a new revision meanwhile.
    """
    async with _stage(cluster, "restart") as stage:
        await _make_many(stage, MANY, steps=[{"weight": 20, "hold": DAY}])
        async with stage.controller(with_gateway=False, tick_seconds=10.0) as runtime:
            await _all(runtime, MANY, _is_adopted)
        await _new_revision(stage, "2")
        flood = time.perf_counter()
        async with stage.controller(with_gateway=False, tick_seconds=10.0) as runtime:
            await _all(runtime, MANY, _is_written)
            written = time.perf_counter()
        began = time.perf_counter()
        async with stage.controller(with_gateway=False, tick_seconds=10.0) as runtime:
            synced = time.perf_counter()
            await _all(runtime, MANY, _is_written)
            acting = time.perf_counter()
    with capsys.disabled():
        sys.stdout.write(
            f"\nrestart with {MANY} Rollouts in a step: synced after {synced - began:.1f} s,"
            f" all acting {acting - synced:.1f} s later; with a new revision each,"
            f" all routes written {written - flood:.1f} s after the start\n"
        )

    assert acting - synced < 30


def _is_adopted(state: State) -> bool:
    return state.phase is Phase.IDLE and bool(state.stable)


def _is_written(state: State) -> bool:
    return state.phase is Phase.PROGRESSING and all(
        dict(rule.acknowledged)["checkout-v2"] == 20 for rule in state.owned
    )


async def _new_revision(stage: Stage, revision: str) -> None:
    gate = asyncio.Semaphore(16)

    async def one(number: int) -> None:
        async with gate:
            await stage.edit(f"shop-{number}", revision=revision)

    await asyncio.gather(*(one(number) for number in range(MANY)))


async def _all(runtime: Runtime, count: int, is_so: Callable[[State], bool]) -> None:
    async with asyncio.timeout(900):
        while sum(is_so(state) for _, state in runtime.controller.states()) < count:
            await asyncio.sleep(0.05)
