"""One failover as the world sees it: the primaries are killed, the backups take over, the primaries come back.

Used by ``rollout.demo.show``. As with an attempt, figures come from clients and from Envoy's route file; the controller
is asked only where its failover stands, and why.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from rollout.demo.acts import Outcome, RampStep, Return, ServiceResult
from rollout.demo.attempts import States
from rollout.demo.behaviour import Behaviour
from rollout.demo.manifests import write_manifest
from rollout.demo.scene import backup_of
from rollout.demo.tally import Tally
from rollout.demo.traffic import Window
from rollout.demo.waiting import until
from rollout.demo.weights import Change, WeightWatch
from rollout.demo.world import COLOURS, SERVICES, World
from rollout.engine.state import State
from rollout.errors import Unavailable
from rollout.failover.reasons import Reason
from rollout.failover.table import Stage

AWAY_SECONDS = 3.0
"""How long a primary stays away after its backup took over."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What is done: the revision that manifests ask for, the one of each backend, and for how long primaries are away.

    A failover and its failback may take ``limit_seconds`` together.
    """

    revision: str
    revisions: Mapping[str, str]
    away_seconds: float = AWAY_SECONDS
    limit_seconds: float = 45.0


async def fail_over(world: World, states: States, watch: WeightWatch, failure: Failure) -> tuple[ServiceResult, ...]:
    """Kill the primary of every service, bring it back later, and return how each service fared.

    Raises:
        Unavailable: the controller has no state of a service, or a backend does not come back.
    """
    window = world.traffic.open_window()
    plays = [_Play(world, states, service, failure=failure, window=window) for service in SERVICES]
    await asyncio.gather(*(play.run() for play in plays))
    await world.traffic.settle()
    world.traffic.close_window(window)
    return tuple(play.result(watch.changes) for play in plays)


def ramp_of(changes: Iterable[Change], service: str, primary: str, since: float) -> tuple[RampStep, ...]:
    """Return how ``primary`` got its traffic back after it had none, later than ``since`` (Unix seconds)."""
    names = [*(f"{service}-{colour}" for colour in COLOURS), backup_of(service)]
    steps: list[tuple[float, int]] = []
    gone = False
    for change in changes:
        if change.at < since:
            continue
        total = sum(change.weights.get(name, 0) for name in names) or 1
        percent = round(100 * change.weights.get(primary, 0) / total)
        if percent == 0:
            gone, steps = True, []
        elif gone and percent != (steps[-1][1] if steps else 0):
            steps.append((change.at, percent))
    return tuple(RampStep(at - steps[0][0], percent) for at, percent in steps)


class _Play:
    """The failover of one service, and when what happened in it (Unix seconds; None: not yet)."""

    def __init__(self, world: World, states: States, service: str, *, failure: Failure, window: Window) -> None:
        self._world = world
        self._states = states
        self._service = service
        self._failure = failure
        self._window = window
        state = self._state()
        self._primary, self._epoch = state.stable, state.failover.epoch
        self._behaviour = Behaviour(failure.revisions[self._primary])
        self._is_dead = False
        self._killed_at: float | None = None
        self._back_at: float | None = None

    async def run(self) -> None:
        """Let it happen, or give up when it takes too long; the primary is there again in the end either way."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._failure.limit_seconds):
                await self._run()
        if self._is_dead:
            await self._revive()

    async def _run(self) -> None:
        await self._world.deploy(backup_of(self._service), self._behaviour)
        write_manifest(self._world.manifests, self._service, self._failure.revision, failover=True)
        await until(partial(self._stands, Stage.NORMAL, self._epoch, Reason.WATCHING))
        self._killed_at, self._is_dead = time.time(), True
        await self._world.kill(self._primary)
        await until(partial(self._stands, Stage.FAILED_OVER, self._epoch + 1))
        await until(self._backup_answers)
        await asyncio.sleep(self._failure.away_seconds)
        await self._revive()
        await until(partial(self._stands, Stage.NORMAL, self._epoch + 1))
        self._back_at = time.time()

    async def _revive(self) -> None:
        self._is_dead = False
        await self._world.revive(self._primary, self._behaviour)

    async def _stands(self, stage: Stage, epoch: int, reason: Reason | None = None) -> bool | None:
        failover = self._state().failover
        there = failover.stage is stage and failover.epoch >= epoch
        return (there and (reason is None or failover.reason == reason)) or None

    async def _backup_answers(self) -> float | None:
        return self._tally().of(backup_of(self._service)).first_at

    def result(self, changes: Iterable[Change]) -> ServiceResult:
        """Return how the service fared."""
        tally, killed_at, back_at = self._tally(), self._killed_at, self._back_at
        first_at = tally.of(backup_of(self._service)).first_at
        seconds = first_at - killed_at if first_at is not None and killed_at is not None else None
        ramp = ramp_of(changes, self._service, self._primary, killed_at) if killed_at is not None else ()
        return ServiceResult(
            service=self._service,
            outcome=Outcome.FAILED_BACK if back_at is not None else None,
            seconds=back_at - killed_at
            if back_at is not None and killed_at is not None
            else self._failure.limit_seconds,
            bad_to_zero_seconds=None,
            requests=tally.answered,
            failed=tally.failed,
            sentence=self._why(),
            failover=Return(seconds, ramp),
        )

    def _why(self) -> str:
        """Return the sentence with which the traffic left; where it did not come back, the one that says why not."""
        state = self._state()
        if self._back_at is None:
            stands = f"{state.failover.stage}, {state.failover.message or state.message}"
            return f"not over after {self._failure.limit_seconds:.0f} s: {stands}"
        left = [made.message for made in state.transitions if made.reason == Reason.FAILED_OVER]
        return left[-1] if left else state.failover.message

    def _tally(self) -> Tally:
        return self._window.of(self._service)

    def _state(self) -> State:
        state = self._states(self._service)
        if state is None:
            message = f"the controller has no state for {self._service}"
            raise Unavailable(message)
        return state
