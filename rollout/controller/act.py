"""Act: write the weights that the decision wants. On a conflict the route is read again and tried at once.

Before each try it is asked whether this replica may still act: a Lease can end between two of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rollout.engine.drift import RouteWrite
from rollout.engine.observation import RouteView
from rollout.errors import ConflictError, LeaseLost, NotOursError
from rollout.ports import RouteTable

MOST_TRIES = 5


async def write(
    routes: RouteTable, wanted: RouteWrite, *, urgent: bool, may: Callable[[], bool] = lambda: True
) -> RouteView:
    """Write ``wanted`` into its route while we ``may``; an urgent one also over weights that changed meanwhile.

    Raises:
        LeaseLost: another replica may act by now.
        ConflictError: the weights of our backends, or who may own them, changed meanwhile, or every try met a change.
        NotOursError: the route is gone.
        UpdateRefused, Unavailable: as the route table says.
    """
    before = routes.read(wanted.route)
    expected, left = wanted.expected, MOST_TRIES
    while True:
        left -= 1
        if not may():
            raise LeaseLost(f"{wanted.route} is for another replica to write")
        try:
            return await routes.write(wanted.route, wanted.rules, expected=expected)
        except ConflictError:
            view = routes.read(wanted.route)
            if view is None:
                message = f"{wanted.route} is gone"
                raise NotOursError(message) from None
            is_ours = _same_owner(before, view) and (urgent or _same_weights(before, view, wanted))
            if not left or not is_ours:
                raise
            expected = view.version


def _same_owner(before: RouteView | None, now: RouteView) -> bool:
    """Return whether those who may own the weights are as they were when it was decided to write."""
    return before is None or before.open_to == now.open_to


def _same_weights(before: RouteView | None, now: RouteView, wanted: RouteWrite) -> bool:
    return before is not None and _ours(before, wanted) == _ours(now, wanted)


def _ours(view: RouteView, wanted: RouteWrite) -> Sequence[tuple[str, str, int]]:
    backends = {backend.name for rule in wanted.rules for backend in rule.weights}
    return [
        (rule.name, ref.backend.name, ref.weight)
        for rule in view.rules
        for ref in rule.refs
        if ref.backend.name in backends
    ]
