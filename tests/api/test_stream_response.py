"""A stream as a response: how it begins, what keeps it alive, and everything that ends it."""

import asyncio

import pytest
from structlog.testing import capture_logs

from rollout.api.feed import Ending, FeedClosed, Scope, TooManyReaders
from rollout.api.stream_protocol import MOST_UNWRITTEN_BYTES, Connection
from rollout.api.stream_response import LAST_SECONDS
from rollout.errors import Unavailable
from tests.api.stream_world import MAIL, WEB, Author, Streams, Wire
from tests.controller.builders import virtually
from tests.fakes.store import FakeStore


@virtually
async def test_it_begins_with_headers_that_keep_caches_and_proxies_away() -> None:
    """No store, no buffering, no other request on this connection."""
    wire = Wire(FakeStore())
    await asyncio.sleep(1)
    start = wire.messages[0]

    assert start["status"] == 200
    assert dict(start["headers"]) == {
        b"content-type": b"text/event-stream; charset=utf-8",
        b"cache-control": b"no-store",
        b"x-accel-buffering": b"no",
        b"connection": b"close",
    }


@virtually
async def test_it_says_at_once_when_to_come_back_and_from_where() -> None:
    """So that nothing is lost when it breaks before the first event."""
    store = FakeStore()
    await Author(store).record(times=3)
    wire = Wire(store)
    await asyncio.sleep(1)

    assert (wire.got.retry, wire.got.last_id, wire.got.blocks) == ("3000", "3", 1)


@virtually
async def test_a_quiet_stream_beats_every_fifteen_seconds() -> None:
    """With the place that others' transitions have moved on."""
    store = FakeStore()
    author = Author(store)
    wire = Wire(store, wanted=Scope("post"))
    await author.record(WEB, times=4)
    await asyncio.sleep(46)

    assert wire.got.comments == 3
    assert wire.got.last_id == "4"
    assert not wire.got.events


@virtually
async def test_a_busy_stream_does_not_beat() -> None:
    """An event is a sign of life as well."""
    store = FakeStore()
    author = Author(store)
    wire = Wire(store)
    for _ in range(6):
        await asyncio.sleep(10)
        await author.record()
    await asyncio.sleep(1)

    assert wire.got.ids == [1, 2, 3, 4, 5, 6]
    assert wire.got.comments == 0


@virtually
async def test_a_reader_that_goes_away_is_forgotten() -> None:
    """At once, not with the next event."""
    wire = Wire(FakeStore())
    await asyncio.sleep(1)
    wire.gone.set()
    await asyncio.wait_for(wire.done, 0.1)

    assert wire.streams.feed.readers == 0


@virtually
async def test_a_reader_that_sends_what_cannot_be_taken_has_no_stream() -> None:
    """A body beyond the limit is not left unanswered in a task that nobody looks at."""
    wire = Wire(FakeStore())
    wire.fault = ValueError("the body is too large")
    await asyncio.sleep(1)
    with capture_logs() as logs:
        wire.gone.set()
        await wire.done

    assert wire.finished
    assert "the body is too large" in [entry["why"] for entry in logs]


@virtually
async def test_a_reader_that_takes_nothing_is_cut_after_thirty_seconds() -> None:
    """Nobody waits for it any longer, and the log says so."""
    store, loop = FakeStore(), asyncio.get_running_loop()
    wire = Wire(store)
    await asyncio.sleep(1)
    wire.taking.clear()
    await Author(store).record()
    with capture_logs() as logs:
        await wire.done

    assert loop.time() == pytest.approx(31)
    assert wire.streams.feed.readers == 0
    assert [(entry["log_level"], entry["why"], entry["position"]) for entry in logs] == [("info", Ending.STALLED, 1)]


@virtually
async def test_a_reader_that_takes_again_in_time_goes_on() -> None:
    """It has missed nothing."""
    store = FakeStore()
    author = Author(store)
    wire = Wire(store)
    await asyncio.sleep(1)
    wire.taking.clear()
    await author.record(times=100)
    await asyncio.sleep(29)
    wire.taking.set()
    await asyncio.sleep(1)

    assert wire.got.ids == list(range(1, 101))


@virtually
async def test_the_end_of_the_server_ends_it() -> None:
    """As a response should end, at once."""
    wire = Wire(FakeStore())
    await asyncio.sleep(1)
    wire.streams.closing.set()
    await asyncio.wait_for(wire.done, 0.1)

    assert wire.finished


@virtually
async def test_the_end_of_the_server_does_not_wait_for_a_reader_that_takes_nothing() -> None:
    """It is given a moment, no more."""
    store, loop = FakeStore(), asyncio.get_running_loop()
    wire = Wire(store)
    await asyncio.sleep(1)
    wire.taking.clear()
    await Author(store).record()
    await asyncio.sleep(1)
    wire.streams.closing.set()
    await wire.done

    assert loop.time() == pytest.approx(2 + LAST_SECONDS)


@virtually
async def test_while_the_server_ends_there_are_no_new_ones() -> None:
    """The caller is told so instead."""
    wire = Wire(FakeStore())
    wire.streams.closing.set()
    with pytest.raises(FeedClosed, match="the server ends"):
        await wire.done

    assert not wire.messages


@virtually
async def test_more_than_there_may_be_are_refused_before_anything_is_said() -> None:
    """One that ends makes room."""
    streams = Streams(FakeStore(), most_readers=2)
    _, second, third = Wire(streams), Wire(streams), Wire(streams)
    with pytest.raises(TooManyReaders, match="2 event streams"):
        await third.done
    second.gone.set()
    await second.done
    fourth = Wire(streams)
    await asyncio.sleep(1)

    assert not third.messages
    assert fourth.got.blocks == 1


class Transport(asyncio.Transport):
    """Notes when it was aborted, and by how much writing may be ahead."""

    def __init__(self) -> None:
        super().__init__()
        self.aborted: list[float] = []
        self.high: int | None = None

    def abort(self) -> None:
        """Note when."""
        self.aborted.append(asyncio.get_running_loop().time())

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Note it."""
        self.high = high


@virtually
async def test_little_may_be_written_ahead_of_a_reader() -> None:
    """What a reader does not take is the stream's to hold back, not the connection's to keep."""
    transport = Transport()
    Wire(FakeStore(), connection=Connection(transport))
    await asyncio.sleep(1)

    assert transport.high == MOST_UNWRITTEN_BYTES
    assert not transport.aborted


@virtually
async def test_a_connection_that_is_not_closed_soon_after_the_end_is_cut() -> None:
    """What is written but not taken would keep it open for ever."""
    transport = Transport()
    wire = Wire(FakeStore(), connection=Connection(transport))
    await asyncio.sleep(1)
    wire.streams.closing.set()
    await asyncio.sleep(1)

    assert wire.finished
    assert transport.aborted == [1 + LAST_SECONDS]


@virtually
async def test_the_connection_of_a_reader_that_takes_nothing_is_cut_at_once() -> None:
    """Nothing is left to be said to it."""
    transport, store = Transport(), FakeStore()
    wire = Wire(store, connection=Connection(transport))
    await asyncio.sleep(1)
    wire.taking.clear()
    await Author(store).record()
    await asyncio.sleep(30.1)

    assert transport.aborted == [31]


class Door:
    """Says whether a stream may go on, or cannot say."""

    def __init__(self) -> None:
        self.answer = True
        self.down = False
        self.asked = 0

    async def __call__(self) -> bool:
        """Answer."""
        self.asked += 1
        if self.down:
            raise Unavailable("nobody knows")
        return self.answer


@virtually
async def test_a_token_that_is_revoked_ends_it_within_a_minute() -> None:
    """What is recorded after the check is not told."""
    store, door = FakeStore(), Door()
    author = Author(store)
    wire = Wire(store, allowed=door)
    await asyncio.sleep(61)
    door.answer = False
    await author.record()
    await asyncio.sleep(60)
    await author.record()

    assert wire.finished
    assert wire.got.ids == [1]
    assert door.asked == 2


@virtually
async def test_a_busy_stream_is_checked_as_well() -> None:
    """There is always something to tell, and still time to ask."""
    store, door = FakeStore(), Door()
    author = Author(store)
    wire = Wire(store, allowed=door)
    door.answer = False
    for _ in range(700):
        await author.record(times=2)
        await asyncio.sleep(0.1)

    assert wire.finished
    assert len(wire.got.ids) <= 2 * 601


@virtually
async def test_while_nobody_can_say_it_goes_on_for_five_minutes() -> None:
    """An outage of who knows does not end all streams at once, and does not keep them open for ever."""
    door = Door()
    wire = Wire(FakeStore(), allowed=door)
    door.down = True
    await asyncio.sleep(299)
    went_on = not wire.done.done()
    await asyncio.sleep(2)

    assert went_on
    assert wire.finished


@virtually
async def test_a_rollout_that_is_made_again_goes_on_in_its_stream() -> None:
    """A deletion does not end it."""
    store = FakeStore()
    author = Author(store)
    await author.record(MAIL)
    wire = Wire(store, wanted=Scope("post", "mail"))
    store.vanish(MAIL)
    await asyncio.sleep(20)
    await author.record(MAIL)
    await asyncio.sleep(1)

    assert wire.got.ids == [2]
    assert wire.got.events[0].data["transition"]["number"] == 1


@virtually
async def test_a_stream_that_is_cancelled_leaves_nothing_behind() -> None:
    """Neither its place in the feed nor a task."""
    wire = Wire(FakeStore())
    await asyncio.sleep(1)
    wire.done.cancel()
    await asyncio.gather(wire.done, return_exceptions=True)
    await asyncio.sleep(0)

    assert wire.streams.feed.readers == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}
