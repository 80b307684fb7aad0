"""The clients of the bench of failover, in a process of their own: they send requests when they are due.

Started by test_failover.py as `python -m tests.bench.failover_load PORT`. They note every answer as (when, protocol,
who answered; for a failure what it was, after "!") and print all of them when their standard input is closed. Times
are of CLOCK_MONOTONIC, which all processes of a machine share.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable

import aiohttp
import grpc

from tests.envoy.backends import METHOD

RATE = 200
"""Requests a second over each protocol."""

TIMEOUT_SECONDS = 3.0

Answer = tuple[float, str, str]
Send = Callable[[], Awaitable[str]]


async def clients(port: int) -> None:
    """Send requests over both protocols until standard input is closed; print what came of them."""
    answers: list[Answer] = []
    limit = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=limit) as session,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        sending = [
            asyncio.create_task(_drive("http", _http(session, port), answers)),
            asyncio.create_task(_drive("grpc", _grpc(channel), answers)),
        ]
        await asyncio.to_thread(sys.stdin.read)
        for task in sending:
            task.cancel()
        await asyncio.gather(*sending, return_exceptions=True)
    sys.stdout.write(json.dumps(answers) + "\n")
    sys.stdout.flush()


async def _drive(protocol: str, send: Send, answers: list[Answer]) -> None:
    """Send a request whenever one is due, however slow the answers are."""
    due = time.monotonic()

    async def one() -> None:
        who = await send()
        answers.append((time.monotonic(), protocol, who))

    async with asyncio.TaskGroup() as requests:
        while True:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            requests.create_task(one())
            due += 1 / RATE


def _http(session: aiohttp.ClientSession, port: int) -> Send:
    async def send() -> str:
        try:
            async with session.get(f"http://127.0.0.1:{port}/checkout") as response:
                text = await response.text()
                return text if response.ok else f"!{response.status} {text}"
        except (aiohttp.ClientError, TimeoutError) as error:
            return f"!{type(error).__name__}"

    return send


def _grpc(channel: grpc.aio.Channel) -> Send:
    call = channel.unary_unary(METHOD)

    async def send() -> str:
        try:
            answer: bytes = await call(b"", timeout=TIMEOUT_SECONDS)
        except grpc.aio.AioRpcError as error:
            return f"!{error.code().name} {error.details()}"
        return answer.decode()

    return send


if __name__ == "__main__":
    asyncio.run(clients(int(sys.argv[1])))
