"""Who wants to hear of every recorded transition. Belongs to the event loop; called by ``rollout.sqlite.store``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from rollout.ports import Recorded

Listener = Callable[[Recorded], None]


class Followers:
    """Tells each listener every transition once, in order; one that fails keeps nothing from the others."""

    def __init__(self, last: int) -> None:
        """Begin after the sequence ``last``."""
        self.last = last
        self._listeners: dict[object, Listener] = {}

    def follow(self, listener: Listener) -> Callable[[], None]:
        """Call ``listener`` with what is told from now on; return what ends that, also when called again."""
        place = object()
        self._listeners[place] = listener

        def unfollow() -> None:
            self._listeners.pop(place, None)

        return unfollow

    def tell(self, transitions: Iterable[Recorded]) -> None:
        """Tell these, which come after all that were told before."""
        loop = asyncio.get_running_loop()
        for recorded in transitions:
            self.last = recorded.sequence
            for place in self._listeners:
                loop.call_soon(self._call, place, recorded)

    def _call(self, place: object, recorded: Recorded) -> None:
        listener = self._listeners.get(place)
        if listener is not None:
            listener(recorded)
