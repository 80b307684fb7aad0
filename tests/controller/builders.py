"""A controller over fakes, in virtual time: what stands in the world, and short ways to change it and to wait."""

from __future__ import annotations

import asyncio
import functools
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, ParamSpec

from structlog.testing import capture_logs

from rollout.analysis.samples import ERRORS, Batch
from rollout.controller.alone import Always, NeverStopped, NoNotices
from rollout.controller.controller import Controller, Options, Ports
from rollout.controller.passes import Told
from rollout.engine.hooks import GateAnswer
from rollout.engine.observation import (
    BackendKey,
    Command,
    Endpoints,
    RouteKey,
    RouteView,
    RuleWeights,
    WorkloadKey,
    WorkloadView,
)
from rollout.engine.state import State
from rollout.engine.table import Phase
from rollout.ports import Ask, Clock, Elector, GateCall, Key
from rollout.rehearsal.virtual_loop import VirtualClock, run
from rollout.signals import Notices, Switch
from tests.fakes.gates import FakeGates
from tests.fakes.health import FakeBackendHealth
from tests.fakes.measurements import TOTAL, FakeMeasurements
from tests.fakes.probes import FakeProbes
from tests.fakes.routes import FakeRouteTable
from tests.fakes.store import FakeStore
from tests.fakes.workloads import FakeWorkloads

V1, V2 = "checkout-v1", "checkout-v2"
KEY = Key("shop", "checkout")
ROUTE = RouteKey("HTTPRoute", "shop", "checkout")
WEB = RouteKey("HTTPRoute", "shop", "checkout-web")
NOW = 1_800_000_000.0
UP, DOWN = Endpoints(ready=2, total=2), Endpoints(ready=0, total=2)
ERRORS_ONLY: Mapping[str, object] = {"checks": [{"name": "errors", "kind": "Errors"}]}
ONE_STEP: Sequence[Mapping[str, object]] = ({"weight": 10, "hold": "1h"},)
Arguments = ParamSpec("Arguments")


def virtually(test: Callable[Arguments, Coroutine[Any, Any, None]]) -> Callable[Arguments, None]:
    """Let a test run in virtual time, where an hour of waiting takes none."""

    @functools.wraps(test)
    def in_virtual_time(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        run(test(*args, **kwargs))

    return in_virtual_time


def quietly(
    test: Callable[Arguments, Coroutine[Any, Any, None]],
) -> Callable[Arguments, Coroutine[Any, Any, None]]:
    """Let a test that provokes errors keep their tracebacks to itself: to print them takes seconds."""

    @functools.wraps(test)
    async def with_logs_kept(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        with capture_logs() as logs:
            await test(*args, **kwargs)
        assert any(entry.get("exc_info") for entry in logs)

    return with_logs_kept


def manifest(**spec: object) -> dict[str, object]:
    """Return the manifest of a sound Rollout without checks, `spec` laid over its spec; None takes a field away."""
    whole: dict[str, object] = {
        "routes": [{"kind": "HTTPRoute", "name": "checkout"}],
        "backends": {"stable": {"name": V1}, "canary": {"name": V2}},
        "steps": list(ONE_STEP),
        "revision": "1",
        "analysis": {"checks": []},
        **spec,
    }
    kept = {field_name: value for field_name, value in whole.items() if value is not None}
    return {"kind": "Rollout", "metadata": {"name": KEY.name, "namespace": KEY.namespace}, "spec": kept}


def backend(name: str) -> BackendKey:
    """Return the key of a backend of the namespace `shop`."""
    return BackendKey(KEY.namespace, name)


class ContestedRoutes(FakeRouteTable):
    """Routes into which somebody else writes just before us: `contest` has what happens before the next writes.

    `slow_seconds` is how long a write takes; `running` and `most_running` count writes at the same time.
    """

    def __init__(self) -> None:
        super().__init__()
        self.contest: deque[Callable[[], None]] = deque()
        self.slow_seconds = 0.0
        self.running = 0
        self.most_running = 0
        self.down_routes: set[RouteKey] = set()

    async def write(self, key: RouteKey, rules: Sequence[RuleWeights], *, expected: str) -> RouteView:
        """Write after what is in the way has happened."""
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await asyncio.sleep(self.slow_seconds)
            if self.contest:
                self.contest.popleft()()
            self.down = key in self.down_routes
            return await super().write(key, rules, expected=expected)
        finally:
            self.running -= 1


class SlowMeasurements(FakeMeasurements):
    """A source that answers after `slow_seconds`."""

    slow_seconds = 0.0

    async def measure(self, ask: Ask) -> Batch:
        """Answer late."""
        await asyncio.sleep(self.slow_seconds)
        return await super().measure(ask)


class FaultyHealth(FakeBackendHealth):
    """Endpoints, with a backend at which the adapter itself breaks."""

    fault: BackendKey | None = None

    def keep_time(self, clock: Clock) -> None:
        """Hear of endpoints by this clock from now on."""
        self._clock = clock

    def endpoints(self, backend: BackendKey) -> Endpoints:
        """Break where the test said, else answer."""
        if backend == self.fault:
            raise RuntimeError("a fault in an adapter")
        return super().endpoints(backend)


class FailingGates(FakeGates):
    """Gates that raise `error` as long as it is set, and answer only once `hold` is set."""

    error: Exception | None = None
    hold: asyncio.Event | None = None

    async def ask(self, call: GateCall) -> GateAnswer:
        """Raise what the test said, else answer."""
        answer = await super().ask(call)
        if self.hold is not None:
            await self.hold.wait()
        if self.error is not None:
            raise self.error
        return answer


class SlowWorkloads(FakeWorkloads):
    """Workloads that take `slow_seconds` for a copy, and meet before it what is in `contest`; `tries` counts them.

    A platform that is `deaf` takes the copy and changes nothing.
    """

    def __init__(self) -> None:
        super().__init__()
        self.contest: deque[Callable[[], None]] = deque()
        self.slow_seconds = 0.0
        self.tries = 0
        self.deaf = False

    async def copy_template(
        self, source: WorkloadKey, target: WorkloadKey, *, template: str, expected: str
    ) -> WorkloadView:
        """Copy after what is in the way has happened."""
        self.tries += 1
        await asyncio.sleep(self.slow_seconds)
        if self.contest:
            self.contest.popleft()()
        if self.deaf:
            view = self.read(target)
            assert view is not None
            return view
        return await super().copy_template(source, target, template=template, expected=expected)


@dataclass(slots=True)
class Scene:
    """A world of fakes and the controller in it; made and run inside a virtual loop."""

    clock: VirtualClock = field(default_factory=lambda: VirtualClock(asyncio.get_running_loop(), began_at=NOW))
    store: FakeStore = field(default_factory=FakeStore)
    routes: ContestedRoutes = field(default_factory=ContestedRoutes)
    health: FaultyHealth = field(default_factory=FaultyHealth)
    measurements: SlowMeasurements = field(default_factory=SlowMeasurements)
    gates: FailingGates = field(default_factory=FailingGates)
    workloads: SlowWorkloads = field(default_factory=SlowWorkloads)
    elector: Elector = field(default_factory=Always)
    switch: Switch = field(default_factory=NeverStopped)
    notices: Notices = field(default_factory=NoNotices)
    options: Options = field(default_factory=lambda: Options(cadence_seconds=10.0, chance=lambda: 0.5))
    told: list[Told] = field(default_factory=list)
    probes: FakeProbes = field(init=False)
    _task: asyncio.Task[None] | None = None
    _controller: Controller | None = None
    _commands: int = 0

    def __post_init__(self) -> None:
        """Let everything keep the time of one clock."""
        self.probes = FakeProbes(self.clock)
        self.health.keep_time(self.clock)

    @property
    def controller(self) -> Controller:
        """Return the controller that runs."""
        assert self._controller is not None
        return self._controller

    @property
    def state(self) -> State:
        """Return where the Rollout stands."""
        state = self.controller.state(KEY)
        assert state is not None
        return state

    def weights(self, route: RouteKey = ROUTE) -> tuple[int, ...]:
        """Return the weights of the route's first rule, in its order."""
        view = self.routes.read(route)
        assert view is not None
        return tuple(ref.weight for ref in view.rules[0].refs)

    async def start(self) -> None:
        """Let a controller run, as a process would after its start."""
        outside = (self.store, self.routes, self.health, self.measurements, self.gates, self.clock, self.workloads)
        ports = Ports(*outside, elector=self.elector, probes=self.probes, switch=self.switch, notices=self.notices)
        self._controller = Controller(ports, self.options)
        self._controller.subscribe(self.told.append)
        self._task = asyncio.create_task(self._controller.run())
        await asyncio.sleep(1)

    async def stop(self) -> None:
        """End the controller, as a signal would."""
        assert self._task is not None
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def tell(self, action: str, *, key: Key = KEY, id: str = "", **args: object) -> None:  # noqa: A002 - as a command has it
        """Leave a command for the controller."""
        self._commands += 1
        given = Command(id=id or f"{action}-{self._commands}", action=action, args=args, at=self.clock.now())
        await self.store.command(key, given)

    async def until(self, fact: Callable[[], bool], *, within: float = 60.0) -> float:
        """Wait until `fact` holds; return the virtual seconds that it took, and fail after `within`."""
        began = self.clock.now()
        while not fact():
            await asyncio.sleep(0.01)
            assert self.clock.now() - began <= within, f"not so within {within:g} s"
        return self.clock.now() - began

    async def until_phase(self, phase: Phase, *, within: float = 60.0) -> float:
        """Wait until the Rollout is in this phase."""
        return await self.until(lambda: self.state.phase is phase, within=within)

    def count(self, stable: int, canary: int, *, bad: int = 0) -> None:
        """Let the source have a new sample of these requests in all, `bad` of the canary's failed."""
        now = self.clock.now()
        for name, requests, failed in ((V1, stable, 0), (V2, canary, bad)):
            self.measurements.count(name, TOTAL, now, requests)
            self.measurements.count(name, ERRORS, now, failed)


async def standing(**spec: object) -> Scene:
    """Return a scene with one Rollout at rest, its baseline known."""
    scene = await prepared(**spec)
    await scene.start()
    await scene.until(lambda: bool(scene.state.stable))
    return scene


async def prepared(**spec: object) -> Scene:
    """Return a scene with one Rollout whose controller does not run yet."""
    scene = Scene()
    for route in (ROUTE, WEB):
        scene.routes.put(route, {V1: 100, V2: 0})
    for name in (V1, V2):
        scene.health.put(backend(name), UP)
    await scene.store.apply(manifest(**spec))
    return scene


async def under_way(**spec: object) -> Scene:
    """Return a scene in step 1 of an attempt, its weights written."""
    scene = await standing(**spec)
    await scene.tell("start", revision="2")
    await scene.until(lambda: scene.weights()[1] > 0)
    return scene


async def counting(scene: Scene, *, stable: int = 90, canary: int = 10, bad: int = 0, every: float = 10.0) -> None:
    """Add a sample with so many more requests `every` seconds, for ever."""
    rounds = 0
    while True:
        scene.count(stable * rounds, canary * rounds, bad=bad * rounds)
        rounds += 1
        await asyncio.sleep(every)


async def beside(work: Awaitable[None], scene: Scene, fact: Callable[[], bool], *, within: float) -> float:
    """Wait until `fact` holds while `work` goes on beside it, which is then ended."""
    task = asyncio.ensure_future(work)
    try:
        return await scene.until(fact, within=within)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
