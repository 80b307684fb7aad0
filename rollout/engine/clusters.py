"""Clusters: a backend gets its first weight once the gateway has a cluster for it, where it keeps one for each backend.

It stands at the floor until the gateway has accepted that. But nobody waits long: a route is refused for other reasons,
too, and a cluster that is not there yet costs a moment of requests. Called by the phases, the outlook and the commands.
"""

from __future__ import annotations

from rollout.engine import guards
from rollout.engine.attempt import ALL
from rollout.engine.guards import At, Guard
from rollout.engine.moves import Context
from rollout.engine.observation import Command
from rollout.engine.refusals import UNSEEN_SECONDS, TooSoon
from rollout.engine.state import State


def is_making(state: State) -> bool:
    """Return whether an undo stands where the gateway makes a cluster for the previous stable, which gets all then."""
    return state.undoing and state.share < ALL


def awaited(at: At) -> tuple[Guard, ...]:
    """Return what a promotion or an undo waits for: for a cluster not long, and not at all once stable is down."""
    if not is_making(at.state):
        return guards.WRITTEN
    may_wait = 0 <= at.context.now - at.state.step_at < UNSEEN_SECONDS and not at.context.is_down(at.state.stable)
    return (*guards.WRITTEN, guards.canary_not_ready) if may_wait else (guards.canary_not_ready,)


def need(state: State, context: Context, command: Command) -> None:
    """Let a command that gives the canary its first weight wait while the gateway makes a cluster for it.

    Raises:
        TooSoon: the floor is not in force yet, and has not been waited for long enough.
    """
    is_new = state.parked and not state.share and context.now - command.at < UNSEEN_SECONDS
    if is_new and guards.first(guards.WRITTEN, At(state, context, None)) is not None:
        raise TooSoon
