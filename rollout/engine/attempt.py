"""An attempt: its start, its steps, its end. Each function returns the next state and nothing else."""

from __future__ import annotations

from dataclasses import replace

from rollout.analysis.judge import begin_attempt, begin_step
from rollout.engine.drift import is_left
from rollout.engine.moves import Context, move, say
from rollout.engine.reasons import Reason
from rollout.engine.state import Drift, Hold, Scaling, State
from rollout.engine.table import Phase, Trigger
from rollout.engine.weights import agrees, as_sentence, desired, observed
from rollout.engine.workloads import due, not_up

ALL = 100.0

GIVE_UP_SECONDS = 60.0
"""A deletion waits for its weights at most this long."""


def start(state: State, context: Context, *, revision: str, reason: str, message: str) -> State:
    """Begin an attempt (or begin it anew) for ``revision``, with all weight on stable until step 1."""
    trigger = Trigger.START if state.phase in {Phase.IDLE, Phase.ABORTED} else Trigger.RESTART
    fresh = replace(
        _without_findings(state),
        attempt=state.attempt + 1,
        step=0,
        share=0.0,
        revision=revision,
        aborted_revision=None,
        approved_step=0,
        undoing=False,
        ordered=False,
        copying_at=0.0,
        copied="",
        scaling=due(state, context, Scaling.UP),
        hold=Hold(),
        hold_over=False,
        started_at=context.now,
        step_at=context.now,
        steps_seen=tuple(step.weight for step in context.steps),
        judge=begin_attempt(context.now),
        drift=Drift(),
        parked=context.spec is not None and context.spec.gateway.separate_clusters,
    )
    if state.share == 0.0 and _may_begin(fresh, context):
        return move(_entered(fresh, context, 1), context, trigger, reason, f"{message} {_at(context, 1)}")
    return move(fresh, context, trigger, reason, message)


def _without_findings(state: State) -> State:
    """Return the state without what the judge and the gates said of the attempt before."""
    return replace(state, word=None, evidence=(), effective="Unknown", gates=())


def _may_begin(state: State, context: Context) -> bool:
    """Return whether step 1 may begin at once: not before the gateway has a cluster for a canary that gets its own."""
    is_up = context.is_ready(state.canary) and not not_up(state, context)
    is_up = is_up and not state.parked and (state.tiers is None or state.failover.is_normal)
    return is_up and not (context.spec and context.spec.hooks.before_start)


def _at(context: Context, step: int) -> str:
    return f"Step {step} of {len(context.steps)}: {context.steps[step - 1].weight:g} % to the canary."


def _entered(state: State, context: Context, step: int) -> State:
    return replace(
        state,
        step=step,
        share=context.steps[step - 1].weight,
        hold=Hold(),
        hold_over=False,
        step_at=context.now,
        judge=begin_step(state.judge, context.now) if state.judge is not None else None,
        effective="Unknown",
    )


def edited(state: State, context: Context) -> State:
    """Go on from the weight in force when the steps were edited: after the last step that is not above it.

    An approval and a skip stay only where nothing up to this step has changed: they were for what a person saw.
    Once stable gets the pod template, edited steps change nothing.
    """
    plan = tuple(step.weight for step in context.steps)
    if plan == state.steps_seen or not plan or not state.attempt or not state.step or state.copying_at:
        return state
    reached = [number for number, weight in enumerate(plan, 1) if weight <= state.share]
    step = reached[-1] if reached else 0
    same = step == state.step and plan[:step] == state.steps_seen[:step]
    approved, skipped = (state.approved_step, state.hold_over) if same else (0, False)
    now_at = replace(state, step=step, steps_seen=plan, approved_step=approved, hold_over=skipped)
    message = f"The steps were edited; the attempt goes on from {state.share:g} %, after step {step} of {len(plan)}."
    return move(now_at, context, Trigger.STEPS_EDITED, Reason.STEPS_EDITED, message)


def next_step(state: State, context: Context, *, reason: str = Reason.STEP_STARTED, why: str = "") -> State:
    """Enter the next step, or begin to promote after the last one."""
    if state.step < len(context.steps):
        message = f"{why} {_at(context, state.step + 1)}".strip()
        return move(_entered(state, context, state.step + 1), context, Trigger.NEXT_STEP, reason, message)
    return finish(state, context, reason=Reason.PROMOTING if reason == Reason.STEP_STARTED else reason, why=why)


def finish(state: State, context: Context, *, reason: str = Reason.PROMOTING, why: str = "") -> State:
    """Give the canary all weight, on the way to the stable role."""
    judge = begin_step(state.judge, context.now) if state.judge is not None else None
    ready = replace(state, share=ALL, hold=Hold(), hold_over=False, step_at=context.now, judge=judge)
    message = f"{why or 'All steps are done;'} {state.canary} gets all weight."
    return move(ready, context, Trigger.FINISH, reason, message)


def undo(state: State, context: Context) -> State:
    """Give the previous stable all weight, on the way back to the stable role; a cluster of its own comes first.

    It does not where stable is down: then each moment costs more than a cluster that is not there yet.
    """
    parked = context.spec is not None and context.spec.gateway.separate_clusters
    share = 0.0 if parked and not context.is_down(state.stable) else ALL
    begun = replace(state, share=share, parked=parked, undoing=True, step=0, judge=None, evidence=())
    message = f"{state.canary} gets all weight back, as ordered."
    return move(replace(begun, step_at=context.now), context, Trigger.UNDO, Reason.UNDOING, message)


def give_all(state: State, context: Context) -> State:
    """Go on with an undo: the gateway has a cluster for the previous stable, which gets all weight now."""
    return replace(state, share=ALL, step_at=context.now)


def swap(state: State, context: Context) -> State:
    """End an attempt well: the canary has the stable role, the weights stay."""
    undone = state.undoing
    swapped = replace(
        state,
        stable=state.canary,
        canary=state.stable,
        share=0.0,
        step=0,
        parked=False,
        undoing=False,
        stable_revision=(state.previous_revision or "") if undone else state.revision,
        previous_revision=None if undone else state.stable_revision,
        judge=None,
        hold=Hold(),
    )
    swapped = replace(swapped, scaling=due(swapped, context, Scaling.DOWN))
    reason = Reason.UNDONE if undone else Reason.PROMOTED
    what = f" with revision {state.revision}" if state.revision and not undone else ""
    message = f"{'Undone' if undone else 'Promoted'}: {state.canary}{what} has the stable role and all weight."
    return move(swapped, context, Trigger.PROMOTED, reason, message)


def abort(state: State, context: Context, *, reason: str, message: str, ordered: bool = False) -> State:
    """Give stable all weight at once, unless stable is known to be down and nobody ordered it.

    While a backup carries the traffic, stable gets nothing by it: then its health does not matter.
    """
    if context.is_down(state.stable) and not ordered and not state.failover.active:
        why = f"{state.stable} has no ready endpoint, so nothing is moved to it although: {message}"
        return say(state, Reason.CANARY_CARRIES_ALL, why)
    back = replace(
        state,
        share=0.0,
        ordered=ordered,
        aborted_revision=None if state.undoing or reason == Reason.REVISION_WITHDRAWN else state.revision,
        hold=Hold(),
        undoing=False,
        copying_at=0.0,
        copied="",
        drift=Drift(),
        step_at=context.now,
    )
    if state.copying_at and state.stable_revision == state.revision:
        message += f" The workload of {state.stable} has its pod template all the same."
    return aborted(move(back, context, Trigger.ABORT, reason, message), context)


def aborted(state: State, context: Context) -> State:
    """End an abort once every route says what is intended; needs no acceptance and no metric."""
    why = _given_up(state, context) if context.seen.deleting else ""
    if not why and not is_written(state, context):
        return state
    done = replace(state, parked=False, step=0, judge=None, scaling=due(state, context, Scaling.DOWN))
    if why:
        return move(done, context, Trigger.GIVE_UP, Reason.GAVE_UP, why)
    return move(done, context, Trigger.ABORTED, state.reason, state.message)


def _given_up(state: State, context: Context) -> str:
    """Return why a deletion waits for its weights no longer, empty when they are back or may still come back."""
    if is_written(state, context):
        gone = (rule.route for rule in state.owned if observed(rule, context.seen.routes) is None)
        named = ", ".join(dict.fromkeys(map(str, gone)))
        return (
            f"Deleted without putting weights back in {named}: it is gone, or names the backends no more."
            if named
            else ""
        )
    if context.now - state.step_at <= GIVE_UP_SECONDS:
        return ""
    failed = f" ({context.seen.write_problem.rstrip('.')})" if context.seen.write_problem else ""
    left = f"the first rule says {as_sentence(state.observed)}"
    return f"Deleted without putting the weights back, which took over {GIVE_UP_SECONDS:g} s{failed}; {left}."


def is_written(state: State, context: Context) -> bool:
    """Return whether every owned rule that still exists says what is intended, or is left to somebody else."""
    rules = [rule for rule in state.owned if not is_left(rule, state, context)]
    found = [(rule, observed(rule, context.seen.routes)) for rule in rules]
    return all(now is None or agrees(rule, now, desired(rule, state)) for rule, now in found)
