"""What goes wrong with sinks: statuses, silence, connections that end, answers that never do."""

import asyncio

from aiohttp import web

from tests.notify.stands.server import Fault, says

HUGE = 10 * 1024 * 1024


def answers(status: int, text: str = "", **headers: str) -> Fault:
    """Return the fault of an answer that echoes the address, as servers like to do, beside ``text``."""

    async def fault(request: web.Request) -> web.StreamResponse:
        return says(text or f"cannot serve {request.url}", status, **headers)

    return fault


def redirects(to: str, status: int = 307) -> Fault:
    """Return the fault of a sink that wants to be called elsewhere."""
    return answers(status, Location=to)


async def hangs(_: web.Request) -> web.StreamResponse:
    """Never answer."""
    await asyncio.sleep(3600)
    return web.Response()


async def closes(request: web.Request) -> web.StreamResponse:
    """End the connection without an answer."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def breaks_off(request: web.Request) -> web.StreamResponse:
    """Promise more than is sent."""
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"ok":')
    assert request.transport is not None
    request.transport.abort()
    return response


async def no_http(request: web.Request) -> web.StreamResponse:
    """Answer in another tongue."""
    assert isinstance(request.transport, asyncio.WriteTransport)
    request.transport.write(b"220 mail.example ESMTP\r\n\r\n")
    request.transport.close()
    return web.Response()


def drips(status: int) -> Fault:
    """Return the fault of a body that never ends, byte by byte."""

    async def fault(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=status)
        await response.prepare(request)
        while request.transport is not None and not request.transport.is_closing():
            await response.write(b" ")
            await asyncio.sleep(0.02)
        return response

    return fault


def floods(status: int) -> Fault:
    """Return the fault of an answer of 10 MB."""

    async def fault(_: web.Request) -> web.StreamResponse:
        return web.Response(body=b"x" * HUGE, status=status)

    return fault


def slow(seconds: float) -> Fault:
    """Return the fault of taking one's time; then all is as usual."""

    async def fault(_: web.Request) -> None:
        await asyncio.sleep(seconds)

    return fault
