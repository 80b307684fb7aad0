"""The mirror: what other replicas do with Rollouts that this one does not act for, seen by what they record.

Every replica serves the API, so those who wait here for a command, or follow a Rollout, must hear of what was done
elsewhere. Kept for each Rollout is how far its status has been told, and no more; a bounded number of effective specs
is remembered for lists. Called by the controller; a replica that is alone never has anything to tell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from rollout.controller.catalog import Catalog, Resolved
from rollout.controller.entry import number_of
from rollout.controller.passes import Told
from rollout.engine.status import from_status
from rollout.ports import Clock, Key, RolloutStore, StoredRollout

MOST_RESOLVED = 10_000
"""So many effective specs are remembered; what is beyond is worked out when it is asked for."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """How far a status was told: the number of the last transition, the id of the last command that was handled.

    ``uid`` is that of the Rollout whose status it is.
    """

    number: int = 0
    handled: str = ""
    uid: str = ""


class Mirror:
    """Tells ``listeners`` what became of Rollouts elsewhere."""

    def __init__(
        self, store: RolloutStore, catalog: Catalog, clock: Clock, *, most_resolved: int = MOST_RESOLVED
    ) -> None:
        """Look at what is in ``store``; remember at most so many effective specs."""
        self._store = store
        self._catalog = catalog
        self._clock = clock
        self._most_resolved = most_resolved
        self._seen: dict[Key, _Seen] = {}
        self._resolved: dict[Key, Resolved] = {}
        self.listeners: list[Callable[[Told], None]] = []

    def begin(self) -> None:
        """Take what is recorded now as known."""
        for key in tuple(self._store.keys()):
            stored = self._store.read(key)
            if stored is not None:
                self._seen[key] = _seen_in(stored)

    def made(self, told: Told) -> None:
        """Note what this replica did itself, and pass it on."""
        seen = self._seen.get(told.key, _Seen())
        if told.transition is not None:
            seen = replace(seen, number=told.transition.number)
        if told.handled is not None:
            seen = replace(seen, handled=told.handled.id)
        self._seen[told.key] = seen
        self._tell(told)

    def look(self, key: Key) -> None:
        """Tell what the Rollout's status has that was not told yet; what it has at the first sight is no news."""
        stored = self._store.read(key)
        if stored is None:
            self._seen.pop(key, None)
            self._resolved.pop(key, None)
            return
        now, before = _seen_in(stored), self._seen.get(key)
        self._seen[key] = now
        if before is not None and before != now:
            for told in self._news(stored, before):
                self._tell(told)

    def resolved(self, stored: StoredRollout) -> Resolved:
        """Return what the Rollout effectively wants, worked out once for each change."""
        resolved = self._catalog.resolve(stored, self._resolved.pop(stored.key, None))
        self._resolved[stored.key] = resolved
        if len(self._resolved) > self._most_resolved:
            del self._resolved[next(iter(self._resolved))]
        return resolved

    def _news(self, stored: StoredRollout, before: _Seen) -> Iterator[Told]:
        state = from_status(stored.status)
        if state is None:
            return
        is_same = before.uid == stored.uid and state.number >= before.number  # else: another life of the name
        after = before.number if is_same else 0
        for transition in state.transitions:
            if transition.number > after:
                yield Told(stored.key, transition=transition, at=transition.at)
        ids = [done.id for done in state.handled]
        known = ids.index(before.handled) + 1 if before.handled in ids else 0
        for handled in state.handled[known:]:
            yield Told(stored.key, handled=handled, at=self._clock.now())

    def _tell(self, told: Told) -> None:
        for listener in self.listeners:
            listener(told)


def _seen_in(stored: StoredRollout) -> _Seen:
    handled = stored.status.get("handledCommands")
    last = handled[-1] if isinstance(handled, list) and handled else None
    last_id = str(last.get("id", "")) if isinstance(last, Mapping) else ""
    return _Seen(number_of(stored.status), last_id, stored.uid)
