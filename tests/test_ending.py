"""Facts about the end of tasks."""

import asyncio
from contextlib import suppress

from rollout.ending import end


async def test_all_have_ended_when_it_returns() -> None:
    """Also one that takes its time, and one that ends with an error instead."""
    ended: list[str] = []

    async def work(name: str) -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.sleep(0)
        ended.append(name)
        if name == "bad":
            raise ValueError(name)

    tasks = [asyncio.create_task(work(name)) for name in ("good", "bad")]
    await asyncio.sleep(0)
    await end(None, *tasks)

    assert sorted(ended) == ["bad", "good"]
    assert all(task.done() for task in tasks)


async def test_what_has_ended_before_stays_as_it_ended() -> None:
    """Nothing is cancelled any more, and its result may be asked for."""
    done = asyncio.create_task(asyncio.sleep(0, "result"))
    await done
    await end(done)

    assert done.result() == "result"
