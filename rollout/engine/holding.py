"""The hold time of a step: when it runs and when it stands still, and what is known of it after a restart.

That hold time began is not recorded by itself: it follows from the record of the step's begin, which has when the
write of its weights began. Called by ``decide`` and by the phases.
"""

from __future__ import annotations

from dataclasses import replace

from rollout.engine import gates
from rollout.engine.attempt import is_written
from rollout.engine.moves import Context
from rollout.engine.state import Hold, State
from rollout.engine.table import Phase


def known_again(state: State, context: Context) -> State:
    """Return the state whose hold time runs since the write that an earlier controller began and this one finds.

    Had anything stopped hold time since, that would be recorded; so it ran until now, also while no controller did.
    """
    was_cut_off = 0.0 < state.writing_at < context.seen.session_started_at
    waits = state.phase is Phase.PROGRESSING and state.hold.since is None and not gates.of_step(state, context)
    if not (was_cut_off and waits and is_written(state, context)):
        return state
    return replace(state, hold=Hold(state.hold.seconds, state.writing_at), writing_at=0.0)


def counting(state: State, context: Context, *, runs: bool) -> State:
    """Return the state whose hold time runs from now on, or stands still at what it is."""
    if runs == (state.hold.since is not None):
        return state
    if runs:
        return replace(state, hold=Hold(state.hold.seconds, context.now), writing_at=0.0)
    return replace(state, hold=Hold(state.hold.at(context.now)))
