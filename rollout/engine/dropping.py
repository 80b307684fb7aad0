"""Dropping: when a backend leaves the floor, where the gateway keeps one cluster for each backend.

Such a gateway takes a cluster away before the routes that still lead there, and what comes between is lost (HTTP 500,
cluster not found). So a backend that loses its traffic stands at the floor first, whatever its health, and leaves it
once the gateway has followed. Called by ``drift``; ``weights`` says who stands at the floor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rollout.engine.moves import Context
from rollout.engine.observation import RouteKey
from rollout.engine.state import OwnedRule, State, Weights
from rollout.engine.weights import carriers, desired, observed

DROP_SECONDS = 2.0
"""So long after a write nobody leaves the floor; a gateway follows much sooner, and nobody waits for it."""


def with_drops(
    waits: Mapping[RouteKey, float], changes: Mapping[RouteKey, Sequence[OwnedRule]], state: State, context: Context
) -> Mapping[RouteKey, float]:
    """Return the seconds that the writes of routes wait, where ``changes`` that only drop the floor wait longer."""
    left = state.last_write_at + DROP_SECONDS - context.now

    def drops(rule: OwnedRule) -> bool:
        return only_drops(observed(rule, context.seen.routes), desired(rule, state))

    return {route: max(wait, left) if all(map(drops, changes[route])) else wait for route, wait in waits.items()}


def only_drops(now: Weights | None, want: Weights) -> bool:
    """Return whether all that changes is that backends at the floor leave it."""
    if now is None or carriers(now) != carriers(want):
        return False
    pairs = [(before, after) for (_, before), (_, after) in zip(now, want, strict=True)]
    is_next_to_nothing = all(abs(before - after) <= len(pairs) for before, after in pairs)
    return is_next_to_nothing and any(before and not after for before, after in pairs)
