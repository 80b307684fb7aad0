"""The show: plays the acts one after the other in a running world, while spectators look on.

Called by ``rollout.cli.demo``, which brings the world and a controller together. It fails when any
program of the world ends, since nothing could be believed after that.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from rollout.demo.acts import Act, ActResult, Outcome, ServiceResult
from rollout.demo.attempts import States, Wanted, adopt, attempt, canary_of
from rollout.demo.behaviour import Behaviour
from rollout.demo.failing import Failure, fail_over
from rollout.demo.scene import Scene, Spectator, Stage, backup_of
from rollout.demo.traffic import Window
from rollout.demo.waiting import alongside
from rollout.demo.weights import WeightWatch
from rollout.demo.world import COLOURS, SERVICES, World

LOOK_SECONDS = 0.25
"""How often spectators look."""


@dataclass(slots=True)
class Show:
    """One performance: the world, where the controller's states are, and who looks on.

    ``source`` names what the controller measures by. ``pause_seconds`` between the acts leave time
    to read.
    """

    world: World
    states: States
    spectator: Spectator
    acts: Sequence[Act]
    source: str
    pause_seconds: float = 0.0
    _began: float = field(default_factory=time.monotonic)
    _playing: int = 0
    _revision: int = 1
    _revisions: dict[str, str] = field(default_factory=dict)
    _window: Window = field(default_factory=Window)
    _watch: WeightWatch = field(init=False)

    def __post_init__(self) -> None:
        """Look at the weights for the first time; every backend runs v1."""
        self._watch = WeightWatch(self.world.gateway.routes)
        self._revisions = {name: "v1" for service in SERVICES for name in _backends(service)}

    async def play(self) -> tuple[ActResult, ...]:
        """Play all acts; return how each went.

        Raises:
            Unavailable: a program of the world ended, or the controller does not take over.
        """
        return await alongside(self._acts(), self.world.watch(), self._watch.follow(), self._show())

    async def _acts(self) -> tuple[ActResult, ...]:
        await adopt(self.world, self.states)
        results = []
        for number, act in enumerate(self.acts, start=1):
            self._playing = number
            result = await self._act(act)
            self.spectator.look(self.scene())
            self.spectator.ended(result)
            results.append(result)
            await asyncio.sleep(self.pause_seconds)
        return tuple(results)

    async def _act(self, act: Act) -> ActResult:
        began = time.monotonic()
        self._window = self.world.traffic.open_window()
        work = self._failover() if act.expected is Outcome.FAILED_BACK else self._attempt(act)
        services = await work
        self.world.traffic.close_window(self._window)
        return ActResult(act, time.monotonic() - began, services)

    async def _attempt(self, act: Act) -> tuple[ServiceResult, ...]:
        self._revision += 1
        behaviour = Behaviour(f"v{self._revision}", act.error_share, act.latency_factor)
        for service in SERVICES:
            state = self.states(service)
            self._revisions[canary_of(service, state.stable if state else "")] = behaviour.revision
        return await attempt(self.world, self.states, self._watch, Wanted(behaviour))

    async def _failover(self) -> tuple[ServiceResult, ...]:
        for service in SERVICES:
            state = self.states(service)
            stable = state.stable if state else f"{service}-{COLOURS[0]}"
            self._revisions[backup_of(service)] = self._revisions[stable]
        failure = Failure(f"v{self._revision}", self._revisions)
        return await fail_over(self.world, self.states, self._watch, failure)

    async def _show(self) -> None:
        while True:
            self.spectator.look(self.scene())
            await asyncio.sleep(LOOK_SECONDS)

    def scene(self) -> Scene:
        """Return the picture of this moment."""
        act = self.acts[self._playing - 1] if self._playing else None
        stages = tuple(self._stage(service, protocol) for service, protocol in SERVICES.items())
        elapsed = time.monotonic() - self._began
        return Scene(
            act, self._playing, len(self.acts), time.time(), elapsed, stages, self.world.gateway.clients, self.source
        )

    def _stage(self, service: str, protocol: str) -> Stage:
        recent, seconds = self.world.traffic.recent(service)
        names = _backends(service)
        return Stage(
            service=service,
            protocol={"http": "HTTP", "grpc": "gRPC"}[protocol],
            state=self.states(service),
            weights={name: self._watch.now.get(name, 0) for name in names},
            revisions={name: self._revisions[name] for name in names},
            rate=recent.answered / seconds if seconds else 0.0,
            failed=self._window.of(service).failed,
            p50_seconds=recent.p50_seconds,
            p99_seconds=recent.p99_seconds,
        )


def _backends(service: str) -> list[str]:
    return [*(f"{service}-{colour}" for colour in COLOURS), backup_of(service)]
