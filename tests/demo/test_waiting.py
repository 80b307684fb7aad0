"""Waiting, and work beside work."""

import asyncio

import pytest

from rollout.demo.waiting import alongside, until


async def test_until_looks_until_there_is_something() -> None:
    """Nothing, nothing, something: that is returned."""
    answers = iter([None, None, "here"])

    async def look() -> str | None:
        return next(answers)

    assert await asyncio.wait_for(until(look), 5) == "here"


async def test_work_ends_what_runs_beside_it() -> None:
    """When the work is done, the others are cancelled and its result is returned."""
    ended: list[str] = []

    async def beside() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("beside")

    async def work() -> int:
        await asyncio.sleep(0)
        return 42

    assert await alongside(work(), beside()) == 42
    assert ended == ["beside"]


async def test_error_beside_the_work_ends_the_work() -> None:
    """The first error is raised, and the work does not go on."""

    async def broken() -> None:
        raise ValueError("gone")

    with pytest.raises(ValueError, match="gone"):
        await alongside(asyncio.Event().wait(), broken())
