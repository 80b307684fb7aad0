"""A look at one Rollout between passes: where it stands right now, and what it waits for.

Called by the controller for those who ask (the API). It reads caches only: it measures nothing, writes nothing, and
leaves what was measured for the next pass where it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from rollout.controller.catalog import Resolved
from rollout.controller.entry import Entry
from rollout.controller.observe import Observer
from rollout.engine.moves import Context
from rollout.engine.observation import Endpoints, FailoverSeen
from rollout.engine.outlook import Outlook, outlook
from rollout.engine.state import State
from rollout.engine.status import from_status
from rollout.engine.world import take_in
from rollout.ports import Key, StoredRollout
from rollout.spec.resource import Rollout, Step


@dataclass(frozen=True, slots=True)
class Look:
    """What there is to see at ``at`` (Unix seconds).

    ``state`` is that of the last pass, with weights and endpoints as they are seen now; before the first pass the
    recorded one, or the beginning. ``rollout`` is the effective one (None: invalid), with its ``steps``; ``problems``
    are one sentence each. ``endpoints`` are by name of the backend. ``is_new``: no pass has looked at it yet.
    ``failover`` is what is seen for failover, with the readings of each signal; None where there is no failover, and
    where another replica looks. ``session`` is since when this controller looks (Unix seconds).
    """

    at: float
    key: Key
    stored: StoredRollout
    state: State
    rollout: Rollout | None
    problems: tuple[str, ...]
    endpoints: Mapping[str, Endpoints]
    steps: tuple[Step, ...]
    outlook: Outlook
    is_new: bool
    failover: FailoverSeen | None = None
    session: float = 0.0


def look_at(
    observer: Observer, entry: Entry, stored: StoredRollout, resolved: Resolved, *, now: float, session: float
) -> Look:
    """Return what ``observer`` sees of the Rollout; ``entry`` stays as it is."""
    known = entry.state or from_status(stored.status)
    state = known or State()
    unmeasured = replace(entry, state=state, batch=None)  # an observer takes what was measured out of what it is given
    seen = observer.observe(unmeasured, stored, resolved, now=now, session=session)
    context = Context.of(resolved.rollout, seen)
    state, problems = take_in(state, context)
    return Look(
        at=now,
        key=stored.key,
        stored=stored,
        state=state,
        rollout=resolved.rollout,
        problems=problems,
        endpoints=seen.endpoints,
        steps=context.steps,
        outlook=outlook(resolved.rollout, state, seen),
        is_new=known is None,
        failover=seen.failover,
        session=session,
    )
