"""Ten thousand Rollouts in one controller, a look at counters every ten seconds: what it costs, and how late it is.

Waiting is virtual and work is not: the loop's clock runs on by the processor time that is spent, and leaps over the
rest. So a minute of ten thousand attempts takes the seconds that they cost, and a pass that others keep waiting is
late by as much as it would be.
"""

import asyncio
import gc
import sys
import time
import tracemalloc
from collections.abc import Mapping

import pytest
import structlog

from rollout.analysis.samples import ERRORS, Batch, Family, Series, slower_than
from rollout.controller.controller import Controller, Options, Ports
from rollout.engine.observation import BackendKey, Command, Endpoints, RouteKey
from rollout.ports import Ask, Key
from rollout.rehearsal.health import SimulatedGates
from rollout.rehearsal.virtual_loop import VirtualClock, VirtualLoop
from tests.fakes.health import FakeBackendHealth
from tests.fakes.routes import FakeRouteTable
from tests.fakes.store import FakeStore

ROLLOUTS = 10_000
CADENCE_SECONDS = 10.0
WARM_UP_SECONDS = 60.0
LONGEST_START_SECONDS = 300.0
SETTLED_SECONDS = 0.05
MEMORY_ROLLOUTS = 500
MEASURED_SECONDS = 60.0
EPOCH = 2_000_000_000.0
PODS = 4
MICRO, KIB = 1e6, 1024


class CostedLoop(VirtualLoop):
    """A virtual loop on which work takes the processor time that it takes."""

    def time(self) -> float:
        """Return the virtual seconds, work included."""
        return super().time() + time.process_time()


class Source:
    """Counters that grow evenly, sampled at the same moments for all (one scrape of one gateway), or spread."""

    replays = True

    def __init__(self, clock: VirtualClock, *, spread: bool) -> None:
        self.spread = spread
        self.seconds = 0.0
        self.asked = 0
        self._clock = clock

    async def measure(self, ask: Ask) -> Batch:
        """Return the samples since the last look, made up as they are asked for."""
        began = time.process_time()
        batch = self._batch(ask)
        self.seconds += time.process_time() - began
        self.asked += 1
        return batch

    def _batch(self, ask: Ask) -> Batch:
        number = int(ask.canary.name.rsplit("-", 1)[1])
        phase = CADENCE_SECONDS * number / ROLLOUTS if self.spread else 0.0
        newest = ((self._clock.now() - phase) // CADENCE_SECONDS) * CADENCE_SECONDS + phase
        times = [at for at in (newest - 20, newest - 10, newest) if at >= ask.since - CADENCE_SECONDS]
        counts = [ERRORS, *map(slower_than, ask.bounds)]
        pair = ((ask.canary.name, 1, 2.0), (ask.stable.name, PODS, 10.0))
        families = (
            (name, count, self._family(name, pods, rate, times)) for name, pods, rate in pair for count in counts
        )
        return Batch({(name, count): family for name, count, family in families})

    def _family(self, name: str, pods: int, rate: float, times: list[float]) -> Family:
        total = tuple(
            Series(f"{name}/{pod}", "gateway", f"pod-{pod}", tuple((at, (at - EPOCH + 100) * rate) for at in times))
            for pod in range(pods)
        )
        return Family(total, ())

    def checkpoint(self, ask: Ask) -> Mapping[str, object]:
        """Return nothing: samples can be asked for again."""
        return {}


def document(number: int) -> dict[str, object]:
    """Return a Rollout with four steps, the first of which holds for a day."""
    weights = ((10, "24h"), (25, "5m"), (50, "5m"), (95, "10m"))
    return {
        "kind": "Rollout",
        "metadata": {"name": f"app-{number}", "namespace": "shop"},
        "spec": {
            "routes": [{"kind": "HTTPRoute", "name": f"route-{number}"}],
            "backends": {"stable": {"name": f"stable-{number}"}, "canary": {"name": f"canary-{number}"}},
            "steps": [{"weight": weight, "hold": hold} for weight, hold in weights],
        },
    }


async def fill(store: FakeStore, routes: FakeRouteTable, health: FakeBackendHealth, rollouts: int) -> None:
    """Put everything in place: Rollouts, each with a command to start, routes, endpoints."""
    for number in range(rollouts):
        key = await store.apply(document(number))
        await store.command(key, Command(f"c{number}", "start", {"revision": "v2"}, at=EPOCH))
        stable, canary = f"stable-{number}", f"canary-{number}"
        routes.put(RouteKey("HTTPRoute", "shop", f"route-{number}"), {stable: 100, canary: 0})
        health.put(BackendKey("shop", stable), Endpoints(PODS, PODS))
        health.put(BackendKey("shop", canary), Endpoints(1, 1))


async def lags(seconds: float) -> list[float]:
    """Return by how much a timer that rings every ten milliseconds was late, in order of size."""
    loop = asyncio.get_running_loop()
    found: list[float] = []
    ends = loop.time() + seconds
    while (due := loop.time() + 0.01) < ends:
        await asyncio.sleep(0.01)
        found.append(loop.time() - due)
    return sorted(found)


async def idle_passes(controller: Controller, keys: list[Key]) -> float:
    """Return the seconds that a pass takes in which nothing has changed."""
    passes, began = controller.counts.passes, time.process_time()
    for key in keys:
        controller.wake(key)
    while controller.counts.passes < passes + len(keys):
        await asyncio.sleep(0.001)
    return (time.process_time() - began) / (controller.counts.passes - passes)


async def measure(*, spread: bool) -> dict[str, float]:
    """Run ten thousand attempts and return the figures."""
    loop = asyncio.get_running_loop()
    clock = VirtualClock(loop, began_at=EPOCH - loop.time())
    store, routes, health, source = FakeStore(), FakeRouteTable(), FakeBackendHealth(), Source(clock, spread=spread)
    await fill(store, routes, health, ROLLOUTS)
    controller = Controller(Ports(store, routes, health, source, SimulatedGates(), clock), Options(CADENCE_SECONDS))
    run = loop.create_task(controller.run())
    began = loop.time()
    await asyncio.sleep(WARM_UP_SECONDS)
    while (await lags(1.0))[-1] > SETTLED_SECONDS and loop.time() - began < LONGEST_START_SECONDS:
        await asyncio.sleep(CADENCE_SECONDS)
    settled = loop.time() - began
    started = sum(bool(status["step"]) for _, status in store.records[-ROLLOUTS:])
    store.records.clear()
    passes, asked, source_seconds, records = controller.counts.passes, source.asked, source.seconds, len(store.records)
    spent, began = time.process_time(), loop.time()
    found = await lags(MEASURED_SECONDS)
    cpu, elapsed = time.process_time() - spent, loop.time() - began
    source_cpu = source.seconds - source_seconds
    ticks = source.asked - asked
    figures = {
        "attempts running": float(started),
        "seconds from the start of all until none is late": settled,
        "passes a second": (controller.counts.passes - passes) / elapsed,
        "processor of one core, %": 100 * (cpu - source_cpu) / elapsed,
        "us of processor per look: question, judge and passes": MICRO * (cpu - source_cpu) / ticks,
        "us of processor per pass": MICRO * (cpu - source_cpu) / (controller.counts.passes - passes),
        "records while nothing changed": float(len(store.records) - records),
        "lateness p50, ms": 1000 * found[len(found) // 2],
        "lateness p99, ms": 1000 * found[int(len(found) * 0.99)],
        "lateness max, ms": 1000 * found[-1],
        "us of processor per pass in which nothing changed": MICRO * await idle_passes(controller, list(store.keys())),
    }
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    return figures


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("spread", [True, False], ids=["scrapes spread", "one scrape for all"])
def test_ten_thousand_attempts(capsys: pytest.CaptureFixture[str], *, spread: bool) -> None:
    """A pass without news takes 200 us at most, a Rollout 40 KiB, and 99 of 100 passes begin within 200 ms."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    with asyncio.Runner(loop_factory=CostedLoop) as runner:
        figures = runner.run(measure(spread=spread))
    structlog.reset_defaults()
    lines = [f"  {name:58} {value:12.1f}\n" for name, value in figures.items()]
    with capsys.disabled():
        sys.stdout.write(
            f"\n{ROLLOUTS} attempts, {'scrapes spread' if spread else 'one scrape for all'}:\n{''.join(lines)}"
        )

    assert figures["attempts running"] == ROLLOUTS
    assert figures["records while nothing changed"] == 0
    assert figures["us of processor per pass in which nothing changed"] <= 200
    assert figures["lateness p99, ms"] <= 200


async def live_memory() -> float:
    """Return the KiB alive for each Rollout under way: manifest, status, routes, and all of the controller's."""
    loop = asyncio.get_running_loop()
    clock = VirtualClock(loop, began_at=EPOCH - loop.time())
    store, routes, health = FakeStore(), FakeRouteTable(), FakeBackendHealth()
    source = Source(clock, spread=True)
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    await fill(store, routes, health, MEMORY_ROLLOUTS)
    controller = Controller(Ports(store, routes, health, source, SimulatedGates(), clock), Options(CADENCE_SECONDS))
    run = loop.create_task(controller.run())
    await asyncio.sleep(WARM_UP_SECONDS)
    store.records.clear()
    gc.collect()
    alive, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    return (alive - before) / MEMORY_ROLLOUTS / KIB


def test_the_memory_of_a_rollout(capsys: pytest.CaptureFixture[str]) -> None:
    """A Rollout under way takes 40 KiB at most, its manifest and its status in the store included."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    with asyncio.Runner(loop_factory=CostedLoop) as runner:
        kib = runner.run(live_memory())
    structlog.reset_defaults()
    with capsys.disabled():
        sys.stdout.write(f"\nKiB alive per Rollout under way: {kib:.1f}\n")

    assert kib <= 40
