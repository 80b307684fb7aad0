"""Servers on loopback that behave as a test says, and how a probe of them ends."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from rollout.probes.flight import Flight
from rollout.probes.pulse import Pulse
from rollout.probes.said import Asker, Said
from rollout.signals import Target

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@asynccontextmanager
async def serving(behave: Behaviour, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Target]:
    """Listen on a free port and behave so with every connection."""
    tasks: set[asyncio.Task[None]] = set()

    async def met(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
                await behave(reader, writer)
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(met, "127.0.0.1", 0, ssl=tls)
    try:
        yield Target("127.0.0.1", server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def answering(*answers: bytes, pauses: bool = False) -> Behaviour:
    """Return a behaviour: these answers one after the other to each request, the last one again and again."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left = list(answers)
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(left.pop(0) if len(left) > 1 else left[0])
            await writer.drain()

    return behave


def once(answer: bytes) -> Behaviour:
    """Return a behaviour: this answer to the first request, then the end."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    return behave


async def hanging(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take everything and say nothing."""
    while await reader.read(1024):
        pass


async def resetting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Reset the connection once a request has come."""
    await reader.read(1)
    opened = writer.get_extra_info("socket")
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")


def free_target() -> Target:
    """Return a target at which nobody listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return Target("127.0.0.1", found.getsockname()[1])


async def probe(asker: Asker, *, timeout_seconds: float = 2.0, close: bool = True) -> Said:
    """Ask once with this patience."""
    pulse, said = Pulse(), asyncio.get_running_loop().create_future()
    pulse.start()
    flight = Flight(asker, pulse, timeout_seconds=timeout_seconds, land=said.set_result)
    try:
        found: Said = await said
    finally:
        await asyncio.gather(flight.task, return_exceptions=True)
        pulse.stop()
        if close:
            await asker.aclose()
    return found
