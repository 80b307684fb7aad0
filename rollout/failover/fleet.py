"""The fleet limit: how many primaries may fail over before the observer itself is suspected.

Called by the controller, which alone sees all Rollouts; one Rollout is told the answer as ``Seen.crowded``.
"""

from __future__ import annotations

from rollout.spec.failover import FleetLimit

_ALL = 100


def allowed_at_once(limit: FleetLimit, *, total: int) -> int:
    """Return how many primaries out of ``total`` that are watched may fail over on one signal within ``limit.within``.

    Fewer than ``atLeast`` always may, and one in any case.
    """
    return max(1, limit.at_least - 1, total * limit.max_percent // _ALL)


def is_crowded(limit: FleetLimit | None, *, gone: int, total: int) -> bool:
    """Return whether the next one must wait for a second signal.

    ``gone`` is how many others have failed over within ``limit.within``, on one signal or more.
    """
    return limit is not None and gone >= allowed_at_once(limit, total=total)


def may_go(limit: FleetLimit, *, down: int, gone: int, total: int) -> int:
    """Return how many of the ``down`` primaries that have not failed over yet may do so now."""
    return min(down, max(0, allowed_at_once(limit, total=total) - gone))
