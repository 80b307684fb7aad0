"""Notices that say the same of one Rollout, as one Kubernetes event whose series counts them. Pure but for its memory.

Used by ``rollout.kube.events``. A Rollout that waits, goes on and waits again, for the same reason, would fill a
namespace with events that are alike. The first is an event; what says the same within ten minutes after the last raises
its count, as events.k8s.io/v1 has it. Sentences with other numbers are other events: they say something new.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace

from rollout.kube.notices import Notice

Saying = tuple[str, str, str, str, bool]

MOST_REMEMBERED = 2000
"""So many series are remembered; the one that was silent for longest is forgotten first."""

OPEN_SECONDS = 600.0
"""So long after its last notice a series goes on; the API server keeps an event for an hour."""


@dataclass(slots=True)
class Series:
    """The first notice, how many there were, when the last was (Unix seconds), and its mark.

    ``waiting``: it is in the queue, so that what comes now goes along, and to be sent at ``due`` (monotonic seconds).
    ``made``: the API server has the event.
    """

    first: Notice
    count: int
    last_at: float
    mark: str
    waiting: bool = False
    due: float = 0.0
    made: bool = False


class SeriesBook:
    """The series that are still open."""

    def __init__(self, *, most: int = MOST_REMEMBERED, open_seconds: float = OPEN_SECONDS) -> None:
        """Remember nothing yet."""
        self._most = most
        self._open_seconds = open_seconds
        self._open: OrderedDict[Saying, Series] = OrderedDict()

    def add(self, notice: Notice) -> Series | None:
        """Return the series that the notice belongs to, counted; None where it has been told already."""
        saying = _saying(notice)
        series = self._open.pop(saying, None)
        if series is None or not 0.0 <= notice.at - series.last_at < self._open_seconds:
            series = Series(notice, 0, notice.at, "")
        self._open[saying] = series
        while len(self._open) > self._most:
            self._open.popitem(last=False)
        if series.mark == notice.mark:
            return None
        series.count, series.last_at, series.mark = series.count + 1, notice.at, notice.mark
        return series

    def forget(self, series: Series) -> None:
        """End the series: what says the same next is an event of its own."""
        if self._open.get(_saying(series.first)) is series:
            del self._open[_saying(series.first)]


def renewed(series: Series) -> Notice:
    """Return the first notice as one that has just happened, to be made again when the API server lost the event."""
    return replace(series.first, mark=series.mark, at=series.last_at)


def _saying(notice: Notice) -> Saying:
    return notice.uid, notice.reason, notice.action, notice.message, notice.warning
