"""A server that answers as a test tells it, and remembers what it was asked."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def says(text: str | bytes, *, status: int = 200, kind: str = "application/json") -> Answer:
    """Return an answer with this body."""

    async def answer(_: web.Request) -> web.StreamResponse:
        body = text.encode() if isinstance(text, str) else text
        return web.Response(body=body, status=status, content_type=kind)

    return answer


def result(text: str) -> Answer:
    """Return a good answer of Prometheus with this result."""
    return says(f'{{"status":"success","data":{{"resultType":"any","result":{text}}}}}')


async def hangs(_: web.Request) -> web.StreamResponse:
    """Never answer."""
    await asyncio.sleep(3600)
    return web.Response()


async def drips(request: web.Request) -> web.StreamResponse:
    """Send a byte now and then, until the other side has had enough."""
    response = web.StreamResponse()
    await response.prepare(request)
    while request.transport is not None and not request.transport.is_closing():
        await response.write(b" ")
        await asyncio.sleep(0.02)
    return response


async def breaks_off(request: web.Request) -> web.StreamResponse:
    """Promise more than is sent."""
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"status":"success"')
    assert request.transport is not None
    request.transport.close()
    return response


class Liar:
    """The server: ``answers`` are given in turn, the last one for ever; ``seen`` are the requests."""

    def __init__(self) -> None:
        self.url = ""
        self.answers: list[Answer] = []
        self.seen: list[web.Request] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer with what is next."""
        self.seen.append(request)
        return await (self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])(request)


@asynccontextmanager
async def lying() -> AsyncIterator[Liar]:
    """Run a liar on a free port."""
    liar = Liar()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", liar.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    liar.url = f"http://127.0.0.1:{port}"
    try:
        yield liar
    finally:
        await runner.cleanup()
