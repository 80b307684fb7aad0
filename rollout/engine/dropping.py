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

LAST_SECONDS = 10.0
"""A deletion waits at most so long after a write for backends that are still to leave the floor."""


def left(seconds: float, state: State, context: Context) -> float:
    """Return how much is left of so many seconds since the last write; none after one by a clock far ahead."""
    least = state.last_write_at + seconds - context.now
    return least if least <= 2 * seconds else 0.0


def with_drops(
    waits: Mapping[RouteKey, float], changes: Mapping[RouteKey, Sequence[OwnedRule]], state: State, context: Context
) -> Mapping[RouteKey, float]:
    """Return the seconds that the writes of routes wait, where ``changes`` that only drop the floor wait longer."""
    least = left(DROP_SECONDS, state, context)

    def drops(route: RouteKey) -> bool:
        return all(_is_dropping(rule, state, context) for rule in changes[route])

    return {route: max(wait, least) if drops(route) else wait for route, wait in waits.items()}


def is_due(state: State, context: Context) -> bool:
    """Return whether a backend is still to leave the floor soon, which a deletion waits for."""
    waits = left(LAST_SECONDS, state, context) > 0
    return waits and any(_is_dropping(rule, state, context) for rule in state.owned)


def _is_dropping(rule: OwnedRule, state: State, context: Context) -> bool:
    return only_drops(observed(rule, context.seen.routes), desired(rule, state))


def only_drops(now: Weights | None, want: Weights) -> bool:
    """Return whether all that changes is that backends at the floor leave it."""
    if now is None or len(now) != len(want) or carriers(now) != carriers(want):
        return False
    pairs = [(before, after) for (_, before), (_, after) in zip(now, want, strict=True)]
    is_next_to_nothing = all(abs(before - after) <= len(pairs) for before, after in pairs)
    return is_next_to_nothing and any(before and not after for before, after in pairs)
