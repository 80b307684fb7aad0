"""Settling: what is about to come by itself is waited for a while and nothing is told of it.

Routes are edited by others, too, some of them many times a second, and each edit has to be taken in by the gateway.
It goes on serving what it has meanwhile, so hold time goes on; only after a write of our own it waits. Called by the
phases, by ``decide`` and by the conditions.
"""

from __future__ import annotations

from rollout.engine import guards
from rollout.engine.guards import At, Guard, Waiting
from rollout.engine.moves import Context, say
from rollout.engine.observation import Acceptance
from rollout.engine.reasons import Reason
from rollout.engine.state import OwnedRule, State

SETTLE_SECONDS = 3.0
"""A gateway takes in what was just written within so much; that it has not done so before is nothing to tell of."""


def unaccepted_at(owned: tuple[OwnedRule, ...], state: State, context: Context) -> float:
    """Return since when a gateway has been seen not to have accepted one of the routes; 0: it has accepted all."""
    views = (context.seen.routes.get(rule.route) for rule in owned)
    waits = any(view is not None and view.acceptance is not Acceptance.ACCEPTED for view in views)
    return (state.unaccepted_at or context.now) if waits else 0.0


def is_settling(at: At) -> bool:
    """Return whether nothing is amiss but that a gateway has not taken in yet what somebody wrote just now."""
    views = [at.context.seen.routes.get(rule.route) for rule in at.state.owned]
    if any(view is not None and view.acceptance is Acceptance.REFUSED for view in views):
        return False
    is_ours = at.context.now < at.state.writing_at + SETTLE_SECONDS and not at.context.seen.write_problem
    return is_ours or at.context.now < at.state.unaccepted_at + SETTLE_SECONDS


def next_at(state: State, context: Context) -> tuple[float, ...]:
    """Return when it is to be told that nothing has settled, if nothing comes between."""
    ends = (began + SETTLE_SECONDS for began in (state.writing_at, state.unaccepted_at))
    return tuple(at for at in ends if at > context.now)


def stops(asked: tuple[Guard, ...], at: At) -> Waiting | None:
    """Return what the first of these guards says that stops hold time; where it runs, settling does not stop it."""
    runs_on = at.state.hold.since is not None and is_settling(at)
    return guards.first(tuple(guard for guard in asked if not (runs_on and guard is guards.unaccepted)), at)


def said(at: At, waiting: Waiting) -> State:
    """Return the state that says what is waited for, unless that is about to come: a write, a gateway, an answer."""
    comes: dict[str, bool] = {
        Reason.WAITING_FOR_WRITE: not at.context.seen.write_problem,
        Reason.WAITING_FOR_ROUTES: is_settling(at),
        Reason.WAITING_FOR_GATE: guards.unasked(at),
    }
    return at.state if comes.get(waiting[0]) else say(at.state, *waiting)
