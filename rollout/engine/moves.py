"""Moving: the context of one decision, and the one way to make a transition."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rollout.engine import weights
from rollout.engine.observation import UNKNOWN_ENDPOINTS, Endpoints, Observation, WorkloadView
from rollout.engine.state import Failing, State, Transition
from rollout.engine.table import Trigger, target
from rollout.engine.telling import kept
from rollout.failover.turn import Change
from rollout.spec.plan import steps_of
from rollout.spec.resource import Rollout, RolloutSpec, Step

MOST_MESSAGE = 1024


@dataclass(frozen=True, slots=True)
class Context:
    """What one decision is made from beside the state: the Rollout (None: invalid), its steps, what is seen."""

    rollout: Rollout | None
    steps: tuple[Step, ...]
    seen: Observation

    @classmethod
    def of(cls, rollout: Rollout | None, seen: Observation) -> Context:
        """Return the context for this Rollout and observation."""
        return cls(rollout, steps_of(rollout.spec) if rollout is not None else (), seen)

    @property
    def spec(self) -> RolloutSpec | None:
        """Return the spec, or None when it is invalid."""
        return self.rollout.spec if self.rollout is not None else None

    @property
    def now(self) -> float:
        """Return Unix seconds."""
        return self.seen.now

    @property
    def deadline_seconds(self) -> float:
        """Return how long an attempt waits for pods, of the canary at its start or of stable at its end."""
        return self.spec.progress_deadline if self.spec is not None else 0.0

    def workload(self, backend: str) -> WorkloadView | None:
        """Return the workload behind the backend with this name, None when there is none."""
        return self.seen.workloads.get(backend)

    def endpoints(self, backend: str) -> Endpoints:
        """Return the endpoints of the backend with this name."""
        return self.seen.endpoints.get(backend, UNKNOWN_ENDPOINTS)

    def is_down(self, backend: str) -> bool:
        """Return whether the backend is known to have no ready endpoint."""
        found = self.endpoints(backend)
        return found.known and found.ready == 0

    def is_ready(self, backend: str) -> bool:
        """Return whether the backend is known to have a ready endpoint."""
        found = self.endpoints(backend)
        return found.known and found.ready > 0


def intended(state: State) -> tuple[tuple[str, int], ...]:
    """Return the intended weights as they are told: those of the first owned rule."""
    return weights.desired(state.owned[0], state) if state.owned and state.stable else ()


def say(state: State, reason: str, message: str) -> State:
    """Return the state with another reason and sentence, and no transition."""
    said = message[:MOST_MESSAGE]
    return state if (state.reason, state.message) == (reason, said) else replace(state, reason=reason, message=said)


def move(state: State, context: Context, trigger: Trigger, reason: str, message: str) -> State:  # noqa: PLR0917 - as said aloud
    """Return the state after ``trigger``, with the transition numbered and kept (as ``telling`` says).

    ``state`` already carries the other changes (step, share, roles).

    Raises:
        KeyError: the transition table has no such transition.
    """
    phase = target(state.phase, trigger, before_invalid=state.before_invalid)
    return _told(replace(state, phase=phase), context, reason, message)


def move_failover(state: State, context: Context, change: Change) -> State:
    """Return the state after a change of failover, with its transition; the phase of the attempt stays."""
    then = replace(state.failover, stage=change.stage, shares=change.shares, active=change.active, epoch=change.epoch)
    told = _told(replace(state, failover=then), context, change.reason, change.message)
    return replace(told, failover=state.failover)


def note(state: State, context: Context, reason: str, message: str) -> State:
    """Return the state with a transition that tells something beside where it stands, and why it stands there."""
    told = _told(state, context, reason, message)
    return replace(told, reason=state.reason, message=state.message)


def _told(state: State, context: Context, reason: str, message: str) -> State:
    moved = say(replace(state, number=state.number + 1), reason, message)
    stands = moved.failover
    failing = Failing(stands.stage, stands.active, stands.epoch) if moved.tiers is not None else None
    made = Transition(
        moved.number,
        context.now,
        moved.phase,
        moved.step,
        intended(moved),
        reason,
        moved.message,
        failing,
        moved.attempt,
    )
    return replace(moved, transitions=kept((*moved.transitions, made), moved.notified))
