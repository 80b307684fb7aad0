"""When notices are told together: the first waits a moment for others, longer while much is going on."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rollout.notify.sinks import Digest, Sink, SinkKind

BUSY_SECONDS = 10.0
"""So long after a message with a list, more of that is expected."""

LONG_SECONDS = 5.0
"""How long the first waits then."""


@dataclass(frozen=True, slots=True)
class Gathering:
    """How long the first waits (``gather``), how many Rollouts make a list (``least``); times are monotonic seconds.

    ``since`` is when the first of those that wait came (None: nobody waits), ``listed_at`` when a list was told last.
    """

    least: int
    gather: float
    since: float | None = None
    listed_at: float | None = None

    def came(self, now: float) -> Gathering:
        """Return the gathering after somebody came."""
        return self if self.since is not None else replace(self, since=now)

    def left(self) -> Gathering:
        """Return the gathering when nobody waits any more."""
        return replace(self, since=None) if self.since is not None else self

    def listed(self, now: float) -> Gathering:
        """Return the gathering after a list was told."""
        return replace(self, listed_at=now)

    def ripe_at(self, now: float) -> float:
        """Return when those that wait have waited long enough."""
        since = now if self.since is None else self.since
        is_busy = self.listed_at is not None and since < self.listed_at + BUSY_SECONDS
        return since + (max(self.gather, LONG_SECONDS) if is_busy else self.gather)


def gathering_of(sink: Sink) -> Gathering | None:
    """Return how the sink's notices are gathered; None: each is told by itself."""
    if sink.digest is False or (sink.digest is None and sink.kind is SinkKind.CLOUD_EVENTS):
        return None
    wish = sink.digest or Digest()
    return Gathering(wish.least, wish.gather)
