"""A Rollout in each phase, with a controller that runs, for tests of every command in every phase.

The guards beyond the phase are content: the step of an attempt waits for an approval, a promotion can be undone, the
canary is ready. `Promoting` and `Aborting` stand still because the routes cannot be written.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from rollout.api.app import create_app
from rollout.api.connections import Limits
from rollout.api.server import ServerOptions, serving
from rollout.api.service import Service
from rollout.clock import SystemClock
from rollout.controller.controller import Controller, Options, Ports
from rollout.controller.switch import OperatorSwitch
from rollout.engine.commands import FAILOVER_ACTIONS
from rollout.engine.observation import Command
from rollout.engine.reasons import Refusal
from rollout.engine.state import State
from rollout.engine.table import LEGAL, Action, Phase
from rollout.meters import Meters
from rollout.settings.address import Address
from tests.api.world import known_callers, options
from tests.controller.builders import KEY, ROUTE, UP, V1, V2, backend, manifest
from tests.fakes.gates import FakeGates
from tests.fakes.health import FakeBackendHealth
from tests.fakes.measurements import FakeMeasurements
from tests.fakes.routes import FakeRouteTable
from tests.fakes.store import FakeStore
from tests.fakes.switch import FakeSwitch
from tests.waiting import until

STEPS = ({"weight": 10, "hold": "1h", "approval": True}, {"weight": 50, "hold": "1h"})

FAR = "checkout-far"
"""The backup of scenes with failover that is named in a command; the other one is preferred."""

ARGUMENTS: Mapping[Action, Mapping[str, object]] = {
    Action.START: {"revision": "4"},
    Action.APPROVE: {"step": 1},
    Action.ADOPT: {"stable": V1},
    Action.FAILOVER: {"to": FAR},
    Action.FAILBACK: {"epoch": 1},
}
"""What each command that takes arguments is given."""

ROLES_UNKNOWN = "Paused, roles unknown"
"""The scene beside the phases: both backends have weight, so that nobody knows which is stable."""

SCENES: tuple[str, ...] = (*Phase, ROLES_UNKNOWN)

HOLD_LEFT = re.compile(r": \S+ of(?= \S+ hold time left)")


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a refused command must leave as it is; ``writes`` is how many writes the routes took."""

    state: State
    weights: tuple[int, ...]
    writes: int
    wanted: Mapping[str, object]


@dataclass(slots=True)
class Standing:
    """One Rollout, its controller, and what is around them."""

    store: FakeStore = field(default_factory=FakeStore)
    routes: FakeRouteTable = field(default_factory=FakeRouteTable)
    clock: SystemClock = field(default_factory=SystemClock)
    health: FakeBackendHealth = field(init=False)
    _numbers: int = 0
    _controller: Controller | None = None

    def __post_init__(self) -> None:
        """Let endpoints be heard by the clock of the controller."""
        self.health = FakeBackendHealth(self.clock)

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
        state = self.state_or_none
        assert state is not None
        return state

    @property
    def state_or_none(self) -> State | None:
        """Return where the Rollout stands, None before the first pass."""
        return self.controller.state(KEY)

    @property
    def untouched(self) -> State:
        """Return where the Rollout stands, without what was answered to commands and how much hold time is left."""
        return replace(self.state, handled=(), message=HOLD_LEFT.sub(": some of", self.state.message))

    def weights(self) -> tuple[int, ...]:
        """Return the weights of the route."""
        view = self.routes.read(ROUTE)
        assert view is not None
        return tuple(ref.weight for ref in view.rules[0].refs)

    async def facts(self) -> Facts:
        """Return the facts once they are at rest: the same after two more passes."""
        before, after = self._facts(), await self.facts_later()
        while before != after:
            before, after = after, await self.facts_later()
        return after

    async def facts_later(self) -> Facts:
        """Return the facts two passes later: what the last command set going is over by then."""
        for _ in range(2):
            await self._one_more_pass()
        return self._facts()

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

    async def _one_more_pass(self) -> None:
        passes = self.controller.counts.passes
        self.controller.wake(KEY)
        await until(lambda: self.controller.counts.passes > passes)

    def _facts(self) -> Facts:
        stored = self.store.read(KEY)
        assert stored is not None
        return Facts(self.untouched, self.weights(), len(self.routes.writes), stored.document)

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
async def standing(
    *, weights: Mapping[str, int] | None = None, spec: Mapping[str, object] | None = None
) -> AsyncIterator[Standing]:
    """Run a controller with one Rollout, whose route has these weights, as long as the context is open."""
    world, given = Standing(), weights or {V1: 100, V2: 0}
    world.routes.put(ROUTE, given)
    for name in given:
        world.health.put(backend(name), UP)
    await world.store.apply(standing_manifest(**(spec or {})))
    running = asyncio.create_task(world.controller.run())
    try:
        yield world
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@asynccontextmanager
async def scene(name: str) -> AsyncIterator[Standing]:
    """Bring a Rollout into one of ``SCENES``, as long as the context is open."""
    stable = 50 if name == ROLES_UNKNOWN else 100
    async with standing(weights={V1: stable, V2: 100 - stable}) as rollout:
        if name == ROLES_UNKNOWN:
            await until(lambda: rollout.controller.state(KEY) is not None and rollout.state.phase is Phase.PAUSED)
        else:
            await rollout.reach(Phase(name))
        yield rollout


@asynccontextmanager
async def served(rollout: Standing) -> AsyncIterator[str]:
    """Put the API before the Rollout on a free port, as long as the context is open; yield its URL."""
    store, limits = rollout.store, options()
    service = Service(
        store,
        store,
        store,
        rollout.controller,
        known_callers(),
        rollout.clock,
        Meters(),
        "envoy",
        lambda: "",
        OperatorSwitch(FakeSwitch(), rollout.clock),
    )
    where = ServerOptions(Address("127.0.0.1", 0), Limits(connections=20))
    async with serving(create_app(service, limits), where, limits.streams.closing) as listening:
        yield listening.url


def refusal(name: str, action: Action) -> tuple[Refusal, str] | None:
    """Return why the command is refused in this scene: reason and sentence; None where it is legal."""
    phase = Phase.PAUSED if name == ROLES_UNKNOWN else Phase(name)
    if action in FAILOVER_ACTIONS and name != ROLES_UNKNOWN:
        return Refusal.NO_FAILOVER, f"{action} needs spec.failover, which is not there"
    if action not in FAILOVER_ACTIONS and phase not in LEGAL[action]:
        allowed = " or ".join(LEGAL[action])
        return Refusal.ILLEGAL, f"{action} is legal in phase {allowed}; the phase is {phase}"
    if name == ROLES_UNKNOWN and action is not Action.ADOPT:
        return Refusal.ROLES_UNKNOWN, f"{action} is refused while the roles are unknown; adopt tells them"
    if name != ROLES_UNKNOWN and action is Action.ADOPT:
        return Refusal.ILLEGAL, f"the roles are known: {V2} is stable"
    return None
