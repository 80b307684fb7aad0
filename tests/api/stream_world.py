"""Event streams: one that speaks to a test in virtual time, and over real sockets with readers that take or do not."""

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message

from rollout.api import server
from rollout.api.connections import Limits
from rollout.api.feed import Feed, Scope
from rollout.api.server import ServerOptions
from rollout.api.stream_protocol import CONNECTION, Connection
from rollout.api.stream_response import EventStream, Pace, Source
from rollout.api.tls import TlsFiles
from rollout.ports import Journal, Key
from rollout.settings.address import Address
from tests.contracts.builders import rollout_document
from tests.fakes.store import FakeStore

USUAL, ALL = Pace(), Scope()
WEB, SEARCH, MAIL = Key("shop", "web"), Key("shop", "search"), Key("post", "mail")


def told(number: int, message: str = "The step was passed.") -> dict[str, object]:
    """Return a whole transition as the status has it."""
    weights = {"stable": 95, "canary": 5}
    place = {"number": number, "at": 1_800_000_000.5 + number, "phase": "Progressing", "step": 1}
    return {**place, "weights": weights, "reason": "StepPassed", "message": message}


@dataclass
class Author:
    """Records transitions in a store, one a record; the number of each Rollout's last is kept."""

    store: FakeStore
    numbers: dict[Key, int] = field(default_factory=dict)

    async def record(self, key: Key = WEB, times: int = 1, message: str = "The step was passed.") -> int:
        """Record this many transitions and return the sequence of the last."""
        for _ in range(times):
            stored = self.store.read(key)
            if stored is None:
                await self.store.apply(rollout_document(key.name, namespace=key.namespace))
                stored, self.numbers[key] = self.store.read(key), 0
            assert stored is not None
            self.numbers[key] += 1
            status = {"transitions": [told(self.numbers[key], message)]}
            await self.store.record(key, status=status, expected=stored.version)
        return self.store.last


# ---------------------------------------------------------------- what readers understand


@dataclass(frozen=True, slots=True)
class Event:
    """An event as a reader has it after the rules of the WHATWG; ``id`` is the last id when it came."""

    name: str
    id: str
    data: Any


class Transcript:
    """What came over a stream, understood by the rules of the WHATWG."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.last_id = ""
        self.retry = ""
        self.comments = 0
        self.blocks = 0
        self._rest = b""

    @property
    def ids(self) -> list[int]:
        """Return the ids of the transitions that came."""
        return [int(event.id) for event in self.events if event.name == "transition"]

    def feed(self, data: bytes) -> None:
        """Take a part of the stream."""
        *whole, self._rest = (self._rest + data).split(b"\n\n")
        for block in whole:
            self._take(block.decode())

    def _take(self, block: str) -> None:
        fields: dict[str, list[str]] = {}
        for line in block.split("\n"):
            name, _, value = line.partition(":")
            fields.setdefault(name, []).append(value.removeprefix(" "))
        self.blocks += 1
        self.comments += len(fields.get("", []))
        self.last_id = fields.get("id", [self.last_id])[-1]
        self.retry = fields.get("retry", [self.retry])[-1]
        if "data" in fields:
            name = fields.get("event", ["message"])[-1]
            self.events.append(Event(name, self.last_id, json.loads("\n".join(fields["data"]))))


# ---------------------------------------------------------------- a stream that speaks to a test


async def yes() -> bool:
    """Allow."""
    return True


class Streams:
    """A feed and what its streams share."""

    def __init__(self, journal: Journal, *, most_readers: int = 10) -> None:
        self.closing = asyncio.Event()
        self.feed = Feed(journal, self.closing, most_readers=most_readers, gather_seconds=0.05)
        self.source = Source(self.feed, journal, asyncio.Semaphore(2), USUAL)


class Wire:
    """A stream under way whose other end is the test: it takes what is said while ``taking``, and may be ``gone``.

    ``fault`` is what is raised instead of saying that it is gone.
    """

    def __init__(
        self,
        streams: Streams | Journal,
        *,
        wanted: Scope = ALL,
        after: int | None = None,
        allowed: Callable[[], Awaitable[bool]] = yes,
        connection: Connection | None = None,
    ) -> None:
        """Let the stream begin, with a feed of its own if it has only a journal."""
        self.streams = streams if isinstance(streams, Streams) else Streams(streams)
        self.got = Transcript()
        self.messages: list[Message] = []
        self.fault: Exception | None = None
        self.taking, self.gone = asyncio.Event(), asyncio.Event()
        self.taking.set()
        stream = EventStream(self.streams.source, wanted, after=after, allowed=allowed)
        self.done = asyncio.create_task(
            stream({"type": "http", "state": {CONNECTION: connection}}, self._receive, self._send)
        )

    async def _receive(self) -> Message:
        await self.gone.wait()
        if self.fault is not None:
            raise self.fault
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        await self.taking.wait()
        self.messages.append(message)
        self.got.feed(message.get("body", b""))

    @property
    def finished(self) -> bool:
        """Return whether the response was ended as one should."""
        return self.done.done() and not self.messages[-1].get("more_body", True)


# ---------------------------------------------------------------- over real sockets


@dataclass(frozen=True)
class Served:
    """A server under way: where, and its feed."""

    port: int
    feed: Feed


@asynccontextmanager
async def serving(journal: Journal, *, pace: Pace = USUAL, tls: TlsFiles | None = None) -> AsyncIterator[Served]:
    """Serve ``/events?namespace=&name=&after=`` of this journal as long as the context is open."""
    closing = asyncio.Event()
    feed = Feed(journal, closing, most_readers=500, gather_seconds=0.05)
    source = Source(feed, journal, asyncio.Semaphore(2), pace)

    async def events(request: Request) -> Response:
        given = request.query_params
        wanted = Scope(given.get("namespace", ""), given.get("name", ""))
        return EventStream(source, wanted, after=int(given["after"]) if "after" in given else None, allowed=yes)

    app = Starlette(routes=[Route("/events", events)])
    options = ServerOptions(Address("127.0.0.1", 0), Limits(connections=500), tls)
    async with server.serving(app, options, closing) as listening:
        yield Served(listening.address.port, feed)


class Client:
    """A reader: takes what comes. ``refusal`` is the answer when there is no stream."""

    def __init__(self, port: int, target: str = "/events", headers: Mapping[str, str] | None = None) -> None:
        self.got = Transcript()
        self.status = 0
        self.headers: dict[str, str] = {}
        self.refusal: Any = None
        self.ended = asyncio.Event()
        given = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        self._request = f"GET {target} HTTP/1.1\r\nHost: here\r\n{given}\r\n".encode()
        self._port = port
        self._task: asyncio.Task[None] | None = None
        self._begun = asyncio.Event()

    async def __aenter__(self) -> Self:
        """Return when the stream has said hello, or refused."""
        self._task = asyncio.create_task(self._read())
        async with asyncio.timeout(5):
            await self._begun.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Go away."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _read(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(self._request)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            self.status = int(head[0].split()[1])
            self.headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
            if self.status != 200:
                self.refusal = json.loads(await reader.readexactly(int(self.headers["content-length"])))
            while self.status == 200 and (size := int(await reader.readline(), 16)):
                self.got.feed((await reader.readexactly(size + 2))[:-2])
                self._begun.set()
        finally:
            self.ended.set()
            self._begun.set()
            writer.close()


def stalled(port: int, context: ssl.SSLContext | None = None) -> socket.socket:
    """Return the connection of a reader that asks for events and takes none; its system keeps little for it."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(("127.0.0.1", port))
    if context is not None:
        connection = context.wrap_socket(connection, server_hostname="127.0.0.1")
    connection.sendall(b"GET /events HTTP/1.1\r\nHost: here\r\n\r\n")
    return connection
