"""A Rollout in each phase, with a controller that runs, for tests of every command in every phase.

The guards beyond the phase are content: the step of an attempt waits for an approval, a promotion can be undone, the
canary is ready. `Promoting` and `Aborting` stand still because the routes cannot be written.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from rollout.clock import SystemClock
from rollout.controller.controller import Controller, Options, Ports
from rollout.engine.observation import Command
from rollout.engine.state import State
from rollout.engine.table import Action, Phase
from tests.controller.builders import KEY, ROUTE, UP, V1, V2, backend, manifest
from tests.fakes.gates import FakeGates
from tests.fakes.health import FakeBackendHealth
from tests.fakes.measurements import FakeMeasurements
from tests.fakes.routes import FakeRouteTable
from tests.fakes.store import FakeStore
from tests.waiting import until

STEPS = ({"weight": 10, "hold": "1h", "approval": True}, {"weight": 50, "hold": "1h"})

ARGUMENTS: Mapping[Action, Mapping[str, object]] = {
    Action.START: {"revision": "4"},
    Action.APPROVE: {"step": 1},
    Action.ADOPT: {"stable": V1},
    Action.FAILOVER: {"to": V2},
    Action.FAILBACK: {"epoch": 1},
}
"""What each command that takes arguments is given."""


@dataclass(slots=True)
class Standing:
    """One Rollout, its controller, and what is around them."""

    store: FakeStore = field(default_factory=FakeStore)
    routes: FakeRouteTable = field(default_factory=FakeRouteTable)
    health: FakeBackendHealth = field(default_factory=FakeBackendHealth)
    clock: SystemClock = field(default_factory=SystemClock)
    _numbers: int = 0
    _controller: Controller | None = None

    @property
    def controller(self) -> Controller:
        """Return the controller that runs."""
        if self._controller is None:
            ports = Ports(self.store, self.routes, self.health, FakeMeasurements(), FakeGates(), self.clock)
            self._controller = Controller(ports, Options(cadence_seconds=10.0))
        return self._controller

    @property
    def state(self) -> State:
        """Return where the Rollout stands."""
        state = self.controller.state(KEY)
        assert state is not None
        return state

    @property
    def untouched(self) -> State:
        """Return where the Rollout stands, without what was answered to commands."""
        return replace(self.state, handled=())

    def weights(self) -> tuple[int, ...]:
        """Return the weights of the route."""
        view = self.routes.read(ROUTE)
        assert view is not None
        return tuple(ref.weight for ref in view.rules[0].refs)

    async def do(self, action: str, **args: object) -> None:
        """Give a command past the API, and wait until it was done."""
        self._numbers += 1
        given = Command(f"before-{self._numbers}", action, args, at=self.clock.now())
        await self.store.command(KEY, given)
        await until(lambda: any(one.id == given.id and one.done for one in self.state.handled))

    async def reach(self, phase: Phase) -> None:
        """Bring the Rollout into this phase."""
        await until(lambda: self.controller.state(KEY) is not None and self.state.stable)
        await self.do("start", revision="2")
        await self._in_step(1)
        await self.do("promote", full=True)
        await until(lambda: self.state.phase is Phase.IDLE)
        if phase is not Phase.IDLE:
            await self.do("start", revision="3")
            await self._in_step(1)
        await self._on(phase)
        await until(lambda: self.state.phase is phase)

    async def _in_step(self, step: int) -> None:
        await until(lambda: self.state.step == step and self.state.hold.since is not None)

    async def _on(self, phase: Phase) -> None:
        match phase:
            case Phase.IDLE | Phase.PROGRESSING:
                return
            case Phase.PAUSED:
                await self.do("pause")
            case Phase.PROMOTING:
                self.routes.down = True
                await self.do("promote", full=True)
                await until(lambda: "is down" in self.state.message)  # the last thing that changes by itself
            case Phase.ABORTING:
                self.routes.down = True
                await self.do("abort")
            case Phase.ABORTED:
                await self.do("abort")
            case Phase.INVALID:
                await self.store.apply(standing_manifest(precision=0))


def standing_manifest(**spec: object) -> dict[str, object]:
    """Return the manifest of a Rollout that only commands move."""
    whole = manifest(start="Manual", steps=list(STEPS), **spec)
    return {"apiVersion": "rollout.dev/v1alpha1", **whole}


@asynccontextmanager
async def standing(*, stable: int = 100, canary: int = 0) -> AsyncIterator[Standing]:
    """Run a controller with one Rollout, whose route has these weights, as long as the context is open."""
    world = Standing()
    world.routes.put(ROUTE, {V1: stable, V2: canary})
    for name in (V1, V2):
        world.health.put(backend(name), UP)
    await world.store.apply(standing_manifest())
    running = asyncio.create_task(world.controller.run())
    try:
        yield world
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
