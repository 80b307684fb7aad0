"""How `rollout serve` ends: in time and with code 0, whatever clients do; at once when it is told twice."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest

from tests.serve.alone import CHECKOUT, ask, hang, put, server_alone
from tests.serve.server import Server
from tests.serve.world import manifest

pytestmark = [pytest.mark.real, pytest.mark.timeout(60)]

LIMIT_SECONDS = 5.0


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    """`rollout serve`, serving."""
    server = server_alone(tmp_path)
    await server.serving()
    yield server
    await server.kill()


async def streams(server: Server, stack: AsyncExitStack, count: int) -> list[aiohttp.ClientResponse]:
    """Open event streams."""
    session = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
    headers = {"Authorization": f"Bearer {server.token}"}
    opened = []
    for _ in range(count):
        response = await session.get(f"{server.url}/api/v1/events", headers=headers)
        opened.append(await stack.enter_async_context(response))
    return opened


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_an_idle_server_ends_at_once(server: Server, number: signal.Signals) -> None:
    """With code 0, and its last line says so."""
    code, seconds = await server.end(number)

    assert (code, server.lines()[-1]["event"]) == (0, "stopped")
    assert seconds < 3


async def test_open_streams_and_hanging_requests_do_not_keep_it(server: Server) -> None:
    """Streams end, what hangs is cut off: code 0 within 5 s, and nothing in the log is an error."""
    async with AsyncExitStack() as stack:
        opened = await streams(server, stack, 20)
        hang(server, stack)
        waiting = asyncio.create_task(ask(server, "/healthz"))
        await waiting
        code, seconds = await server.end()
        for stream in opened:
            async with asyncio.timeout(5):
                await stream.content.read()

    assert code == 0
    assert seconds <= LIMIT_SECONDS
    assert not [line for line in server.lines() if line["level"] in {"error", "critical"}]
    assert "Traceback" not in server.text()


async def test_a_command_that_is_waited_for_does_not_keep_it(server: Server) -> None:
    """A request that waits half a minute for what becomes of a command is answered or cut off; the end is in time."""
    await put(server, CHECKOUT, manifest("checkout", revision="1", steps=((20, "60s"),)))
    url, headers = f"{server.url}{CHECKOUT}/commands?wait=30", {"Authorization": f"Bearer {server.token}"}
    async with aiohttp.ClientSession() as session:
        asked = asyncio.create_task(session.post(url, json={"action": "start", "id": "c-1"}, headers=headers))
        await asyncio.wait({asked}, timeout=0.3)
        code, seconds = await server.end()
        await asyncio.gather(asked, return_exceptions=True)

    assert code == 0
    assert seconds <= LIMIT_SECONDS


async def test_a_second_signal_ends_it_at_once(server: Server) -> None:
    """While the first is being carried out, the second ends the process as a signal does."""
    async with AsyncExitStack() as stack:
        hang(server, stack)
        server.signal(signal.SIGTERM)
        await server.said('"stopping"')
        code, seconds = await server.end(signal.SIGTERM)

    assert code == -signal.SIGTERM
    assert seconds < 1


async def test_the_next_start_has_the_same_address(server: Server) -> None:
    """A port that was just given up can be had again at once."""
    async with AsyncExitStack() as stack:
        await streams(server, stack, 3)
        port = server.url.rpartition(":")[2]
        await server.end()
        server.arguments += (f"--listen=127.0.0.1:{port}",)
        await server.serving()
        status, _ = await ask(server, "/healthz")

    assert (status, server.url.rpartition(":")[2]) == (200, port)
