"""What `rollout serve` waits for, what it does before, and what it makes of a part that ends by itself."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from rollout.bootstrap import files
from rollout.cli import serve
from rollout.cli.serve import until_stopped
from rollout.controller import memory
from rollout.errors import ConflictError, Unavailable
from rollout.settings.table import ServeSettings


async def forever() -> None:
    """Work until cancelled."""
    await asyncio.Event().wait()


async def nothing() -> None:
    """End at once."""


async def failing() -> None:
    """End with an error."""
    raise ConflictError("somebody else was here")


async def test_it_waits_for_a_signal() -> None:
    """It returns once that has come, and leaves the parts to whoever made them."""
    stop, part = asyncio.Event(), asyncio.create_task(forever())
    waiting = asyncio.create_task(until_stopped(stop, {part}))
    await asyncio.sleep(0)
    stop.set()
    await waiting
    still = part.done()
    part.cancel()

    assert not still


async def test_a_part_that_ends_by_itself_is_an_error() -> None:
    """It is named."""
    parts = {asyncio.create_task(forever()), asyncio.create_task(nothing(), name="the controller")}
    with pytest.raises(Unavailable, match="the controller has ended by itself"):
        await until_stopped(asyncio.Event(), parts)
    for part in parts:
        part.cancel()


async def test_what_ended_a_part_is_told() -> None:
    """The error of a part is that of the command."""
    with pytest.raises(ConflictError, match="somebody else was here"):
        await until_stopped(asyncio.Event(), {asyncio.create_task(failing())})


async def test_memory_is_settled_before_anything_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full collection takes longer the more there is, and would be in the way of the first passes."""
    order: list[str] = []

    @asynccontextmanager
    async def opened(_: object) -> AsyncIterator[None]:
        order.append("opened")
        raise ConflictError("enough was seen")
        yield

    monkeypatch.setattr(files, "ask_for_files", lambda: None)
    monkeypatch.setattr(serve, "_runtime", opened)
    monkeypatch.setattr(serve, "_stopped_by_signals", asyncio.Event)
    monkeypatch.setattr(memory, "settle_all", lambda: order.append("settled"))
    with pytest.raises(ConflictError):
        await serve._serve(ServeSettings())  # noqa: SLF001 - what is private to it is in which order it begins

    assert order == ["settled", "opened"]
