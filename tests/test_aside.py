"""One call aside is enough for all who want the same at one time."""

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from rollout.aside import MOST_CALLS, THREAD, Aside, Shared
from rollout.errors import Unavailable
from tests.waiting import until


@pytest.fixture
async def blocked() -> AsyncIterator[threading.Event]:
    """Return what calls wait for; at the end they go on, and are gone."""
    go = threading.Event()
    yield go
    go.set()
    await until(lambda: not any(thread.name == THREAD for thread in threading.enumerate()))


async def test_what_is_under_way_is_not_called_again(blocked: threading.Event) -> None:
    """However many want it, and what comes is for all of them."""
    shared: Shared[str, int] = Shared(Aside("gates"))
    calls: list[int] = []

    def work() -> int:
        calls.append(1)
        blocked.wait()
        return 7

    waiting = [asyncio.create_task(shared.call("ci", work)) for _ in range(3 * MOST_CALLS)]
    await until(lambda: len(calls) > 0)
    blocked.set()

    assert await asyncio.gather(*waiting) == [7] * (3 * MOST_CALLS)
    assert calls == [1]


async def test_who_goes_leaves_it_to_the_others(blocked: threading.Event) -> None:
    """Their time may be longer."""
    shared: Shared[str, bool] = Shared(Aside("gates"))
    stays = asyncio.create_task(shared.call("ci", blocked.wait))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await shared.call("ci", blocked.wait)
    blocked.set()

    assert await stays is True


async def test_the_next_call_is_another() -> None:
    """Nothing is kept of what has come back, nor of what failed."""
    shared: Shared[str, int] = Shared(Aside("gates"))

    def broken() -> int:
        raise KeyError("x")

    with pytest.raises(KeyError):
        await shared.call("ci", broken)

    assert await shared.call("ci", lambda: 7) == 7
    assert await shared.call("ci", lambda: 8) == 8


async def test_each_key_that_hangs_holds_one_thread(blocked: threading.Event) -> None:
    """More of them are refused at once."""
    shared: Shared[int, bool] = Shared(Aside("gates"))
    waiting = [asyncio.create_task(shared.call(n % MOST_CALLS, blocked.wait)) for n in range(2 * MOST_CALLS)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable, match="gates has calls that do not come back"):
        await shared.call(MOST_CALLS, blocked.wait)
    blocked.set()

    assert set(await asyncio.gather(*waiting)) == {True}
