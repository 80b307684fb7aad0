"""What is probed while probes are measured: a process of its own, with one port for HTTP and one for TCP.

It listens at all loopback addresses, so that each target can have one of its own.
"""

import asyncio
import sys

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"


class Answering(asyncio.Protocol):
    """Answers whatever comes with 200."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin (called by the loop)."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer (called by the loop)."""
        self._transport.write(ANSWER)


async def serve() -> None:
    """Listen, say where, and go on until the input is closed."""
    loop = asyncio.get_running_loop()
    servers = [
        await loop.create_server(protocol, "0.0.0.0", 0, backlog=4096)  # noqa: S104 - each target has its own loopback address
        for protocol in (Answering, asyncio.Protocol)
    ]
    print(*(server.sockets[0].getsockname()[1] for server in servers), flush=True)  # noqa: T201 - how it tells
    await loop.run_in_executor(None, sys.stdin.read)
    for server in servers:
        server.close()


if __name__ == "__main__":
    asyncio.run(serve())
