"""The doors of an enclosure, a process inside it: what connects to a socket from outside is led to a port in here.

Started as ``python -m tests.gateway.porter FD`` by ``enclosure``, which sends listening sockets of its own namespace
over FD, each with the port that it leads to. It ends when FD is closed.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from contextlib import closing, suppress

_CHUNK = 1 << 16
_MESSAGE = 64


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()
    with suppress(OSError):
        writer.close()


async def lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    """Copy both ways between a connection and one to ``port`` until both have ended."""
    try:
        inner, outer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        writer.close()
        return
    await asyncio.gather(_copy(reader, outer), _copy(inner, writer))


async def main(orders: socket.socket) -> None:
    """Open a door for each socket that comes."""
    loop = asyncio.get_running_loop()
    orders.setblocking(False)  # noqa: FBT003 - the standard library's own signature
    servers: list[asyncio.Server] = []
    news = asyncio.Event()
    loop.add_reader(orders, news.set)
    while True:
        await news.wait()
        news.clear()
        with suppress(BlockingIOError):
            while True:
                told, given, _, _ = socket.recv_fds(orders, _MESSAGE, 1)
                if not told:
                    return
                port, listening = int(told), socket.socket(fileno=given[0])
                servers.append(await asyncio.start_server(_door(port), sock=listening))


def _door(port: int):  # type: ignore[no-untyped-def]  # noqa: ANN202 - asyncio's own callback type has no name
    async def opened(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await lead(reader, writer, port)

    return opened


if __name__ == "__main__":
    with closing(socket.socket(fileno=int(sys.argv[1]))) as given:
        asyncio.run(main(given))
