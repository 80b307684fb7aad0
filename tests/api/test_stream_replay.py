"""Catching up: a reader that comes back gets each transition once and in order, whatever is recorded meanwhile."""

import asyncio
from collections.abc import Sequence

import pytest

from rollout.api import stream_replay
from rollout.api.feed import MOST_FRAMES, Scope
from rollout.errors import Unavailable
from rollout.ports import Recorded
from tests.api.stream_world import MAIL, SEARCH, WEB, Author, Event, Streams, Wire
from tests.controller.builders import virtually
from tests.fakes.store import FakeStore

PAGE = stream_replay.PAGE


class BusyStore(FakeStore):
    """A journal that takes time to read, and in which others record meanwhile, as often as `busy` says."""

    busy = 0
    burst = 1
    asked = 0
    at_once = 0
    most_at_once = 0

    async def recorded(self, *, after: int, limit: int = 1000) -> Sequence[Recorded]:
        """Let others record before and after the page is read."""
        self.asked += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await self._disturb()
        page = await super().recorded(after=after, limit=limit)
        await asyncio.sleep(0.1)
        await self._disturb()
        self.at_once -= 1
        return page

    async def _disturb(self) -> None:
        if self.busy:
            self.busy -= 1
            author = Author(self, {key: self._newest[key] for key in self.keys()})
            await author.record(times=self.burst)


async def settled(wire: Wire) -> Wire:
    """Let all that is on its way arrive, then end the stream."""
    await asyncio.sleep(60)
    wire.gone.set()
    await wire.done
    return wire


@virtually
async def test_what_was_missed_comes_first_then_what_is_new() -> None:
    """Several pages, no hole and nothing twice where they meet."""
    store = FakeStore()
    author = Author(store)
    await author.record(times=3 * PAGE + 7)
    wire = Wire(store, after=5)
    await asyncio.sleep(1)
    await author.record(times=3)
    await settled(wire)

    assert wire.got.ids == list(range(6, store.last + 1))


@pytest.mark.parametrize("burst", [1, PAGE, MOST_FRAMES + 1])
@virtually
async def test_what_is_recorded_during_a_page_is_told_once(burst: int) -> None:
    """Also when it is more than can wait for a reader: the journal has it."""
    store = BusyStore()
    await Author(store).record(times=PAGE + 7)
    store.busy, store.burst = 4, burst
    wire = Wire(store, after=0)
    await settled(wire)

    assert store.last == PAGE + 7 + 4 * burst
    assert wire.got.ids == list(range(1, store.last + 1))
    assert {event.name for event in wire.got.events} == {"transition"}


@virtually
async def test_only_what_concerns_the_reader_is_replayed() -> None:
    """Others' transitions are passed over, and are no gap."""
    store = FakeStore()
    author = Author(store)
    for key in (WEB, SEARCH, MAIL, SEARCH, WEB):
        await author.record(key)
    wire = await settled(Wire(store, wanted=Scope("shop", "search"), after=0))

    assert wire.got.ids == [2, 4]
    assert len(wire.got.events) == 2


@virtually
async def test_who_is_up_to_date_asks_nothing_of_the_journal() -> None:
    """Many that come back at once after a break cost it nothing then."""
    store = BusyStore()
    last = await Author(store).record(times=3)
    wire = await settled(Wire(store, after=last))

    assert store.asked == 0
    assert wire.got.last_id == str(last)


@virtually
async def test_trimmed_ones_are_told_as_one_gap() -> None:
    """Before the oldest that is kept; later holes are not told again."""
    store = FakeStore()
    author = Author(store)
    await author.record(WEB, times=5)
    await author.record(SEARCH)
    await author.record(WEB, times=5)
    await store.trim_history(2)
    wire = await settled(Wire(store, after=2))

    assert wire.got.events[0] == Event("gap", "5", {"after": 2, "from": 6})
    assert wire.got.ids == [6, 10, 11]
    assert len(wire.got.events) == 4


class SparseJournal(FakeStore):
    """A journal whose numbers leave out nine of ten, as those of a cluster do; it knows what it has trimmed."""

    trimmed_to = 0

    @property
    def last(self) -> int:
        """Return ten times what it is."""
        return 10 * super().last

    async def recorded(self, *, after: int, limit: int = 1000) -> Sequence[Recorded]:
        """Return every number ten times as high."""
        page = await super().recorded(after=max(after, self.trimmed_to) // 10, limit=limit)
        return [Recorded(10 * one.sequence, one.key, one.transition) for one in page]

    def may_miss(self, *, after: int, before: int) -> bool:
        """Return whether something between was trimmed."""
        return after < min(before - 1, self.trimmed_to)


@virtually
async def test_numbers_that_were_left_out_are_no_gap() -> None:
    """Where the journal says that nothing was missed there."""
    store = SparseJournal()
    await Author(store).record(times=PAGE + 5)
    wire = await settled(Wire(store, after=20))

    assert wire.got.ids == [10 * number for number in range(3, PAGE + 6)]
    assert {event.name for event in wire.got.events} == {"transition"}


@virtually
async def test_numbers_that_were_left_out_hide_no_gap() -> None:
    """What was trimmed is told also there."""
    store = SparseJournal()
    await Author(store).record(times=9)
    store.trimmed_to = 50
    wire = await settled(Wire(store, after=20))

    assert wire.got.events[0] == Event("gap", "59", {"after": 20, "from": 60})
    assert wire.got.ids == [60, 70, 80, 90]


class EmptyJournal(FakeStore):
    """A journal that has lost all it had."""

    async def recorded(self, *, after: int, limit: int = 1000) -> Sequence[Recorded]:
        """Return nothing."""
        return ()


@virtually
async def test_a_gap_that_reaches_to_the_end_is_told_too() -> None:
    """The reader goes on with what comes next."""
    store = EmptyJournal()
    author = Author(store)
    await author.record(times=5)
    wire = Wire(store, after=2)
    await asyncio.sleep(1)
    await author.record()
    await settled(wire)

    assert wire.got.events[0] == Event("gap", "5", {"after": 2, "from": 6})
    assert wire.got.ids == [6]


@virtually
async def test_an_id_from_another_journal_is_a_gap() -> None:
    """One that this journal has not reached: from now on is all that can be told."""
    store = FakeStore()
    author = Author(store)
    await author.record(times=5)
    wire = Wire(store, after=99)
    await asyncio.sleep(1)
    await author.record()
    await settled(wire)

    assert wire.got.events[0] == Event("gap", "5", {"after": 99, "from": 6})
    assert wire.got.ids == [6]


class BrokenJournal(FakeStore):
    """A journal that cannot be read."""

    async def recorded(self, *, after: int, limit: int = 1000) -> Sequence[Recorded]:
        """Say so."""
        raise Unavailable("the disk is gone")


@virtually
async def test_a_journal_that_cannot_be_read_ends_the_stream() -> None:
    """The reader comes back with the id that it has; nothing was skipped."""
    store = BrokenJournal()
    await Author(store).record(times=5)
    wire = Wire(store, after=2)
    await wire.done

    assert wire.finished
    assert wire.got.last_id == "2"
    assert not wire.got.events


@virtually
async def test_few_read_from_the_journal_at_once() -> None:
    """The controller's records wait behind each page."""
    store = BusyStore()
    await Author(store).record(times=5)
    streams = Streams(store)
    wires = [Wire(streams, after=0) for _ in range(6)]
    for wire in wires:
        await settled(wire)

    assert store.asked == 6
    assert store.most_at_once == 2
    assert all(wire.got.ids == [1, 2, 3, 4, 5] for wire in wires)
