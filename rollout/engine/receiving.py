"""Receiving: who may be given more of the traffic now, whatever was decided before.

A decision asks for health in its moment; what it wants may be written much later: after a restart, once a route can be
written again, or over somebody else's hand. So it is asked again before each write. Called by ``drift``.
"""

from __future__ import annotations

from dataclasses import replace

from rollout.engine.moves import Context
from rollout.engine.observation import FailoverSeen
from rollout.engine.state import State, Weights
from rollout.failover.plan import admits
from rollout.failover.reasons import Reason as Why
from rollout.failover.scene import Scene
from rollout.failover.seen import BackendSeen, Seen
from rollout.failover.shares import ALL, Shares


def backends_seen(state: State, backups: tuple[str, ...], seen: FailoverSeen) -> Seen:
    """Return what is seen of the backends by their roles; nothing is known of one that is missing."""

    def of(name: str) -> BackendSeen:
        return seen.backends.get(name, BackendSeen(name))

    canary = of(state.canary) if state.canary else None
    return Seen(of(state.stable), tuple(map(of, backups)), canary=canary, split=state.share)


def may_write(now: Weights, want: Weights, state: State, context: Context) -> bool:
    """Return whether each tier that gets more by ``want`` than it has ``now`` may receive it.

    What moves between stable and canary only is not failover's, nor is it asked where all are down.
    """
    tiers, seen, failover = state.tiers, context.seen.failover, state.failover
    if tiers is None or failover.spread or failover.reason == Why.ALL_UNHEALTHY:
        return True
    has, gets = _shares(now, tiers.backups), _shares(want, tiers.backups)
    if has == gets:
        return True
    if seen is None:
        return False
    scene = Scene.of(tiers.settings, backends_seen(state, tiers.backups, seen), context.now)
    return admits(replace(failover, shares=has), scene, gets)


def _shares(weights: Weights, backups: tuple[str, ...]) -> Shares:
    """Return what the backups have, in whole percent; the floor is nothing."""
    total = sum(weight for _, weight in weights) or 1
    percents = ((name, round(weight * ALL / total)) for name, weight in weights if name in backups)
    return tuple((name, percent) for name, percent in percents if percent)
