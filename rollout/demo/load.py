"""Open-loop load on the demo's gateway: each request is sent when it is due, however slow the answers are.

Run as ``python -m rollout.demo.load ADDRESS RATE`` by ``rollout.demo.world``, in a process of its
own so that it cannot slow the controller. It sends ``RATE`` HTTP and ``RATE`` gRPC requests a second
and prints a report (``rollout.demo.tally``) four times a second. Latency counts from the moment
when a request was due, so that a stall is not hidden by the requests that were not sent. End of
standard input ends it.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable

import aiohttp
import grpc

from rollout.demo.behaviour import SLOW_SECONDS
from rollout.demo.service import CART_METHOD, CART_SERVICE, SERVED_BY
from rollout.demo.tally import NOBODY, Report, Seen, Tally
from rollout.demo.wire import orders, say

TIMEOUT_SECONDS = 2.0
"""A request without an answer by then has failed."""

REPORT_SECONDS = 0.25

Answer = tuple[str, bool]
"""The backend that answered (``NOBODY`` when none did), and whether the answer is a failure."""

Send = Callable[[], Awaitable[Answer]]


class Counter:
    """Counts what one service's clients see, until the counts are taken."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._sent = 0
        self._latencies: list[float] = []
        self._backends: dict[str, Seen] = {}

    def sent(self) -> None:
        """Count a request that goes out."""
        self._sent += 1

    def answered(self, answer: Answer, latency_seconds: float) -> None:
        """Count an answer."""
        backend, failed = answer
        seen = self._backends.get(backend, Seen())
        self._backends[backend] = seen.with_answer(time.time(), failed=failed, slow=latency_seconds > SLOW_SECONDS)
        self._latencies.append(latency_seconds)

    def take(self) -> Tally:
        """Return the counts so far and begin again."""
        latencies = sorted(self._latencies)
        tally = Tally(self._sent, self._backends, _rank(latencies, 0.5), _rank(latencies, 0.99))
        self._sent, self._latencies, self._backends = 0, [], {}
        return tally


def _rank(ordered: list[float], share: float) -> float:
    return ordered[int(share * (len(ordered) - 1))] if ordered else 0.0


def http_sender(address: str, session: aiohttp.ClientSession) -> Send:
    """Return how one HTTP request is sent."""
    url = f"http://{address}/shop"

    async def send() -> Answer:
        try:
            async with session.get(url) as response:
                served_by = response.headers.get(SERVED_BY, NOBODY)
                return served_by.partition(" ")[0], not response.ok
        except (aiohttp.ClientError, TimeoutError):
            return NOBODY, True

    return send


def grpc_sender(channel: grpc.aio.Channel) -> Send:
    """Return how one gRPC request is sent."""
    call = channel.unary_unary(f"/{CART_SERVICE}/{CART_METHOD}")

    async def send() -> Answer:
        try:
            answer = await call(b"", timeout=TIMEOUT_SECONDS)
        except grpc.aio.AioRpcError as error:
            details = error.details() or ""
            return (details.partition(" ")[0] if error.code() is grpc.StatusCode.INTERNAL else NOBODY), True
        return answer.decode().partition(" ")[0], False

    return send


async def drive(send: Send, counter: Counter, *, rate: float, offset_seconds: float) -> None:
    """Send ``rate`` requests a second, evenly, for ever; the first after ``offset_seconds``."""
    due = time.monotonic() + offset_seconds

    async def one(due: float) -> None:
        counter.sent()
        answer = await send()
        counter.answered(answer, time.monotonic() - due)

    async with asyncio.TaskGroup() as requests:
        while True:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            while due <= time.monotonic():
                requests.create_task(one(due))
                due += 1 / rate


async def report(counters: dict[str, Counter]) -> None:
    """Print a report every 0.25 s."""
    since = time.time()
    while True:
        await asyncio.sleep(REPORT_SECONDS)
        until = time.time()
        services = {name: counter.take() for name, counter in counters.items()}
        say(Report(since, until, services).to_wire())
        since = until


async def run(address: str, rate: float) -> None:
    """Load the gateway at ``address`` until standard input ends."""
    counters = {"shop": Counter(), "cart": Counter()}
    connector = aiohttp.TCPConnector(limit=0)
    limit = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
    async with (
        aiohttp.ClientSession(connector=connector, timeout=limit) as session,
        grpc.aio.insecure_channel(address) as channel,
    ):
        work = [
            asyncio.ensure_future(drive(http_sender(address, session), counters["shop"], rate=rate, offset_seconds=0)),
            asyncio.ensure_future(drive(grpc_sender(channel), counters["cart"], rate=rate, offset_seconds=0.5 / rate)),
            asyncio.ensure_future(report(counters)),
            asyncio.ensure_future(_end_of_input()),
        ]
        done, _ = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
        for task in work:
            task.cancel()
        done.pop().result()


async def _end_of_input() -> None:
    async for _ in orders():
        pass


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], float(sys.argv[2])))
