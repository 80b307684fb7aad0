"""A TCP proxy on loopback before an API server, with the faults of networks; TLS passes through untouched."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from enum import StrEnum
from types import TracebackType
from typing import Self

CHUNK_BYTES = 64 * 1024


class Mode(StrEnum):
    """What becomes of bytes: they pass, vanish while connections stay open, or nobody listens any more."""

    PASS = "Pass"
    SWALLOW = "Swallow"
    REFUSE = "Refuse"


class Proxy:
    """A door to ``port``; ``url`` is where it stands.

    ``delay_seconds`` holds back every piece that passes. ``connections`` counts those that were ever accepted.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._mode = Mode.PASS
        self._writers: set[asyncio.StreamWriter] = set()
        self._swallowed: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.delay_seconds = 0.0
        self.connections = 0

    async def __aenter__(self) -> Self:
        """Open the door on a free port."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it, and all connections."""
        assert self._server is not None
        self._server.close()
        self.cut()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        """Return the address of the door."""
        assert self._server is not None
        return f"https://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def set(self, mode: Mode) -> None:
        """Let this become of bytes from now on; a connection that has been swallowed stays so, as in a real network."""
        self._mode = mode
        if mode is Mode.SWALLOW:
            self._swallowed |= self._writers

    def cut(self) -> None:
        """Reset every connection that there is."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            if self._mode is not Mode.REFUSE:
                await self._join(reader, writer)
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._port)
        both = {writer, inner_writer}
        self._writers |= both
        if self._mode is Mode.SWALLOW:
            self._swallowed |= both
        ways = [
            asyncio.create_task(self._pipe(reader, inner_writer)),
            asyncio.create_task(self._pipe(inner_reader, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            self._writers -= both
            self._swallowed -= both
            inner_writer.transport.abort()

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while read := await reader.read(CHUNK_BYTES):
                if self.delay_seconds:
                    await asyncio.sleep(self.delay_seconds)
                if writer not in self._swallowed:
                    writer.write(read)
                    await writer.drain()
        if writer in self._swallowed:
            await asyncio.Event().wait()
