"""Twenty attempts run while something fails: no wrong weight at any moment, no skipped step, all end rightly.

What became of the routes is told by a watch of its own, which goes straight to the API server.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from rollout.errors import RolloutError
from rollout.kube.faults import Expired
from rollout.kube.resources import HTTP_ROUTES, ROLLOUTS, version_of
from tests.kubernetes.cluster import CONTROLLER, GATEWAY_API, Cluster, gateway_crds
from tests.kubernetes.proxy import Mode, Proxy
from tests.kubernetes.reverse import Reverse, status
from tests.kubernetes.stage import Stage, open_stage, ref
from tests.kubernetes.stage import rollout as manifest

pytestmark = pytest.mark.timeout(240)

ATTEMPTS = 20
LAST = f"shop-{ATTEMPTS - 1}"
PLAN = [(100, 0), (90, 10), (70, 30), (40, 60), (0, 100)]
STEPS = [{"weight": weight, "hold": "1s"} for weight in (10, 30, 60)]
WRITES = frozenset({"POST", "PUT", "PATCH"})


class Recorder:
    """What an independent watch saw of every route's weights, in order."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._since = ""
        self.seen: dict[str, list[tuple[int, ...]]] = defaultdict(list)

    async def begin(self) -> None:
        """Note what there is."""
        listed = await self._stage.api.list_page(HTTP_ROUTES, namespace=self._stage.namespace, limit=0)
        self._since = version_of(listed)
        for document in listed["items"]:
            self._note(document)

    async def run(self) -> None:
        """Watch until cancelled; an API server that was away is gone on with from where it was, or from now."""
        while True:
            try:
                await self._watch()
            except Expired:
                with suppress(RolloutError):
                    await self.begin()
            except RolloutError:
                pass  # it is away; the next one tells
            await asyncio.sleep(0.05)

    async def _watch(self) -> None:
        events = self._stage.api.watch(HTTP_ROUTES, namespace=self._stage.namespace, since=self._since, seconds=120)
        async with aclosing(events):
            async for told, document in events:
                self._since = version_of(document) if document else self._since
                if told in {"ADDED", "MODIFIED"}:
                    self._note(document)

    def _note(self, document: object) -> None:
        route = dict(document)  # type: ignore[call-overload] # a document
        weights = tuple(entry["weight"] for entry in route["spec"]["rules"][0]["backendRefs"])
        seen = self.seen[route["metadata"]["name"]]
        if not seen or seen[-1] != weights:
            seen.append(weights)


@asynccontextmanager
async def _attempts(stage: Stage, url: str = "", *, lease_seconds: float = 15.0) -> AsyncIterator[Recorder]:
    """Begin twenty attempts by a controller that goes through the door ``url``."""
    await stage.pair()
    backends = {"stable": {"name": "checkout-v1", "port": 8080}, "canary": {"name": "checkout-v2", "port": 8080}}
    names = [f"shop-{number}" for number in range(ATTEMPTS)]
    for name in names:
        await stage.route(name, rules=[{"backendRefs": [ref("checkout-v1", 100), ref("checkout-v2", 0)]}])
        document = manifest(name, backends=backends, steps=STEPS)
        await stage.api.create(ROLLOUTS, document, namespace=stage.namespace)
    recorder = Recorder(stage)
    await recorder.begin()
    watching = asyncio.create_task(recorder.run())
    async with stage.controller(kubeconfig=stage.cluster.kubeconfig(CONTROLLER, url), lease_seconds=lease_seconds):
        for name in names:
            await stage.phase("Idle", name)
        for name in names:
            await stage.edit(name, revision="2")
        yield recorder
        for name in names:
            await stage.until(_promoted, name, seconds=90.0)
        for name in names:
            await stage.weighs(0, 100, name=name)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


def _begun(found: Mapping[str, Any]) -> bool:
    return bool(found["attempt"] == 1)


def _beyond_the_first(found: Mapping[str, Any]) -> bool:
    return found["step"] > 1 or _promoted(found)


def _promoted(found: object) -> bool:
    return isinstance(found, dict) and found["phase"] == "Idle" and found["reason"] == "Promoted"


def _is_right(recorder: Recorder) -> bool:
    """Return whether every route went through the plan, and through nothing else."""
    return len(recorder.seen) == ATTEMPTS and all(seen == PLAN for seen in recorder.seen.values())


@pytest.fixture
async def stage(cluster: Cluster, namespace: str) -> AsyncIterator[Stage]:
    """Open a stage on the API server that all tests share."""
    async with open_stage(cluster, namespace) as opened:
        yield opened


@pytest.fixture
async def own_stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """Open a stage on an API server of the test's own, which it may kill."""
    from rollout.spec.crd import crds  # noqa: PLC0415 - needed by two tests only

    running = await asyncio.to_thread(Cluster.begin, tmp_path / "cluster")
    try:
        for crd in (*gateway_crds(GATEWAY_API), *crds()):
            await asyncio.to_thread(running.install, dict(crd))
        running.make_namespace("own")
        async with open_stage(running, "own") as opened:
            yield opened
    finally:
        running.end()


async def test_the_api_server_is_killed_and_comes_back(own_stage: Stage) -> None:
    """Away for some three seconds, in the middle of a step."""
    cluster = own_stage.cluster
    async with _attempts(own_stage) as recorder:
        await own_stage.until(_begun, LAST)
        assert cluster.server is not None
        cluster.server.kill()
        await asyncio.to_thread(cluster.server.wait)
        await asyncio.to_thread(cluster.start_server)

    assert _is_right(recorder), recorder.seen


async def test_etcd_stands_still(own_stage: Stage) -> None:
    """Stopped for eight seconds: requests hang, and are answered late or not at all."""
    etcd = own_stage.cluster.etcd
    async with _attempts(own_stage) as recorder:
        await own_stage.until(_begun, LAST)
        assert etcd is not None
        etcd.send_signal(signal.SIGSTOP)
        await asyncio.sleep(8)  # how long it stands still is the fault
        etcd.send_signal(signal.SIGCONT)

    assert _is_right(recorder), recorder.seen


def _conflicts() -> Callable[[web.Request], web.Response | None]:
    """Refuse two writes of three as conflicts."""
    count = iter(range(10**9))
    return lambda request: status(409, "Conflict") if request.method in WRITES and next(count) % 3 else None


def _too_many() -> Callable[[web.Request], web.Response | None]:
    """Answer every other request but watches with 429 and a second to wait."""
    count = iter(range(10**9))

    def fault(request: web.Request) -> web.Response | None:
        if "watch" in request.query or next(count) % 2:
            return None
        return status(429, "TooManyRequests", headers={"Retry-After": "1"})

    return fault


def _broken() -> Callable[[web.Request], web.Response | None]:
    """Answer every other request with 500, watches included."""
    count = iter(range(10**9))
    return lambda _: status(500, "InternalError") if next(count) % 2 else None


def _expired() -> Callable[[web.Request], web.Response | None]:
    """Let every watch expire that is begun."""
    return lambda request: status(410, "Expired") if "watch" in request.query else None


@pytest.mark.parametrize(
    ("make", "seconds"),
    [(_conflicts, 4.0), (_too_many, 4.0), (_broken, 4.0), (_expired, 4.0)],
    ids=["conflicts", "too many requests", "broken", "expired"],
)
async def test_answers_that_fail(
    stage: Stage, make: Callable[[], Callable[[web.Request], web.Response | None]], seconds: float
) -> None:
    """For four seconds in the middle of the attempts."""
    async with Reverse(stage.cluster) as door:
        async with _attempts(stage, door.url) as recorder:
            await stage.until(_begun, LAST)
            door.fault = make()
            door.cut()
            await asyncio.sleep(seconds)  # the length of the fault
            door.fault = None

        assert door.faults
    assert _is_right(recorder), recorder.seen


async def test_every_answer_takes_five_seconds(stage: Stage) -> None:
    """For as long as a whole step takes, with a Lease that is long enough to be renewed meanwhile."""
    async with Reverse(stage.cluster) as door, _attempts(stage, door.url, lease_seconds=60.0) as recorder:
        await stage.until(_begun, LAST)
        door.delay_seconds = 5.0
        await stage.until(_beyond_the_first, LAST, seconds=90.0)
        door.delay_seconds = 0.0

    assert _is_right(recorder), recorder.seen


async def test_answers_come_too_late_to_keep_the_lease(stage: Stage) -> None:
    """For twelve seconds: the Lease is lost, nothing is written without it, and all goes on once it is taken again."""
    async with Reverse(stage.cluster) as door, _attempts(stage, door.url) as recorder:
        await stage.until(_begun, LAST)
        door.delay_seconds = 5.0
        await asyncio.sleep(12)  # the length of the fault
        door.delay_seconds = 0.0

    assert _is_right(recorder), recorder.seen


async def test_half_open_connections(stage: Stage) -> None:
    """What is sent vanishes while connections stay open; found, and gone on with, within 20 seconds after that."""
    async with Proxy(stage.cluster.port) as door:
        async with _attempts(stage, door.url) as recorder:
            await stage.until(_begun, LAST)
            door.set(Mode.SWALLOW)
            await asyncio.sleep(3)  # the length of the fault
            door.set(Mode.PASS)
            began = time.monotonic()
        took = time.monotonic() - began

    assert _is_right(recorder), recorder.seen
    assert took < 60
