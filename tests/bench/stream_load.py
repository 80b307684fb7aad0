"""The readers of the bench of event streams, in a process of their own: many that read, some that take nothing.

Started as `python -m tests.bench.stream_load PORT PATH READERS STALLED`, with a bearer token in `ROLLOUT_TOKEN`. It
prints a line when all have been greeted. Standard input then tells it the last sequence and ends; it prints what each
reader got up to there: sequences, and when each came (CLOCK_MONOTONIC, which all processes of a machine share), and how
many of those that took nothing find their connection closed when they read at last.
"""

import asyncio
import json
import os
import socket
import sys
import time
from contextlib import suppress

LAST_SECONDS = 10.0
"""How long the last events may take, and what a reader that took nothing has waiting."""


class Reader(asyncio.Protocol):
    """Reads a stream; only ids are looked at, and a read knows one time."""

    def __init__(self, request: bytes, greeted: asyncio.Semaphore) -> None:
        self.sequences: list[int] = []
        self.times: list[float] = []
        self._request = request
        self._greeted = greeted
        self._rest = b""
        self._is_event = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for events."""
        assert isinstance(transport, asyncio.Transport)
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Note the ids of events."""
        now = time.monotonic()
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if line.startswith(b"retry: "):
                self._greeted.release()
            elif line.startswith(b"id: ") and self._is_event:
                self.sequences.append(int(line[4:]))
                self.times.append(now)
            elif line.startswith(b"event: transition"):
                self._is_event = True
            elif not line:
                self._is_event = False


async def stall(port: int, request: bytes) -> socket.socket:
    """Return a connection that asks for events, is greeted and takes nothing more; its system keeps little for it."""
    loop, connection = asyncio.get_running_loop(), socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.setblocking(False)  # noqa: FBT003 - the way of the standard library
    await loop.sock_connect(connection, ("127.0.0.1", port))
    await loop.sock_sendall(connection, request)
    greeting = b""
    while b"retry: " not in greeting:
        greeting += await loop.sock_recv(connection, 1024)
    return connection


async def is_closed(connection: socket.socket, last: int) -> bool:
    """Read at last; return whether the server has closed the connection, before the last event was written."""
    loop, got, end = asyncio.get_running_loop(), b"", b"id: %d\n" % last
    with suppress(ConnectionResetError, TimeoutError):
        async with asyncio.timeout(LAST_SECONDS):
            while end not in got:
                part = await loop.sock_recv(connection, 65536)
                if not part:
                    return True
                got = got[-100:] + part
    return False


async def main(port: int, path: str, readers: int, stalled: int) -> None:
    """Read until there is no more, then say what came."""
    token = os.environ["ROLLOUT_TOKEN"]
    request = f"GET {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    loop, greeted = asyncio.get_running_loop(), asyncio.Semaphore(0)
    reading = [Reader(request, greeted) for _ in range(readers)]
    for one in reading:
        await loop.create_connection(lambda one=one: one, "127.0.0.1", port)  # type: ignore[misc]
    idle = [await stall(port, request) for _ in range(stalled)]
    for _ in reading:
        await greeted.acquire()
    _say("ready")
    last = int(await asyncio.to_thread(sys.stdin.read))
    with suppress(TimeoutError):
        async with asyncio.timeout(LAST_SECONDS):
            while not all(one.sequences and one.sequences[-1] >= last for one in reading):
                await asyncio.sleep(0.01)
    cut = sum(await asyncio.gather(*(is_closed(connection, last) for connection in idle)))
    _say(json.dumps({"readers": [{"sequences": one.sequences, "times": one.times} for one in reading], "cut": cut}))
    for connection in idle:
        connection.close()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
