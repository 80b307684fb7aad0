"""Tiers: failover inside a pass, before everything else that a pass does.

What moves is decided by ``rollout.failover``; here stand what it is asked, what its answer means for the attempt,
and which settings count while a spec is invalid. Called by ``decide``, by the commands and by the phases.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from rollout.analysis.judge import begin_attempt
from rollout.engine import drift
from rollout.engine.attempt import is_written
from rollout.engine.moves import MOST_MESSAGE, Context, move_failover, say
from rollout.engine.observation import Acceptance, FailoverSeen
from rollout.engine.reasons import Reason
from rollout.engine.receiving import backends_seen
from rollout.engine.state import Hold, State, Tiers
from rollout.engine.table import RUNNING, Phase
from rollout.failover.decide import decide_failover
from rollout.failover.orders import Answer
from rollout.failover.reasons import Reason as Why
from rollout.failover.reasons import Word
from rollout.failover.seen import Order, Seen
from rollout.failover.state import FailoverState
from rollout.failover.table import Stage
from rollout.spec.failover import FailoverMode
from rollout.spec.resource import RolloutSpec


@dataclass(frozen=True, slots=True)
class Settled:
    """What failover comes to in this pass: the state, when to look again (Unix seconds), what holds beside its reason.

    ``answer`` is what became of the order that was given, None where there was none.
    """

    state: State
    next_at: float | None = None
    notes: tuple[Word, ...] = ()
    answer: Answer | None = None


def asked_for(spec: RolloutSpec) -> Tiers | None:
    """Return the failover that the spec asks for, None when it asks for none."""
    if spec.failover is None or not spec.backends.backups:
        return None
    return Tiers(spec.failover, tuple(backup.name for backup in spec.backends.backups))


def in_force(spec: RolloutSpec | None, state: State) -> Tiers | None:
    """Return the failover that counts: the spec's, or the last valid one while it is invalid or cannot be let go."""
    if spec is None or problems(spec, state):
        return state.tiers
    return asked_for(spec)


def is_frozen(state: State) -> bool:
    """Return whether the attempt stands still where it is, and none may start: failover is not Normal.

    What is only observed stops nothing.
    """
    if state.tiers is None or state.failover.is_normal:
        return False
    observes = state.tiers.settings.mode is FailoverMode.OBSERVE
    return not (observes and state.failover.stage is Stage.CONFIRMING)


def is_pressing(state: State) -> bool:
    """Return whether something that carries traffic is down, and a move away from it may be next."""
    return state.tiers is not None and state.failover.pressing_since > 0


def is_urgent(state: State) -> bool:
    """Return whether traffic has just been moved away from where it fails, and the weights do not say so yet."""
    failover = state.failover
    leaves = failover.stage in {Stage.FAILED_OVER, Stage.LATCHED} or failover.reason == Why.RESCUED
    return state.tiers is not None and leaves and failover.moved_at > state.last_write_at


def problems(spec: RolloutSpec, state: State) -> tuple[str, ...]:
    """Return why this spec cannot take the place of the one before while traffic is away, in one sentence each."""
    if state.tiers is None or not state.failover.is_away:
        return ()
    asked, number, stage = asked_for(spec), state.failover.epoch, state.failover.stage
    if state.stable and state.stable not in spec.backends.names:
        names = " and ".join(filter(None, spec.backends.names))
        return (f"spec.backends: {names} cannot take the place of {state.stable} while failover is {stage}",)
    if asked is None:
        return (f"spec.failover: cannot be taken away while failover {number} is {stage}; fail back first",)
    lost = [name for name, _ in state.failover.shares if name not in asked.backups]
    return tuple(
        f"spec.backends.backups: {name} has traffic of failover {number}, which is {stage}; fail back first"
        for name in lost
    )


def with_tiers(state: State, tiers: Tiers | None) -> State:
    """Return the state with this failover asked for; where none is, where it stood is forgotten but for its number."""
    if tiers == state.tiers:
        return state
    failover = state.failover if tiers is not None else FailoverState(epoch=state.failover.epoch)
    return replace(state, tiers=tiers, failover=failover)


def settle(state: State, context: Context, order: Order | None = None) -> Settled:
    """Return what failover comes to now; ``order`` is a command of a person."""
    tiers, seen = state.tiers, context.seen.failover
    if tiers is None or seen is None or not state.stable or context.seen.deleting:
        return Settled(state)
    asked = replace(_asked(state, context, tiers.backups, seen), order=order)
    decision = decide_failover(tiers.settings, state.failover, asked, context.now)
    after = replace(state, failover=decision.state) if decision.state != state.failover else state
    if decision.shares != state.failover.shares:
        after = _moved(after, context)
    for change in decision.changes:
        after = move_failover(after, context, change)
    if decision.state.is_normal and state.failover.is_away:
        after = _going_on(after, context)
    return Settled(_without_frozen_time(after, context.now), decision.next_at, decision.notes, decision.answer)


def _without_frozen_time(state: State, now: float) -> State:
    """Return the state whose deadlines do not count the time in which the attempt stood still."""
    if is_frozen(state) == bool(state.frozen_at):
        return state
    if not state.frozen_at:
        return replace(state, frozen_at=now)
    lost = now - state.frozen_at
    copying_at = state.copying_at + lost if state.copying_at else 0.0
    return replace(state, frozen_at=0.0, started_at=state.started_at + lost, copying_at=copying_at)


def _asked(state: State, context: Context, backups: tuple[str, ...], seen: FailoverSeen) -> Seen:
    return replace(
        backends_seen(state, backups, seen),
        session_started_at=context.seen.session_started_at,
        attempt=drift.running(state) or state.phase is Phase.ABORTING,
        stopped=bool(seen.stopped),
        suspended=context.spec is not None and context.spec.suspend,
        crowded=seen.crowded,
        calendar=seen.calendar,
        written_at=_written_at(state, context),
        followed=_followed(state, context),
    )


def _written_at(state: State, context: Context) -> float | None:
    """Return when the present shares were written, None while they are not in every route."""
    moved_at = state.failover.moved_at
    if not moved_at or not is_written(state, context):
        return None
    return max(moved_at, state.last_write_at)


def _followed(state: State, context: Context) -> bool | None:
    """Return whether the gateway says that it serves the routes as they stand, None where it is not asked."""
    if not state.gateway.verify_route_status:
        return None
    views = (context.seen.routes.get(rule.route) for rule in state.owned)
    return all(view is None or view.acceptance is Acceptance.ACCEPTED for view in views)


def _moved(state: State, context: Context) -> State:
    """Return the state whose shares are others now: they are written over what was left to somebody else, too."""
    still = replace(state, hold=Hold(state.hold.at(context.now)), writing_at=0.0)
    return drift.take_over(still, context)


def _going_on(state: State, context: Context) -> State:
    """Return the state whose attempt goes on: what the backends did meanwhile is no evidence against the canary."""
    if state.judge is None:
        return state
    return replace(state, judge=begin_attempt(context.now), word=None, evidence=(), effective="Unknown")


def unwritten(state: State, context: Context) -> Word | None:
    """Return why the weights that failover wants are not in every route, None while nothing keeps them from it."""
    failover = state.failover
    if not failover.moved_at or is_written(state, context):
        return None
    what = f"The weights of failover {failover.epoch} ({failover.stage}) are not in every route"
    if failed := context.seen.write_problem:
        return Word(Reason.WAITING_FOR_WRITE, f"{what}: {failed}"[:MOST_MESSAGE])
    if drift.lacks_health(state, context):
        return Word(Why.WAITING_FOR_HEALTH, f"{what}: who would get more is not known to be healthy.")
    return None


def still(state: State, context: Context) -> State:
    """Return the state of a pass in which the attempt stands still, saying why."""
    failover = state.failover
    held = state if state.hold.since is None else replace(state, hold=Hold(state.hold.at(context.now)))
    carries = state.phase in RUNNING and state.share > 0 and failover.reason == Why.NO_HEALTHY_BACKUP
    if carries and context.is_down(state.stable):
        told = f"{state.stable} has no ready endpoint and no backup is healthy; the canary may carry all traffic."
        return say(held, Reason.CANARY_CARRIES_ALL, told)
    if (word := unwritten(state, context)) is not None:
        return say(held, word.reason, word.message)
    return say(held, failover.reason, failover.message) if failover.reason else held


LOUD = frozenset({Why.BLIND, Why.NO_HEALTHY_BACKUP, Why.SUSPECT_OBSERVER, Why.STOPPED, Why.OBSERVING, Why.SUSPENDED})
"""Reasons for which failover cannot do what it is for; when they are over, another is said."""


def up_to_date(state: State) -> State:
    """Return the state at rest whose reason is not one of failover's that is over."""
    failover = state.failover
    is_over = state.reason in LOUD and failover.is_normal and failover.reason not in {"", state.reason}
    return say(state, failover.reason, failover.message) if is_over and state.tiers is not None else state
