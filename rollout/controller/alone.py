"""The elector of a controller that is the only one: of the envoy runtime, whose store has a lock for one process."""

from __future__ import annotations

from collections.abc import Callable

from rollout.ports import Key


class Always:
    """``Elector`` that holds everything, for ever."""

    def holds(self, key: Key) -> bool:  # noqa: ARG002 - whatever the key
        """Return True."""
        return True

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Do nothing: there is nothing to lose or to gain."""
