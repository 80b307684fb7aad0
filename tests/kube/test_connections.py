"""Connections to an API server are closed when nobody wants them any more, and not when memory is swept."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass

import pytest
from aiohttp import web

from rollout.errors import Unavailable
from rollout.kube.resources import LEASES
from tests.kube.faulty import Faulty, event, faulty, lease
from tests.prometheus.liar import says
from tests.waiting import until


@dataclass(slots=True)
class Line:
    """An answer that begins, where ``begins``, and goes on until the other side closes; what its side has seen."""

    begins: bool = True
    opened: int = 0
    closed: int = 0

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        """Tell of one object, and wait for the end of the connection."""
        response = web.StreamResponse()
        if self.begins:
            await response.prepare(request)
            await response.write(event("ADDED", lease("a", 8)))
        self.opened += 1
        while request.transport is not None and not request.transport.is_closing():
            await asyncio.sleep(0.005)
        self.closed += 1
        return response


@pytest.fixture
async def server() -> AsyncIterator[Faulty]:
    """Run a server."""
    async with faulty() as running:
        yield running


async def test_a_watch_that_is_cancelled_closes_its_connection(server: Faulty) -> None:
    """Where it waits for the next event; the door stays open."""
    line = Line()
    server.watches = [line]
    async with server.door() as api:

        async def listen() -> None:
            async with aclosing(api.watch(LEASES, since="7", seconds=30)) as events:
                async for _ in events:
                    pass

        listening = asyncio.create_task(listen())
        await until(lambda: line.opened)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)

        await until(lambda: line.closed, seconds=1.0)


async def test_a_watch_whose_listener_is_cancelled_closes_its_connection(server: Faulty) -> None:
    """While it does something with an event, which is outside of the watch."""
    line = Line()
    server.watches = [line]
    async with server.door() as api:

        async def listen() -> None:
            async with aclosing(api.watch(LEASES, since="7", seconds=30)) as events:
                async for kind, _ in events:
                    if kind == "ADDED":
                        await asyncio.Event().wait()

        listening = asyncio.create_task(listen())
        await until(lambda: line.opened)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)

        await until(lambda: line.closed, seconds=1.0)


async def test_a_reflector_that_ends_closes_its_connection(server: Faulty) -> None:
    """Though the door stays open for others."""
    line = Line()
    server.lists = [says('{"metadata": {"resourceVersion": "7"}, "items": []}')]
    server.watches = [line]
    async with server.door() as api:
        reflector = server.made(api)
        await reflector.start()
        await until(lambda: line.opened)

        await reflector.aclose()

        await until(lambda: line.closed, seconds=1.0)


async def test_a_door_that_is_closed_leaves_no_connection_open(server: Faulty) -> None:
    """Nor that of a watch which somebody still holds."""
    line = Line()
    server.watches = [line]
    async with server.door() as api:
        events = api.watch(LEASES, since="7", seconds=30)
        await anext(events)
        await anext(events)

    await until(lambda: line.closed, seconds=1.0)
    await events.aclose()


@pytest.mark.parametrize("begins", [False, True])
async def test_an_answer_that_did_not_come_in_time_leaves_no_connection(server: Faulty, *, begins: bool) -> None:
    """Each of three tries has a connection of its own, and gives it up."""
    line = Line(begins)
    server.lists = [line]
    async with server.door() as api:
        with pytest.raises(Unavailable, match="no answer within 1 s"):
            await api.get(LEASES, "shop", "a")

        await until(lambda: line.closed == 3, seconds=1.0)
