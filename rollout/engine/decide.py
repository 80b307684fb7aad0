"""``decide``: from what is wanted, what is and what is seen to the next state and the writes it needs.

Pure and total: the same input gives the same output, and no data makes it raise. The order is
fixed: take in the world, carry out a command, fail over or back, abort if there is harm, else go on
by the phase, then mind foreign hands, and say why.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from rollout.analysis.state import weights_changed
from rollout.engine import drift, dropping, gates, guards, orders, settling, telling, tiers
from rollout.engine.commands import is_answered, obey
from rollout.engine.conditions import with_conditions
from rollout.engine.drift import RouteWrite
from rollout.engine.gates import Call
from rollout.engine.guards import At
from rollout.engine.holding import known_again
from rollout.engine.hooks import GateKey
from rollout.engine.judging import judged, last_word
from rollout.engine.moves import Context
from rollout.engine.observation import Observation
from rollout.engine.orders import WorkloadOrder
from rollout.engine.phases import adopted, advance
from rollout.engine.recording import is_significant, recorded
from rollout.engine.state import Handled, State, Transition
from rollout.engine.table import RUNNING, Phase
from rollout.engine.tiers import Settled
from rollout.engine.workloads import noticed
from rollout.engine.world import take_in, validate
from rollout.spec.resource import OnDelete, Rollout

SOONEST_SECONDS = 0.001
"""The next pass is due no sooner than this: Unix time in a float goes on in steps of half a microsecond."""

UNANSWERED_SECONDS = 1.0
"""How soon a command is looked at again that waits for something to be seen."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows: the state to record, then the writes and the orders to workloads, then what to tell.

    ``next_at`` is when to look again without an event (Unix seconds; None: not at all).
    ``urgent``: the writes may not wait for a record that fails (an abort, a failover). ``pressing``: nor may what comes
    next, since something that carries traffic is down. ``finished``: the Rollout, being deleted, needs nothing more.
    """

    state: State
    writes: tuple[RouteWrite, ...]
    orders: tuple[WorkloadOrder, ...]
    transitions: tuple[Transition, ...]
    handled: tuple[Handled, ...]
    next_at: float | None
    urgent: bool
    pressing: bool
    finished: bool
    significant: bool


@dataclass(frozen=True, slots=True)
class Wants:
    """What the next pass needs beside the caches: a measurement, answers of gates.

    ``under_way`` are calls that may go on once they are made, also while something else is waited for.
    """

    measurement: bool
    gates: tuple[Call, ...] = ()
    under_way: frozenset[GateKey] = frozenset()


def decide(rollout: Rollout | None, state: State, seen: Observation) -> Decision:
    """Return what follows for this Rollout (None: its spec is invalid) from its state and what is seen."""
    context = Context.of(rollout, seen)
    before = state
    state, problems = take_in(state, context)
    state = validate(known_again(state, context), context, problems)
    state = gates.noted(noticed(adopted(state, context, before.observed), context), context)
    state, judgement = judged(state, context)
    state = obey(state, context)
    settled = tiers.settle(state, context)
    state = advance(settled.state, context, judgement)
    state = drift.watch(state, context)
    state = with_conditions(state, context, judgement, settled.notes)
    return _decision(before, replace(settled, state=state), context)


def _decision(before: State, settled: Settled, context: Context) -> Decision:
    state = settled.state
    finished = _is_finished(state, context)
    writes, again_at = drift.writes(state, context) if not finished else ((), None)
    state = _with_writing(state, context, writes)
    known = {transition.number for transition in before.transitions}
    told = tuple(transition for transition in state.transitions if transition.number not in known)
    cursors = telling.joined(before, context.seen.telling)
    significant = is_significant(before, state) or telling.is_to_be_recorded(before, cursors, context.seen.telling)
    if significant:
        state = recorded(telling.with_cursors(state, cursors))
    handled = {done.id for done in before.handled}
    answered = tuple(done for done in state.handled if done.id not in handled)
    return Decision(
        state=state,
        writes=writes,
        orders=orders.orders(state, context),
        transitions=told,
        handled=answered,
        next_at=_next_at(state, context, (again_at, settled.next_at)),
        urgent=state.phase in {Phase.ABORTING, Phase.ABORTED} or tiers.is_urgent(state),
        pressing=tiers.is_pressing(state),
        finished=finished,
        significant=significant,
    )


def _with_writing(state: State, context: Context, writes: tuple[RouteWrite, ...]) -> State:
    """Return the state that knows when the write began that its step waits for, if none has failed."""
    waits = state.phase in {Phase.PROGRESSING, Phase.PROMOTING} and state.hold.since is None
    began = 0.0
    if waits and not context.seen.write_problem:
        began = context.now if writes else state.writing_at if settling.is_settling(At(state, context, None)) else 0.0
    return state if state.writing_at == began else replace(state, writing_at=began)


def _is_finished(state: State, context: Context) -> bool:
    if not context.seen.deleting:
        return False
    spec = context.spec
    leave = spec is not None and (spec.on_delete is OnDelete.LEAVE or spec.suspend)
    return leave or not (drift.running(state) or state.phase is Phase.ABORTING or dropping.is_due(state, context))


def _next_at(state: State, context: Context, again_at: tuple[float | None, ...]) -> float | None:
    times = [*orders.next_at(state, context), *settling.next_at(state, context)]
    times += [at for at in again_at if at is not None]
    measured = (
        context.spec is not None and bool(context.spec.analysis.checks) and state.share > 0 and state.judge is not None
    )
    if state.phase in {*RUNNING, Phase.ABORTING} and state.stable and not (measured and drift.running(state)):
        times.append(context.now + context.seen.cadence_seconds)
    step = At(state, context, None).step
    if state.phase is Phase.PROGRESSING and step is not None and state.hold.since is not None and not state.hold_over:
        left = step.hold - state.hold.at(context.now)
        times += [context.now + left] if left > 0 else []
    if state.phase is Phase.PROGRESSING and guards.sample_due(At(state, context, None)) is not None:
        times.append(context.now + guards.SOON_PART * context.seen.cadence_seconds)
    command = context.seen.command
    if command is not None and not is_answered(command, state):
        times.append(context.now + UNANSWERED_SECONDS)
    ends_at = state.started_at + context.deadline_seconds
    if state.phase is Phase.PROGRESSING and state.step == 0 and ends_at > context.now:
        times.append(ends_at)
    return max(min(times), context.now + SOONEST_SECONDS) if times else None


def wants(rollout: Rollout | None, state: State, seen: Observation) -> Wants:
    """Return what to fetch for the next pass: counters while the canary has weight, gates when nothing else is left.

    Hooks are called as soon as it is time, whatever else is waited for.
    """
    spec = rollout.spec if rollout is not None else None
    if spec is None or spec.suspend:
        return Wants(measurement=False)
    context = Context.of(rollout, seen)
    if not drift.running(state) or state.failover.is_away:
        return Wants(measurement=False, gates=gates.after_rollback(state, context))
    measure = state.share > 0 and state.judge is not None and bool(spec.analysis.checks)
    if state.phase is not Phase.PROGRESSING:
        return Wants(measurement=measure)
    at = At(state, context, last_word(state) if measure else None)
    return Wants(measurement=measure, gates=guards.calls(at), under_way=gates.of_now(state, context))


def acknowledge(state: State, written: tuple[RouteWrite, ...], now: float) -> State:
    """Return the state after these writes were taken."""
    done = drift.acknowledge(state, tuple(write.route for write in written), now)
    if done.judge is None:
        return done
    return replace(done, judge=weights_changed(done.judge, now), effective="Unknown")
