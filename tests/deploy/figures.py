"""The service's own metrics over some minutes in which everything happens: what /metrics would have said when.

A controller over fakes in virtual time: an attempt with evidence against it, its rollback, a primary that is lost and
its backup. What the doors to other things count is counted here by hand, since none of them is there.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from prometheus_client.samples import Sample

from rollout.controller.controller import Controller, Ports
from rollout.controller.gauges import RolloutGauges
from rollout.controller.metered import count_told, metered
from rollout.engine.table import Phase
from rollout.meters import Meters
from rollout.notify.gauges import SinkGauges
from rollout.rehearsal.virtual_loop import run
from rollout.signals import SinkStanding
from tests.controller.builders import ROUTE, V1, Scene
from tests.controller.failing import DR, failing_over, lose, world

EVERY_SECONDS = 15.0
TARGET = {"job": "rollout", "instance": "10.0.0.7:8686", "pod": "rollout-controller-1", "namespace": "rollout-system"}
"""Labels of the scrape; one that a metric has itself stays as it is (honor_labels)."""

SPEC: Mapping[str, object] = {
    "steps": [
        {"weight": 10, "hold": "2m", "gates": [{"url": "http://ci.example/ok", "name": "load"}]},
        {"weight": 50, "hold": "1h"},
    ],
    "analysis": {"checks": [{"name": "errors", "kind": "Errors"}], "minRequests": 0},
}


@dataclass(slots=True)
class CountedScene(Scene):
    """A scene whose controller is counted, as ``rollout.bootstrap`` does it."""

    meters: Meters = field(default_factory=Meters)
    taken: list[tuple[float, tuple[Sample, ...]]] = field(default_factory=list)

    async def start(self) -> None:
        """Let a controller run."""
        outside = (self.store, self.routes, self.health, self.measurements, self.gates, self.clock, self.workloads)
        ports = Ports(*outside, elector=self.elector, probes=self.probes, switch=self.switch, notices=self.notices)
        self._controller = Controller(metered(ports, self.meters), self.options, self.meters)
        self._controller.subscribe(count_told(self.meters))
        self.meters.registry.register(RolloutGauges(self._controller.states))
        self.meters.registry.register(SinkGauges(lambda: [SinkStanding("pager", "slack", 3, 2, 1)], self.clock.now))
        self.meters.shards_are(lambda: 1, of=1)
        self.meters.stopped_is(lambda: self.switch.stopped)
        self.meters.streams_are(lambda: 2)
        self._task = asyncio.create_task(self._controller.run())
        await asyncio.sleep(1)

    async def scraped(self) -> None:
        """Take what there is, every 15 seconds, for ever."""
        while True:
            doors(self.meters)
            families = self.meters.registry.collect()
            self.taken.append((self.clock.now(), tuple(one for family in families for one in family.samples)))
            await asyncio.sleep(EVERY_SECONDS)


def doors(meters: Meters) -> None:
    """Count once what the doors count."""
    for source in ("prometheus", "kubernetes"):
        meters.asked(source, 0.02, None)
    meters.asked("prometheus", 5.0, TimeoutError())
    meters.request_began()
    meters.request_ended("GET", "/api/v1/rollouts", 200, 0.004)
    meters.authentication_failed()
    meters.rate_limited()
    meters.stream_ended("gone")
    meters.event_lost()
    meters.probe_began(0.003)


@dataclass(slots=True)
class Requests:
    """Requests in all, as sources count them; ``bad`` of each hundred of the canary's fail from now on."""

    bad: int = 0

    async def flow(self, scene: Scene) -> None:
        """Let a thousand come every ten seconds, for ever, as the weights say at first."""
        failed = 0
        for rounds in itertools.count():
            scene.count(900 * rounds, 100 * rounds, bad=failed)
            await asyncio.sleep(10)
            failed += self.bad


async def play() -> list[tuple[float, tuple[Sample, ...]]]:
    """Let it all happen and return what was scraped when."""
    scene, requests = CountedScene(), Requests()
    await world((failing_over(spec=SPEC), ROUTE), scene=scene)
    await scene.start()
    beside = {asyncio.create_task(scene.scraped())}
    try:
        await scene.until(lambda: bool(scene.state.stable))
        await scene.tell("start", revision="2")
        await scene.until(lambda: scene.weights()[1] > 0)
        beside.add(asyncio.create_task(requests.flow(scene)))
        await scene.until(lambda: scene.state.step == 2, within=600)
        requests.bad = 5
        await scene.until_phase(Phase.ABORTED, within=600)
        lose(scene, V1)
        await scene.until(lambda: scene.state.failover.active == DR, within=120)
        await asyncio.sleep(60)
    finally:
        for task in beside:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await scene.stop()
    return scene.taken


def scrapes() -> list[tuple[float, tuple[Sample, ...]]]:
    """Return what was scraped when (Unix seconds)."""
    return run(play())


def openmetrics(taken: Sequence[tuple[float, tuple[Sample, ...]]]) -> str:
    """Return all scrapes as one text that promtool makes a database of, each sample with its time."""
    lines = [
        f"{one.name}{_labels(one.labels)} {one.value} {at:.3f}"
        for at, samples in taken
        for one in samples
        if not one.name.endswith("_created")
    ]
    return "\n".join([*lines, "# EOF", ""])


def _labels(own: Mapping[str, str]) -> str:
    return "{" + ",".join(f'{name}="{value}"' for name, value in {**TARGET, **own}.items()) + "}"
