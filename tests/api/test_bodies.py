"""Bodies over the API: within their limit, and answered also when they are not."""

import asyncio
from collections.abc import Sequence

import pytest

from tests.api.world import OPERATOR, WEB, options, world

LIMIT = 4096
HEAD = "PUT /api/v1/rollouts/shop/web HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n"
KNOWN = f"Authorization: Bearer {OPERATOR}\r\n"


async def _said(port: int, head: str, parts: Sequence[bytes] = (), *, closes: bool = True) -> bytes:
    """Return what the server says to this request; fail if it neither answers nor closes in time."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(10):
            writer.write(f"{head}\r\n".encode())
            for part in parts:
                writer.write(part)
                await writer.drain()
            return await (reader.read() if closes else reader.readuntil(b"\r\n\r\n"))
    finally:
        writer.close()


async def test_an_announced_body_beyond_the_limit_is_refused_at_once() -> None:
    """The answer comes before any of the body, and says how much is taken."""
    async with world(given=options(body_bytes=LIMIT)) as api:
        said = await _said(api.port, f"{HEAD}{KNOWN}Content-Length: 4097\r\n", closes=False)

    assert said.startswith(b"HTTP/1.1 413")
    assert b"connection: close" in said.lower()


async def test_a_body_at_the_limit_is_taken() -> None:
    """A body of exactly as many bytes as are allowed is read."""
    async with world(given=options(body_bytes=LIMIT)) as api:
        reply = await api.ask(
            "PUT", "/api/v1/rollouts/shop/web", data=b" " * LIMIT, headers={"Content-Type": "application/json"}
        )

    assert reply.status == 400


async def test_the_answer_arrives_although_the_client_keeps_sending() -> None:
    """A client that sends all it has announced before it reads still gets the whole answer."""
    async with world(given=options(body_bytes=LIMIT)) as api:
        parts = [b"x" * 65536] * 160
        said = await _said(api.port, f"{HEAD}{KNOWN}Content-Length: {65536 * 160}\r\n", parts)

    assert said.startswith(b"HTTP/1.1 413")
    assert said.endswith(b"}")


async def test_a_body_without_length_is_counted() -> None:
    """A body in chunks is refused once it is beyond the limit, also when it never ends."""
    async with world(given=options(body_bytes=LIMIT)) as api:
        chunk = b"800\r\n" + b"x" * 0x800 + b"\r\n"
        said = await _said(api.port, f"{HEAD}{KNOWN}Transfer-Encoding: chunked\r\n", [chunk] * 4)
        stored = api.store.read(WEB)

    assert said.startswith(b"HTTP/1.1 413")
    assert stored is None


async def test_a_stranger_gets_an_answer_although_a_body_is_coming() -> None:
    """Who has no token is told so at once, and all of the answer arrives."""
    async with world(given=options(body_bytes=LIMIT)) as api:
        said = await _said(api.port, f"{HEAD}Content-Length: 4000\r\n", [b"x" * 4000])

    assert said.startswith(b"HTTP/1.1 401")
    assert said.endswith(b"}")


@pytest.mark.parametrize("known", ["", KNOWN])
async def test_who_asks_first_is_answered_before_sending(known: str) -> None:
    """A client that asks before it sends is refused without being told to go on."""
    async with world(given=options(body_bytes=LIMIT)) as api:
        said = await _said(api.port, f"{HEAD}{known}Expect: 100-continue\r\nContent-Length: 5000\r\n")

    assert said.startswith((b"HTTP/1.1 413", b"HTTP/1.1 401"))


async def test_who_asks_first_is_told_to_go_on() -> None:
    """A client that asks before it sends what is taken is told to go on, and is answered."""
    async with world(given=options(body_bytes=LIMIT)) as api:
        head = f"{HEAD}{KNOWN}Expect: 100-continue\r\nContent-Length: 2\r\n"
        reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
        writer.write(f"{head}\r\n".encode())
        first = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        writer.write(b"{}")
        second = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        writer.close()

    assert first.startswith(b"HTTP/1.1 100")
    assert second.startswith(b"HTTP/1.1 422")


async def test_a_connection_stays_open_after_a_body_that_was_read() -> None:
    """An answer to a body that has come in whole leaves the connection for the next request."""
    async with world() as api:
        reply = await api.apply()
        again = await api.apply()

    assert "Connection" not in reply.headers
    assert (reply.status, again.status) == (201, 200)


async def test_a_client_that_goes_away_in_the_middle_leaves_nothing() -> None:
    """Half a manifest is stored nowhere, and the next request is served."""
    async with world() as api:
        _, writer = await asyncio.open_connection("127.0.0.1", api.port)
        writer.write(f"{HEAD}{KNOWN}Content-Length: 4000\r\n\r\n{{".encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        reply = await api.ask("GET", "/api/v1/rollouts")

    assert reply.json["total"] == 0
