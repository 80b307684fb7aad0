"""What a reader has missed, page by page from the journal, until it has come up to what is recorded now.

Called by ``stream_response``. What was trimmed is told once as a gap; where in it nothing of the reader's Rollouts was
missing cannot be known, so a gap says that something may be missing.
"""

from __future__ import annotations

import asyncio

from rollout.api.feed import Reader
from rollout.api.stream_frames import frame_of, gap
from rollout.ports import Journal, Recorded

PAGE = 100
"""How many transitions are read at once: few, since records of the controller wait meanwhile."""


class Replay:
    """Reads for one reader."""

    def __init__(self, journal: Journal, turns: asyncio.Semaphore, reader: Reader) -> None:
        """Read from ``journal`` on behalf of ``reader`` whenever it has one of the ``turns`` of all readers."""
        self._journal = journal
        self._turns = turns
        self._reader = reader
        self._gap_told = False

    async def page(self) -> list[bytes]:
        """Return the next blocks for the reader, whose position moves on.

        Raises:
            Unavailable: the journal cannot be read now.
        """
        async with self._turns:
            there = self._journal.last
            page = await self._journal.recorded(after=self._reader.position, limit=PAGE)
        blocks: list[bytes] = []
        for recorded in page:
            self._tell(recorded, blocks)
        if len(page) < PAGE and self._reader.position < there:
            self._look_for_gap(there + 1, blocks)
            self._reader.position = there
        return blocks

    def _tell(self, recorded: Recorded, blocks: list[bytes]) -> None:
        self._look_for_gap(recorded.sequence, blocks)
        if self._reader.scope.has(recorded.key):
            blocks.append(frame_of(recorded).data)
        self._reader.position = recorded.sequence

    def _look_for_gap(self, first: int, blocks: list[bytes]) -> None:
        position = self._reader.position
        if not self._gap_told and self._journal.may_miss(after=position, before=first):
            self._gap_told = True
            blocks.append(gap(after=position, first=first))
