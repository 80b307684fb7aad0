"""The clients of the lab, in one process: they send requests when they are due, and note what came of each.

Run as ``python -m tests.gateway.clients`` inside the enclosure. It reads lines of JSON: ``{"begin": ID, "hosts":
{KIND: ...}, "path": ..., "port": ..., "rate": ..., "file": ...}`` and ``{"end": ID}``; the second is answered by a line
with the id when all requests that were sent have been answered. Each answer is a line in the file: when the request was
sent, when it was answered (both of CLOCK_MONOTONIC, which all processes of a machine share), its kind, who answered,
and what was wrong with it (empty: nothing).
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TextIO

import aiohttp
import grpc

from tests.gateway.backends import METHOD

TIMEOUT_SECONDS = 5.0
FLUSH_SECONDS = 0.02

Answer = tuple[str, str]
"""Who answered (empty: nobody that is known), and what was wrong with it."""

Send = Callable[[], Awaitable[Answer]]


async def flow(order: Mapping[str, Any]) -> None:
    """Send requests until cancelled; then wait for their answers."""
    with Path(order["file"]).open("w", encoding="utf-8") as file:
        async with AsyncExitStack() as stack:
            limit = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
            connector = aiohttp.TCPConnector(limit=0)
            session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector, timeout=limit))
            hosts = order["hosts"]
            options = (("grpc.default_authority", hosts.get("grpc", "")), ("grpc.enable_retries", 0))
            address = f"127.0.0.1:{order['port']}"
            channel = await stack.enter_async_context(grpc.aio.insecure_channel(address, options))
            senders = {"http": _http(session, address + order["path"], hosts.get("http", "")), "grpc": _grpc(channel)}
            sending = await stack.enter_async_context(asyncio.TaskGroup())
            for kind in hosts:
                sending.create_task(_drive(kind, senders[kind], order["rate"], file))
            sending.create_task(_flush(file))


async def _flush(file: TextIO) -> None:
    while True:
        file.flush()
        await asyncio.sleep(FLUSH_SECONDS)


async def _drive(kind: str, send: Send, rate: float, file: TextIO) -> None:
    """Send a request whenever one is due, however slow the answers are."""
    due = time.monotonic()
    under_way: set[asyncio.Task[None]] = set()

    async def one() -> None:
        sent = time.monotonic()
        who, wrong = await send()
        file.write(f"{sent:.6f}\t{time.monotonic():.6f}\t{kind}\t{who}\t{wrong}\n")

    try:
        while True:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            task = asyncio.create_task(one())
            under_way.add(task)
            task.add_done_callback(under_way.discard)
            due += 1 / rate
    finally:
        await asyncio.gather(*under_way)


def _http(session: aiohttp.ClientSession, address: str, host: str) -> Send:
    async def send() -> Answer:
        try:
            async with session.get(f"http://{address}", headers={"Host": host}) as response:
                text = await response.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            return "", type(error).__name__
        if response.ok:
            return text, ""
        return (text, str(response.status)) if " " not in text else ("", f"{response.status} {text}")

    return send


def _grpc(channel: grpc.aio.Channel) -> Send:
    call = channel.unary_unary(METHOD)

    async def send() -> Answer:
        try:
            answer: bytes = await call(b"", timeout=TIMEOUT_SECONDS)
        except grpc.aio.AioRpcError as error:
            details = (error.details() or "").replace("\n", " ").replace("\t", " ")
            known = bool(details) and " " not in details
            return (details, error.code().name) if known else ("", f"{error.code().name} {details}")
        return answer.decode(), ""

    return send


async def main() -> None:
    """Carry out orders until there are no more."""
    flows: dict[str, asyncio.Task[None]] = {}
    while line := await asyncio.to_thread(sys.stdin.readline):
        order = json.loads(line)
        if "begin" in order:
            flows[order["begin"]] = asyncio.create_task(flow(order))
            continue
        ended = flows.pop(order["end"])
        ended.cancel()
        await asyncio.wait([ended])
        wrong = None if ended.cancelled() else ended.exception()
        sys.stdout.write(f"{order['end']} {wrong!r}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
