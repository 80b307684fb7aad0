"""Facts about time that passes only when nothing else is left to do."""

import asyncio
import time

import pytest

from rollout.rehearsal.virtual_loop import DeadlockError, VirtualClock, run


def test_a_day_takes_no_time() -> None:
    """Waiting is virtual, whatever its length."""
    began = time.perf_counter()

    async def sleep() -> float:
        await asyncio.sleep(86_400)
        return asyncio.get_running_loop().time()

    assert run(sleep()) == 86_400
    assert time.perf_counter() - began < 5


def test_timers_ring_in_order_of_time() -> None:
    """Sleepers wake by their time and not by the order in which they fell asleep."""
    woken: list[float] = []

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds)
        woken.append(seconds)

    async def main() -> None:
        await asyncio.gather(*(sleep(seconds) for seconds in (3, 1, 2.5, 0.1)))

    run(main())

    assert woken == [0.1, 1, 2.5, 3]


def test_a_time_limit_is_virtual_too() -> None:
    """asyncio.timeout ends at its virtual second."""

    async def main() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await asyncio.sleep(100)
        return asyncio.get_running_loop().time()

    assert run(main()) == 5


def test_waiting_for_nothing_is_an_error() -> None:
    """A program that waits for what nobody can bring is told so instead of standing still."""

    async def wait() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(DeadlockError, match="waits for something that never comes"):
        run(wait())


def test_tasks_that_are_left_are_cancelled() -> None:
    """What still runs at the end hears of it."""
    heard: list[str] = []

    async def linger() -> None:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            heard.append("cancelled")
            raise

    async def main() -> None:
        lingering = asyncio.get_running_loop().create_task(linger())
        await asyncio.sleep(1)
        assert not lingering.done()

    run(main())

    assert heard == ["cancelled"]


def test_the_clock_follows_the_loop() -> None:
    """Both clocks move with virtual time, one from 0 and one from the given Unix time."""

    async def main() -> tuple[float, float]:
        clock = VirtualClock(asyncio.get_running_loop(), began_at=1000.0)
        await asyncio.sleep(2.5)
        return clock.now(), clock.monotonic()

    assert run(main()) == (1002.5, 2.5)
