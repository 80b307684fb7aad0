"""When requests can be served: each Rollout that was known at the start has been looked at, and nobody has said stop.

Called by ``rollout.bootstrap`` for ``/readyz``, which also tells caches that are old. Whether Envoy answers is no part
of it: a controller that waits for Envoy still takes commands, and each Rollout says what it waits for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from rollout.controller.controller import Controller
from rollout.ports import Clock, Key, RolloutStore

LONGEST_SECONDS = 10.0
"""After this time the service is ready although a Rollout was not looked at: that one says itself what is wrong."""


class Readiness:
    """Follows the first passes of the Rollouts that are in the store when it is made."""

    def __init__(
        self,
        controller: Controller,
        store: RolloutStore,
        clock: Clock,
        closing: asyncio.Event,
        *,
        stale: Callable[[], str] = str,
    ) -> None:
        """Begin to wait now.

        ``closing`` is set when the service ends; ``stale`` says which knowledge is old, empty when none is.
        """
        self._stale = stale
        self._controller = controller
        self._store = store
        self._clock = clock
        self._closing = closing
        self._unseen = set(store.keys())
        self._until = clock.monotonic() + LONGEST_SECONDS

    def why_not(self) -> str:
        """Return one sentence that says why requests cannot be served, empty when they can."""
        if self._closing.is_set():
            return "the service ends"
        if self._unseen and self._clock.monotonic() < self._until:
            self._unseen = {key for key in self._unseen if not self._is_seen(key)}
            if self._unseen:
                return f"Rollouts that the controller has not looked at yet: {len(self._unseen)}"
        self._unseen = set()
        return self._stale()

    def _is_seen(self, key: Key) -> bool:
        if not self._controller.acts_for(key):
            return True  # another replica looks at it; this one stands by
        return self._controller.state(key) is not None or self._store.read(key) is None
