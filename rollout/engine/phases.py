"""What each phase does in a pass, once the world is taken in and a command carried out."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from rollout.analysis.judge import Judgement, Verdict
from rollout.engine import adoption, attempt, clusters, copying, drift, gates, guards, settling, tiers
from rollout.engine.guards import At
from rollout.engine.holding import counting
from rollout.engine.moves import Context, say
from rollout.engine.reasons import Reason
from rollout.engine.state import Hold, State, Weights
from rollout.engine.table import Phase
from rollout.engine.workloads import not_up
from rollout.spec.resource import OnDelete, StartMode


def adopted(state: State, context: Context, before: Weights) -> State:
    """Return the state with its roles, if they are unknown or out of date and the weights tell them.

    ``before`` are the weights that were known until this look.
    """
    state = adoption.outdated(state, context, before)
    if state.stable or context.spec is None or not state.owned or state.phase is Phase.INVALID:
        return state
    return adoption.adopt(state, context, context.spec)


def advance(state: State, context: Context, judgement: Judgement | None) -> State:
    """Return the next state: nothing when suspended, back on harm, else on by the phase."""
    if context.spec is not None and context.spec.suspend:
        still = replace(state, hold=Hold(state.hold.at(context.now)))
        return (
            say(still, Reason.SUSPENDED, "spec.suspend is true; nothing is written.") if drift.running(state) else still
        )
    if context.seen.deleting:
        return _delete(state, context)
    if drift.running(state):
        state = _abort_on_harm(_still_paused(state), context, judgement)
    if tiers.is_frozen(state) and state.phase not in {Phase.ABORTING, Phase.INVALID}:
        return _frozen(state, context)
    return _by_phase(state, context, judgement)


def _frozen(state: State, context: Context) -> State:
    """Return the state of an attempt that stands still; one that is out of date does not wait to be given up."""
    after = _new_revision(state, context)
    return tiers.still(after, context) if after.number == state.number else after


def _by_phase(state: State, context: Context, judgement: Judgement | None) -> State:
    match state.phase:
        case Phase.IDLE | Phase.ABORTED:
            return _at_rest(state, context)
        case Phase.PROGRESSING:
            return _progress(state, context, judgement)
        case Phase.PROMOTING:
            return _promote(state, context, judgement)
        case Phase.ABORTING:
            return attempt.aborted(state, context)
        case Phase.PAUSED:
            return _paused(state, context)
        case Phase.INVALID:
            return state
        case never:
            assert_never(never)


def _still_paused(state: State) -> State:
    """Return the state that says again why it is paused, where something else that is over was said meanwhile."""
    paused = next((made for made in reversed(state.transitions) if made.phase is Phase.PAUSED), None)
    if state.phase is not Phase.PAUSED or paused is None:
        return state
    return say(state, paused.reason, paused.message)


def _abort_on_harm(state: State, context: Context, judgement: Judgement | None) -> State:
    if (state.share > 0 or state.undoing) and context.is_down(state.canary):
        if (given := copying.without_canary(state, context)) is not None:
            return given
        message = f"Rolled back: {state.canary} lost its last ready endpoint."
        return attempt.abort(state, context, reason=Reason.CANARY_LOST, message=message)
    if judgement is not None and judgement.verdict is Verdict.FAIL:
        return attempt.abort(
            state, context, reason=judgement.reason, message=f"Rolled back: {judgement.message}.".replace("..", ".")
        )
    return state


def _delete(state: State, context: Context) -> State:
    leave = context.spec is not None and context.spec.on_delete is OnDelete.LEAVE
    if leave or not drift.running(state):
        return attempt.aborted(state, context) if state.phase is Phase.ABORTING else state
    message = "Rolled back: the Rollout is being deleted."
    return attempt.abort(state, context, reason=Reason.DELETING, message=message, ordered=True)


def _wanted_revision(state: State, context: Context) -> tuple[State, str | None]:
    """Return the state with the revision seen, and the new one if there is one to start."""
    spec = context.spec
    if spec is None or spec.start is StartMode.MANUAL:
        return state, None
    if spec.start is StartMode.ON_WORKLOAD:
        return _wanted_template(state, context)
    if spec.revision is None or spec.revision == state.seen_revision:
        return state, None
    new = spec.revision if state.seen_revision is not None else None
    return replace(state, seen_revision=spec.revision), new


def _wanted_template(state: State, context: Context) -> tuple[State, str | None]:
    """Return the state with the templates seen of both backends, and the canary's if it is another than before."""
    known = dict(state.templates)
    views = ((name, context.workload(name)) for name in (state.stable, state.canary))
    now = {**known, **{name: view.template for name, view in views if view is not None}}
    before, template = known.get(state.canary), now.get(state.canary)
    new = template if before not in {None, template} else None
    return (state if now == known else replace(state, templates=tuple(now.items()))), new


def _at_rest(state: State, context: Context) -> State:
    state = tiers.up_to_date(state)
    if not state.stable or context.spec is None or not context.steps:
        return state
    state, revision = _wanted_revision(state, context)
    if revision is None:
        return _with_baseline(state, context)
    if revision in {state.aborted_revision, state.stable_revision}:
        return state
    message = f"Attempt {state.attempt + 1} for revision {revision} began."
    return attempt.start(state, context, revision=revision, reason=Reason.STARTED, message=message)


def _with_baseline(state: State, context: Context) -> State:
    """What is there before the first attempt is what stable runs, unless its workload tells."""
    by_template = context.spec is not None and context.spec.start is StartMode.ON_WORKLOAD
    if by_template and context.workload(state.stable) is not None:
        return state
    first = dict(state.templates).get(state.canary) if by_template else state.seen_revision
    if state.attempt or not first or first == state.stable_revision:
        return state
    return replace(state, stable_revision=first)


def _new_revision(state: State, context: Context) -> State:
    if not state.attempt or not drift.running(state) or state.undoing:
        return state
    before = state
    state, revision = _wanted_revision(state, context)
    if revision is None or revision == state.revision:
        return state
    if state.share > 0 and context.is_down(state.stable):
        return before  # all weight would go to a stable that is down; it is asked for again in the next pass
    if revision == state.stable_revision:
        message = f"Rolled back: revision {revision}, which stable runs, was asked for again."
        return attempt.abort(state, context, reason=Reason.REVISION_WITHDRAWN, message=message)
    message = f"Attempt {state.attempt + 1} for revision {revision} began; revision {state.revision} is out of date."
    return attempt.start(state, context, revision=revision, reason=Reason.NEW_REVISION, message=message)


def _paused(state: State, context: Context) -> State:
    state = _new_revision(state, context)
    return attempt.edited(state, context) if state.phase is Phase.PAUSED else state


def _progress(state: State, context: Context, judgement: Judgement | None) -> State:
    state = _new_revision(state, context)
    if state.phase is not Phase.PROGRESSING:
        return state
    state = attempt.edited(state, context)
    if state.step == 0 and state.share == 0 and _never_came(state, context):
        lacked = not_up(state, context).rstrip(".") or f"{state.canary} had no ready endpoint"
        message = f"Rolled back: {lacked} within {context.deadline_seconds:g} s."
        return attempt.abort(state, context, reason=Reason.DEADLINE_EXCEEDED, message=message)
    at = At(state, context, judgement)
    if why := gates.ends_attempt((*gates.of_step(state, context), *guards.calls(at)), context):
        return attempt.abort(state, context, reason=Reason.GATE_REFUSED, message=why)
    still = settling.stops(guards.COUNTING, at)
    at = At(counting(state, context, runs=still is None), context, judgement)
    waiting = still or guards.first(guards.LEAVING, at)
    if waiting is not None:
        return settling.said(at, waiting)
    return attempt.next_step(at.state, context)


def _never_came(state: State, context: Context) -> bool:
    """Return whether the canary was not ready all through the deadline, or not so that anybody saw it."""
    if context.is_ready(state.canary) and not not_up(state, context):
        return False
    is_known = context.endpoints(state.canary).known
    since = state.started_at if is_known else max(state.started_at, context.seen.session_started_at)
    return context.now - since >= context.deadline_seconds


def _promote(state: State, context: Context, judgement: Judgement | None) -> State:
    if not state.undoing:
        state = _new_revision(state, context)
        if state.phase is not Phase.PROMOTING:
            return state
    if copying.is_meant(state, context):
        return copying.go_on(state, context)
    at = At(state, context, judgement)
    waiting = guards.first(clusters.awaited(at), at)
    if waiting is not None:
        return settling.said(at, waiting)
    return attempt.give_all(state, context) if clusters.is_making(state) else attempt.swap(state, context)
