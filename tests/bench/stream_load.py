"""The readers of the bench of event streams, in a process of their own: many that read, some that take nothing.

Started as `python -m tests.bench.stream_load PORT PATH READERS STALLED`, with a bearer token in `ROLLOUT_TOKEN`. It
prints a line when all have been greeted, and when its standard input is closed, what each reader got: sequences, and
when each came (CLOCK_MONOTONIC, which all processes of a machine share).
"""

import asyncio
import json
import os
import socket
import sys
import time


class Reader(asyncio.Protocol):
    """Reads a stream; only ids are looked at, and a read knows one time."""

    def __init__(self, request: bytes, greeted: asyncio.Semaphore) -> None:
        self.sequences: list[int] = []
        self.times: list[float] = []
        self.ended = False
        self._request = request
        self._greeted = greeted
        self._rest = b""
        self._inside = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for events."""
        assert isinstance(transport, asyncio.Transport)
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Note the ids of whole lines."""
        now = time.monotonic()
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if line.startswith(b"retry: "):
                self._greeted.release()
            elif line.startswith(b"id: ") and self._inside:
                self.sequences.append(int(line[4:]))
                self.times.append(now)
            elif line.startswith(b"event: transition"):
                self._inside = True
            elif line == b"":
                self._inside = False

    def connection_lost(self, _: Exception | None) -> None:
        """Note that the stream ended."""
        self.ended = True


def stall(port: int, request: bytes) -> socket.socket:
    """Return a connection that asks for events and takes none; its system keeps little for it."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(("127.0.0.1", port))
    connection.sendall(request)
    return connection


async def main(port: int, path: str, readers: int, stalled: int) -> None:
    """Read until standard input is closed, then say what came."""
    token = os.environ.get("ROLLOUT_TOKEN", "")
    request = f"GET {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    greeted = asyncio.Semaphore(0)
    loop = asyncio.get_running_loop()
    reading = [Reader(request, greeted) for _ in range(readers)]
    transports = [(await loop.create_connection(lambda one=one: one, "127.0.0.1", port))[0] for one in reading]  # type: ignore[misc]
    idle = [stall(port, request) for _ in range(stalled)]
    for _ in reading:
        await greeted.acquire()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    got = [{"ended": one.ended, "sequences": one.sequences, "times": one.times} for one in reading]
    sys.stdout.write(json.dumps(got) + "\n")
    for connection in idle:
        connection.close()
    for transport in transports:
        transport.abort()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
