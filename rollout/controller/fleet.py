"""The fleet: which primaries this replica watches, and which of them have failed over of late.

A broken observer sees many primaries die at once. The passes of many Rollouts run side by side, so a failover is noted
in the very moment of its decision, before anybody else decides; a Rollout that must wait is told until when. A primary
that many Rollouts share is one. How many may go is ``rollout.failover.fleet``'s.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from rollout.engine.observation import BackendKey
from rollout.failover.fleet import allowed_at_once, is_crowded
from rollout.ports import Key
from rollout.spec.failover import FleetLimit


@dataclass(frozen=True, slots=True)
class Crowd:
    """Whether a primary must wait, and until when (Unix seconds; 0: it need not)."""

    crowded: bool = False
    until: float = 0.0


class Fleet:
    """The primaries of the Rollouts with failover, by Rollout."""

    def __init__(self) -> None:
        """Begin without any."""
        self._primaries: dict[Key, BackendKey] = {}
        self._watched: Counter[BackendKey] = Counter()
        self._gone: dict[BackendKey, float] = {}
        self._waiting: dict[Key, float] = {}

    def watch(self, key: Key, primary: BackendKey | None, gone_at: float) -> None:
        """Count the primary of a Rollout (None: it has none), left at ``gone_at`` (Unix seconds; 0: never) at last."""
        if self._primaries.get(key) != primary:
            self.drop(key)
            if primary is not None:
                self._primaries[key] = primary
                self._watched[primary] += 1
        if gone_at:
            self.went(key, gone_at)

    def drop(self, key: Key) -> None:
        """Count the primary of a Rollout no more; one that nobody watches has not gone, either."""
        self._waiting.pop(key, None)
        primary = self._primaries.pop(key, None)
        if primary is None:
            return
        self._watched[primary] -= 1
        if not self._watched[primary]:
            del self._watched[primary]
            self._gone.pop(primary, None)

    def went(self, key: Key, at: float) -> None:
        """Note that a Rollout fails over from its primary (Unix seconds), now that it is decided."""
        primary = self._primaries.get(key)
        if primary is not None:
            self._gone[primary] = max(at, self._gone.get(primary, 0.0))

    def waits(self, key: Key, since: float | None) -> None:
        """Note that a Rollout waits for a second signal since then (Unix seconds), or no more (None)."""
        if since is None:
            self._waiting.pop(key, None)
        else:
            self._waiting.setdefault(key, since)

    def crowd(self, key: Key, limit: FleetLimit | None, now: float) -> Crowd:
        """Return whether the Rollout's primary must wait at ``now``; one that another Rollout left need not.

        As long as somebody waits, time alone makes no room: what is suspected is still to be cleared up.
        """
        if limit is None:
            return Crowd()
        suspected_at = min(self._waiting.values(), default=now)
        since, primary = min(now, suspected_at) - limit.within, self._primaries.get(key)
        recent = {name: at for name, at in self._gone.items() if at > since}
        total = len(self._watched)
        if primary in recent or not is_crowded(limit, gone=len(recent), total=total):
            return Crowd()
        if self._waiting:
            return Crowd(crowded=True, until=now + limit.within)
        # So many of the others must be long gone before there is room for this one.
        lasting = sorted(recent.values())
        return Crowd(crowded=True, until=lasting[len(lasting) - allowed_at_once(limit, total=total)] + limit.within)
