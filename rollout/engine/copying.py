"""The end of an attempt by CopyTemplate: stable gets the canary's pod template, then its weight back, step by step.

The canary carries all weight meanwhile. Its revision then runs on both, so nothing is judged any more; but nothing is
given to a stable that is not all there, and one that loses its endpoints gives all weight to the canary again.
"""

from __future__ import annotations

from dataclasses import replace

from rollout.engine import guards, settling
from rollout.engine.attempt import ALL
from rollout.engine.guards import At, Waiting
from rollout.engine.holding import counting
from rollout.engine.moves import Context, move, say
from rollout.engine.reasons import Reason
from rollout.engine.state import Hold, Scaling, State
from rollout.engine.table import Phase, Trigger
from rollout.engine.workloads import due, is_rolled_out, problem, progress, unseen
from rollout.spec.resource import PromotionMode

BACK_SECONDS = 10.0
"""So long each weight is in force before stable gets more of it back."""


def is_meant(state: State, context: Context) -> bool:
    """Return whether the attempt ends, or has begun to end, by copying; an undo never does."""
    asked = context.spec is not None and context.spec.promotion.mode is PromotionMode.COPY_TEMPLATE
    return not state.undoing and (state.copying_at > 0 or asked)


def go_on(state: State, context: Context) -> State:
    """Return the next state of a promotion by copying: begin, copy and wait, or give weight back."""
    if state.copying_at and state.share < ALL:
        return _give_back(state, context)
    at = At(state, context, None)
    waiting = guards.first(guards.WRITTEN, at)
    if waiting is not None:
        return settling.said(at, waiting)
    return _copy(state, context) if state.copying_at else _begun(state, context)


def _begun(state: State, context: Context) -> State:
    begun = replace(state, copying_at=context.now, copied=_template(state, context), judge=None, hold=Hold())
    message = f"{state.canary} carries all weight; {state.stable} gets its pod template."
    return move(begun, context, Trigger.COPY, Reason.COPYING, message)


def _template(state: State, context: Context) -> str:
    view = context.workload(state.canary)
    return view.template if view is not None else ""


def _copy(state: State, context: Context) -> State:
    if not state.copied:
        state = replace(state, copied=_template(state, context))
    why = missing(state, context)
    if not why:
        return _less(state, context)
    return _stuck(state, context, why) if _is_hopeless(state, context) else say(state, Reason.COPYING, why)


def missing(state: State, context: Context) -> str:
    """Return what stable's workload still lacks to run what the canary runs, empty when it is all there."""
    stable, canary = context.workload(state.stable), context.workload(state.canary)
    if stable is None:
        return unseen(state.stable)
    if stable.template == state.copied:
        return _not_ready(state, context) if is_rolled_out(stable) else progress(stable)
    if canary is None:
        return unseen(state.canary)
    if canary.template != state.copied:
        return f"{canary.key.name} has another pod template than it had at the end of the steps; it is not copied."
    return f"{stable.key.name} has not the pod template of {canary.key.name} yet{problem(context)}."


def _not_ready(state: State, context: Context) -> str:
    found = context.endpoints(state.stable)
    seen = f"has {found.ready} of {found.total} endpoints ready" if found.known else "has not been seen yet"
    return "" if context.is_ready(state.stable) else f"{state.stable} {seen}."


def _is_hopeless(state: State, context: Context) -> bool:
    """Return whether stable's rollout takes too long, or the platform gave it up and nobody ordered to try on."""
    view = context.workload(state.stable)
    if view is not None and view.template == state.copied and view.settled and view.failed and not state.ordered:
        return True
    is_known = view is not None and context.endpoints(state.stable).known
    since = state.copying_at if is_known else max(state.copying_at, context.seen.session_started_at)
    return context.now - since >= context.deadline_seconds


def _stuck(state: State, context: Context, why: str) -> State:
    message = (
        f"{why} {state.canary} keeps all weight. resume tries on; abort gives all weight to {state.stable}, "
        "if it has a ready endpoint."
    )
    return move(state, context, Trigger.STUCK, Reason.PROMOTION_STUCK, message)


def resumed(state: State, context: Context, by: str) -> State:
    """Try again to copy, as a person ordered: what the canary runs now, for as long as the deadline is."""
    again = replace(state, copying_at=context.now, copied="", ordered=True)
    message = f"Resumed{by}: {state.stable} is to run what {state.canary} runs."
    return move(again, context, Trigger.RESUME_PROMOTION, Reason.RESUMED, message)


def _less(state: State, context: Context) -> State:
    """Give the canary the next smaller weight of the plan, in the end none."""
    share = max((step.weight for step in context.steps if step.weight < state.share), default=0.0)
    given = replace(state, share=share, hold=Hold(), step_at=context.now)
    message = f"{state.stable} runs what {state.canary} runs, and gets {ALL - share:g} % of the weight back."
    return move(given, context, Trigger.GIVE_BACK, Reason.GIVING_BACK, message)


def _give_back(state: State, context: Context) -> State:
    if context.is_down(state.stable) and context.is_ready(state.canary):
        kept = replace(state, share=ALL, copying_at=context.now, hold=Hold(), step_at=context.now)
        message = f"{state.stable} lost its last ready endpoint; {state.canary} gets all weight again."
        return move(kept, context, Trigger.TAKE_AGAIN, Reason.STABLE_LOST, message)
    at, lacks = At(state, context, None), _waits_for_stable(state, context)
    still = settling.stops(guards.WRITTEN, at) or lacks
    waiting = guards.first(guards.WRITTEN, at) or lacks
    state = counting(state, context, runs=still is None)
    if waiting is not None:
        return settling.said(At(state, context, None), waiting)
    if not state.share:
        return _ended(state, context)
    if BACK_SECONDS - state.hold.at(context.now) < guards.LEAST_SECONDS:
        return _less(state, context)
    message = f"{state.stable} has {ALL - state.share:g} % of the weight back, for {BACK_SECONDS:g} s each time."
    return say(state, Reason.GIVING_BACK, message)


def _waits_for_stable(state: State, context: Context) -> Waiting | None:
    why = missing(state, context)
    return (Reason.GIVING_BACK, why) if why else None


def next_at(state: State) -> float | None:
    """Return when stable gets more weight back, if nothing comes between; None when it gets none now."""
    gives = state.phase is Phase.PROMOTING and bool(state.copying_at)
    return state.hold.since + BACK_SECONDS - state.hold.seconds if gives and state.hold.since is not None else None


def without_canary(state: State, context: Context) -> State | None:
    """Return the state in which stable gets all weight at once, as the canary is lost; None: stable cannot."""
    if state.phase is not Phase.PROMOTING or not state.copying_at or missing(state, context):
        return None
    given = replace(state, share=0.0, hold=Hold(), step_at=context.now)
    message = f"{state.canary} lost its last ready endpoint; {state.stable} runs the same and gets all weight."
    return move(given, context, Trigger.GIVE_BACK, Reason.GIVING_BACK, message)


def _ended(state: State, context: Context) -> State:
    done = replace(
        state,
        step=0,
        parked=False,
        stable_revision=state.revision,
        previous_revision=None,
        copying_at=0.0,
        copied="",
        hold=Hold(),
        scaling=due(state, context, Scaling.DOWN),
    )
    what = f" with revision {state.revision}" if state.revision else ""
    return move(
        done, context, Trigger.PROMOTED, Reason.PROMOTED, f"Promoted: {state.stable}{what} has all weight again."
    )
