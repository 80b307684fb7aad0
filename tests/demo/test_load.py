"""Open-loop load."""

import asyncio
import contextlib

import pytest

pytest.importorskip("grpc", reason="no gRPC: pip install 'rollout[demo]'")

from rollout.demo.load import Counter, drive
from rollout.demo.tally import NOBODY


async def _driven(counter: Counter, answer_seconds: float, *, rate: float, seconds: float) -> None:
    async def send() -> tuple[str, bool]:
        await asyncio.sleep(answer_seconds)
        return "shop-blue", False

    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(drive(send, counter, rate=rate, offset_seconds=0), seconds)


async def test_slow_answers_do_not_slow_the_load() -> None:
    """Requests go out when they are due, although none has been answered yet."""
    counter = Counter()
    await _driven(counter, 60, rate=200, seconds=0.5)
    tally = counter.take()

    assert tally.sent == pytest.approx(100, abs=15)
    assert tally.answered == 0


async def test_latency_counts_from_the_moment_a_request_was_due() -> None:
    """A stall of the load program itself is seen as latency, not hidden."""
    counter = Counter()

    async def stalled() -> None:
        import time  # noqa: PLC0415 - only here

        await asyncio.sleep(0.1)
        time.sleep(0.2)  # the stall

    await asyncio.gather(_driven(counter, 0.001, rate=100, seconds=0.6), stalled())

    assert counter.take().p99_seconds > 0.15


def test_taking_counts_begins_anew() -> None:
    """What was taken is not counted again; slow and failed answers stand by backend."""
    counter = Counter()
    counter.sent()
    counter.sent()
    counter.answered(("shop-green", False), 0.3)
    counter.answered((NOBODY, True), 0.001)
    tally = counter.take()

    assert (tally.sent, tally.answered, tally.failed) == (2, 2, 1)
    assert (tally.of("shop-green").slow, tally.of(NOBODY).failed) == (1, 1)
    assert counter.take().answered == 0
