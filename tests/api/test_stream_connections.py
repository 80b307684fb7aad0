"""Streams over real sockets: who takes nothing keeps neither the others, nor its connection, nor the server's end."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from rollout.api import feed as feeds
from rollout.api.stream_protocol import KERNEL_BYTES, MOST_UNWRITTEN_BYTES
from rollout.api.stream_response import Pace
from rollout.api.tls import TlsFiles
from tests.api.stream_world import Author, Client, Served, serving, stalled
from tests.fakes.store import FakeStore
from tests.serve.certificates import certificate
from tests.waiting import until

QUICK = Pace(write_seconds=0.3)
LARGE = "x" * 1000


@pytest.fixture
def idle() -> Iterator[list[socket.socket]]:
    """Hold connections that are closed at the end of the test."""
    found: list[socket.socket] = []
    yield found
    for connection in found:
        connection.close()


async def taken_until_closed(connection: socket.socket) -> int:
    """Read at last and return how many bytes came before the connection was closed."""
    loop, total = asyncio.get_running_loop(), 0
    connection.settimeout(0)
    async with asyncio.timeout(5):
        with suppress(ConnectionResetError):
            while part := await loop.sock_recv(connection, 65536):
                total += len(part)
    return total


async def stall(served: Served, author: Author, idle: list[socket.socket]) -> None:
    """Let a reader come that takes nothing, and record so much that the stream cannot write any more."""
    idle.append(stalled(served.port))
    await until(lambda: served.feed.readers == 2)
    for _ in range(10):
        await author.record(times=50, message=LARGE)
        await asyncio.sleep(0)


async def test_a_reader_takes_what_is_recorded() -> None:
    """Over HTTP/1.1, in chunks, on a connection for itself."""
    store = FakeStore()
    author = Author(store)
    await author.record(times=3)
    async with serving(store) as served, Client(served.port, "/events?after=1") as client:
        await author.record(times=3)
        await until(lambda: len(client.got.ids) == 5)

    assert client.got.ids == [2, 3, 4, 5, 6]
    assert client.headers["content-type"].startswith("text/event-stream")
    assert client.headers["connection"] == "close"


async def test_a_reader_that_takes_nothing_is_cut_and_the_others_get_all(idle: list[socket.socket]) -> None:
    """Its connection is closed, though not all was written that waited for it."""
    store = FakeStore()
    author = Author(store)
    async with serving(store, pace=QUICK) as served, Client(served.port) as client:
        await stall(served, author, idle)
        await until(lambda: served.feed.readers == 1)
        await author.record()
        await until(lambda: len(client.got.ids) == store.last)
        taken = await taken_until_closed(idle[0])

    assert client.got.ids == list(range(1, store.last + 1))
    assert taken < 500 * len(LARGE)


async def test_what_waits_for_a_reader_is_bounded(idle: list[socket.socket]) -> None:
    """In the stream, in its transport and in the system: far less than was recorded."""
    store = FakeStore()
    author = Author(store)
    async with serving(store, pace=QUICK) as served, Client(served.port) as client:
        await stall(served, author, idle)
        await until(lambda: served.feed.readers == 1)
        await until(lambda: len(client.got.ids) == store.last)
        taken = await taken_until_closed(idle[0])

    assert taken <= 2 * KERNEL_BYTES + MOST_UNWRITTEN_BYTES + 65536


async def test_a_reader_that_goes_away_makes_room() -> None:
    """At once."""
    async with serving(FakeStore()) as served:
        async with Client(served.port):
            before = served.feed.readers
        await until(lambda: served.feed.readers == 0)

    assert before == 1


async def test_the_end_of_the_server_ends_all_within_a_second(idle: list[socket.socket]) -> None:
    """Those who take what comes, and those who take nothing."""
    store, loop = FakeStore(), asyncio.get_running_loop()
    author = Author(store)
    async with serving(store) as served, Client(served.port) as client:
        await stall(served, author, idle)
        await until(lambda: len(client.got.ids) == store.last)
        began = loop.time()
    took = loop.time() - began

    assert client.ended.is_set()
    assert took < 1.0


async def test_over_tls_it_is_the_same(idle: list[socket.socket], tmp_path: Path) -> None:
    """Also there a reader that takes nothing is cut, and keeps nobody."""
    pair, store, loop = certificate(tmp_path), FakeStore(), asyncio.get_running_loop()
    author = Author(store)
    async with serving(store, pace=QUICK, tls=TlsFiles(pair.certificate, pair.key)) as served:
        idle.append(await asyncio.to_thread(stalled, served.port, pair.client_context()))
        await until(lambda: served.feed.readers == 1)
        for _ in range(10):
            await author.record(times=50, message=LARGE)
            await asyncio.sleep(0)
        await until(lambda: served.feed.readers == 0)
        began = loop.time()
    took = loop.time() - began

    assert took < 1.0


async def test_many_that_come_at_once_get_all(idle: list[socket.socket]) -> None:
    """A burst that is larger than what may wait for a reader makes nobody slow who takes it."""
    store = FakeStore()
    author = Author(store)
    async with serving(store) as served, Client(served.port) as first, Client(served.port) as second:
        await author.record(times=2 * feeds.MOST_FRAMES)
        await until(lambda: len(first.got.ids) == len(second.got.ids) == store.last)

    assert first.got.ids == second.got.ids == list(range(1, store.last + 1))
