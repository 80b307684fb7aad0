"""One attempt as the world sees it: deploy a revision, ask for it, wait for the end, count.

Used by ``rollout.demo.show``, and by the bench for many attempts in one world. What it says of an
attempt it takes from clients and from Envoy's route file; of the controller it asks only how the
attempt ended and why.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from rollout.controller.controller import Controller
from rollout.demo.acts import Outcome, ServiceResult
from rollout.demo.behaviour import Behaviour
from rollout.demo.manifests import STEPS, DemoStep, write_manifest
from rollout.demo.tally import Tally
from rollout.demo.waiting import until
from rollout.demo.weights import WeightWatch
from rollout.demo.world import COLOURS, SERVICES, World
from rollout.engine.state import State
from rollout.engine.table import Phase
from rollout.errors import Unavailable
from rollout.ports import Key

States = Callable[[str], State | None]
"""Gives the newest state of a service's Rollout, by the service's name; None when there is none yet."""

NAMESPACE = "default"
"""Where the demo's Rollouts are."""

BASELINE_SECONDS = 20.0
"""A controller has adopted the Rollouts of the demo by then."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The attempt that is wanted: what is deployed, by which steps it goes up, and how long it may take."""

    behaviour: Behaviour
    steps: Sequence[DemoStep] = STEPS
    limit_seconds: float = 40.0


def states_of(controller: Controller) -> States:
    """Return where the demo's Rollouts stand in this controller, with live numbers."""
    return lambda service: controller.state(Key(NAMESPACE, service))


def canary_of(service: str, stable: str) -> str:
    """Return the backend of ``service`` that is not ``stable``."""
    return next(name for name in (f"{service}-{colour}" for colour in COLOURS) if name != stable)


async def adopt(world: World, states: States, *, limit_seconds: float = BASELINE_SECONDS) -> None:
    """Write the manifests with the revision that runs already, v1, and wait until the controller knows the roles.

    Raises:
        Unavailable: it does not within ``limit_seconds``.
    """
    for service in SERVICES:
        write_manifest(world.manifests, service, "v1")
    for service in SERVICES:
        try:
            await asyncio.wait_for(until(partial(_adopted, states, service)), limit_seconds)
        except TimeoutError as error:
            state = states(service)
            why = state.message if state is not None else "it has no state"
            message = f"the controller did not take over the Rollout {service} within {limit_seconds:.0f} s: {why}"
            raise Unavailable(message) from error


async def _adopted(states: States, service: str) -> State | None:
    state = states(service)
    return state if state is not None and state.phase is Phase.IDLE and state.stable and state.seen_revision else None


async def attempt(world: World, states: States, watch: WeightWatch, wanted: Wanted) -> tuple[ServiceResult, ...]:
    """Run one attempt of every service at once; return how each went."""
    before = {service: _state(states, service) for service in SERVICES}
    canaries = {service: canary_of(service, state.stable) for service, state in before.items()}
    for canary in canaries.values():
        await world.deploy(canary, wanted.behaviour)
    window = world.traffic.open_window()
    began = time.time()
    for service in SERVICES:
        write_manifest(world.manifests, service, wanted.behaviour.revision, wanted.steps)
    ends = await asyncio.gather(
        *(_end(states, service, before[service].attempt, wanted.limit_seconds) for service in SERVICES)
    )
    await world.traffic.settle()
    world.traffic.close_window(window)
    seen = _Seen(began, canaries, watch, wanted.behaviour)
    return tuple(seen.result(service, window.of(service), end) for service, end in zip(SERVICES, ends, strict=True))


@dataclass(frozen=True, slots=True)
class _End:
    """How an attempt ended, when (Unix seconds), and the sentence that says why."""

    outcome: Outcome | None
    at: float
    sentence: str


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is known of an attempt when it is over."""

    began: float
    canaries: Mapping[str, str]
    watch: WeightWatch
    behaviour: Behaviour

    def result(self, service: str, tally: Tally, end: _End) -> ServiceResult:
        """Return how ``service`` fared."""
        bad_at = self._first_bad_at(service, tally) if end.outcome is Outcome.ROLLED_BACK else None
        zero_at = self.watch.zero_since(self.canaries[service], bad_at) if bad_at is not None else None
        return ServiceResult(
            service=service,
            outcome=end.outcome,
            seconds=end.at - self.began,
            bad_to_zero_seconds=zero_at - bad_at if zero_at is not None and bad_at is not None else None,
            requests=tally.answered,
            failed=tally.failed,
            sentence=end.sentence,
        )

    def _first_bad_at(self, service: str, tally: Tally) -> float | None:
        """Return when the first bad answer came: a failure, or the canary's first slow one where that is its fault."""
        slow_at = tally.of(self.canaries[service]).first_slow_at if self.behaviour.latency_factor > 1 else None
        moments = [moment for moment in (tally.first_failed_at, slow_at) if moment is not None]
        return min(moments, default=None)


async def _end(states: States, service: str, attempt_before: int, limit_seconds: float) -> _End:
    try:
        return await asyncio.wait_for(until(partial(_ended, states, service, attempt_before)), limit_seconds)
    except TimeoutError:
        state = _state(states, service)
        return _End(None, time.time(), f"not over after {limit_seconds:.0f} s: {state.phase}, {state.message}")


async def _ended(states: States, service: str, attempt_before: int) -> _End | None:
    state = _state(states, service)
    if state.attempt <= attempt_before:
        return None
    outcome = {Phase.IDLE: Outcome.PROMOTED, Phase.ABORTED: Outcome.ROLLED_BACK}.get(state.phase)
    return _End(outcome, time.time(), _why(state)) if outcome is not None else None


def _why(state: State) -> str:
    """Return the sentence of the decision that ended the attempt: of an abort, the one that began it."""
    aborts = [transition.message for transition in state.transitions if transition.phase is Phase.ABORTING]
    return aborts[-1] if state.phase is Phase.ABORTED and aborts else state.message


def _state(states: States, service: str) -> State:
    state = states(service)
    if state is None:
        message = f"the controller has no state for {service}"
        raise Unavailable(message)
    return state
