"""What the clients see, as far as the load program has reported: totals, rates, and windows of an act.

Used by ``rollout.demo.world`` (which feeds it) and by acts and the live view (which read it).
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

from rollout.demo.children import Child
from rollout.demo.tally import Report, Tally, report_from_wire

_RECENT = 8
"""How many reports (0.25 s each) a rate is taken over."""


@dataclass(slots=True)
class Window:
    """The traffic since a moment: a tally for each service, growing until it is read for the last time."""

    services: dict[str, Tally] = field(default_factory=dict)

    def add(self, report: Report) -> None:
        """Add what one report says."""
        for name, tally in report.services.items():
            self.services[name] = self.services.get(name, Tally()) + tally

    def of(self, service: str) -> Tally:
        """Return the tally of ``service``."""
        return self.services.get(service, Tally())


class Traffic:
    """The load program's reports, added up."""

    def __init__(self) -> None:
        """Begin with no report."""
        self.total = Window()
        self._windows: list[Window] = []
        self._recent: deque[Report] = deque(maxlen=_RECENT)
        self._news = asyncio.Condition()

    async def follow(self, load: Child) -> None:
        """Read the reports of the program ``load`` for ever.

        Raises:
            Unavailable: it ended or fell silent.
        """
        while True:
            await self.take(report_from_wire(await load.answer()))

    async def take(self, report: Report) -> None:
        """Add one report to all windows."""
        self._recent.append(report)
        for window in (self.total, *self._windows):
            window.add(report)
        async with self._news:
            self._news.notify_all()

    def open_window(self) -> Window:
        """Return a window that counts from the next report on."""
        window = Window()
        self._windows.append(window)
        return window

    def close_window(self, window: Window) -> None:
        """Let the window grow no more."""
        self._windows.remove(window)

    async def settle(self) -> None:
        """Wait until what was under way is reported."""
        for _ in range(2):
            await self.next_report()

    async def next_report(self) -> None:
        """Wait for the next report."""
        async with self._news:
            await self._news.wait()

    async def flows(self) -> None:
        """Wait until every service has answered a request well."""
        while not self.total.services or any(tally.answered <= tally.failed for tally in self.total.services.values()):
            await self.next_report()

    def recent(self, service: str) -> tuple[Tally, float]:
        """Return the tally of ``service`` over the last 2 s, and how many seconds it really covers."""
        window = Window()
        for report in self._recent:
            window.add(report)
        covered = self._recent[-1].until - self._recent[0].since if self._recent else 0.0
        return window.of(service), covered
