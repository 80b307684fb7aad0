"""The other processes of the bench of weight changes: backends that note when requests come, and clients.

Started by test_weight_change.py as `python -m tests.bench.weight_load backends` or `... clients PORT`; each ends
when its standard input is closed, and prints what it noted. Times are of CLOCK_MONOTONIC, which all processes of a
machine share.
"""

import asyncio
import json
import sys
import time

import grpc

from tests.envoy.backends import METHOD, GrpcBackend, HttpBackend

HTTP_CLIENTS = 2
GRPC_CLIENTS = 2
_PAUSE_SECONDS = 0.0005


async def backends() -> None:
    """Serve two versions over each protocol; print their ports at first, and when which request came at the end."""
    came: list[tuple[float, str]] = []

    def note(name: str) -> None:
        came.append((time.monotonic(), name))

    http = [HttpBackend(name, on_request=note) for name in ("web-v1", "web-v2")]
    calls = [GrpcBackend(name, on_request=note) for name in ("calls-v1", "calls-v2")]
    for backend in http:
        await backend.start()
    for server in calls:
        await server.start()
    _say({one.name: one.port for one in http} | {one.name: one.port for one in calls})
    await asyncio.to_thread(sys.stdin.read)
    _say(came)
    for backend in http:
        await backend.close()
    for server in calls:
        await server.close()


async def clients(port: int) -> None:
    """Send requests; print how many were answered well, and what came of the others."""
    failed: list[str] = []
    counts = {"answered": 0}
    running = [asyncio.create_task(_http_client(port, counts, failed)) for _ in range(HTTP_CLIENTS)]
    running += [asyncio.create_task(_grpc_client(port, counts, failed)) for _ in range(GRPC_CLIENTS)]
    await asyncio.to_thread(sys.stdin.read)
    died = [repr(task.exception()) for task in running if task.done()]
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    _say({"answered": counts["answered"], "failed": failed + died})


async def _http_client(port: int, counts: dict[str, int], failed: list[str]) -> None:
    """Send HTTP/1.1 requests on one connection, one after the other."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    request = b"GET /checkout HTTP/1.1\r\nHost: bench\r\n\r\n"
    while True:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        await reader.readexactly(length)
        if head.startswith(b"HTTP/1.1 200"):
            counts["answered"] += 1
        else:
            failed.append(head.split(b"\r\n", 1)[0].decode())
        await asyncio.sleep(_PAUSE_SECONDS)


async def _grpc_client(port: int, counts: dict[str, int], failed: list[str]) -> None:
    """Make gRPC calls on one connection, one after the other."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        method = channel.unary_unary(METHOD)
        while True:
            try:
                await method(b"", timeout=5)
                counts["answered"] += 1
            except grpc.aio.AioRpcError as error:
                failed.append(str(error.code()))
            await asyncio.sleep(_PAUSE_SECONDS)


def _say(what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(backends() if sys.argv[1] == "backends" else clients(int(sys.argv[2])))
