"""A stand-in for the server: speaks the models of the API over real sockets, and fails as it is told.

It lives in a thread with a loop of its own, so that commands can run as they do, with theirs. For what the real server
does not do on demand: break a connection, answer late, answer nonsense.
"""

import asyncio
import json
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from rollout.api.models import Live, Summary, TransitionEvent, TransitionItem

JSON = {"Content-Type": "application/json"}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Asked:
    """One question as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass
class StandIn:
    """What it answers; to be set by tests, also while it runs."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    first: deque[Handler] = field(default_factory=deque)
    """These answer the next questions, one each, whatever they are."""
    answers: dict[tuple[str, str], tuple[int, Any]] = field(default_factory=dict)
    """(method, path without the prefix) -> status and body."""
    after: dict[str, tuple[int, Any]] = field(default_factory=dict)
    """path without the prefix -> from which GET on (counted from 1) this body is the answer."""
    summaries: list[Summary] = field(default_factory=list)
    live: Live | None = None
    history: list[TransitionItem] = field(default_factory=list)
    events: list[TransitionEvent] = field(default_factory=list)
    """The journal: the sequence of an event is its place, from 1."""
    begin: int | None = None
    """Where a stream without a place begins; None: after all that has happened."""
    cut: bool = False
    """Whether event streams end after what they have told, and are refused to who comes back."""
    streams: int = 0
    """How many event streams are open."""

    def paths(self, method: str = "") -> list[str]:
        """Return the paths that were asked for."""
        return [each.path for each in self.asked if method in {"", each.method}]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one question."""
        body = await request.read()
        self.asked.append(Asked(request.method, request.path, dict(request.query), dict(request.headers), body))
        if self.first:
            return await self.first.popleft()(request)
        path = request.path.removeprefix("/api/v1")
        count, value = self.after.get(path, (0, None))
        if request.method == "GET" and 0 < count <= self.paths("GET").count(request.path):
            return web.json_response(_plain(value))
        if (request.method, path) in self.answers:
            status, value = self.answers[request.method, path]
            return web.json_response(_plain(value), status=status)
        if path.endswith("/events"):
            return await self._stream(request)
        return self._usual(path, request)

    def _usual(self, path: str, request: web.Request) -> web.Response:
        if path == "/rollouts":
            return web.json_response(self._page(request))
        if path.endswith("/live") and self.live is not None:
            return web.json_response(_plain(self.live))
        if path.endswith("/history"):
            return web.json_response({"items": [_plain(item) for item in self.history], "next": None})
        return problem(404, f"there is nothing at {path}")

    def _page(self, request: web.Request) -> dict[str, Any]:
        limit, begin = int(request.query["limit"]), int(request.query.get("continue", 0))
        end = begin + limit
        items = [_plain(each) for each in self.summaries[begin:end]]
        return {"items": items, "total": len(self.summaries), "next": str(end) if end < len(self.summaries) else None}

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        if self.cut and "Last-Event-ID" in request.headers:
            return problem(403, "not any more")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        sent = int(request.headers.get("Last-Event-ID", len(self.events) if self.begin is None else self.begin))
        await response.write(f"retry: 10\nid: {sent}\n\n".encode())
        self.streams += 1
        try:
            while True:
                while sent < len(self.events):
                    sent += 1
                    data = self.events[sent - 1].model_dump_json(by_alias=True)
                    await response.write(f"event: transition\nid: {sent}\ndata: {data}\n\n".encode())
                if self.cut:
                    return response
                await asyncio.sleep(0.01)
        except ConnectionError:
            return response
        finally:
            self.streams -= 1


def _plain(value: Any) -> Any:  # noqa: ANN401 - a model, or what JSON can hold
    return value.model_dump(mode="json", by_alias=True) if hasattr(value, "model_dump") else value


def problem(status: int, detail: str, *, headers: dict[str, str] | None = None, **more: Any) -> web.Response:  # noqa: ANN401
    """Return a problem as the API has it."""
    told = {"type": "urn:rollout:problem:x", "title": "x", "status": status, "detail": detail}
    body = json.dumps({**told, "instance": "urn:rollout:request:abc", **more})
    return web.Response(
        status=status, body=body, headers={**(headers or {}), "Content-Type": "application/problem+json"}
    )


def answering(response: Callable[[], web.Response]) -> Handler:
    """Return a handler that answers so."""

    async def handler(_: web.Request) -> web.StreamResponse:
        return response()

    return handler


def streamed(content: bytes) -> Handler:
    """Return a handler whose event stream has this and ends."""
    return answering(lambda: web.Response(body=content, content_type="text/event-stream"))


async def breaking(request: web.Request) -> web.StreamResponse:
    """Break the connection instead of answering."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


class Running:
    """The stand-in as a running server, which can be stopped and started again at the same port."""

    def __init__(self, stand_in: StandIn) -> None:
        self._stand_in = stand_in
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._runner: web.AppRunner | None = None
        self._port = 0

    def start(self) -> None:
        """Listen, at the port of before if there was one."""
        self._do(self._start())

    def stop(self) -> None:
        """End all connections and do not listen any more."""
        self._do(self._stop())

    def close(self) -> None:
        """Stop for good."""
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _do(self, work: Any) -> None:  # noqa: ANN401 - a coroutine
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _start(self) -> None:
        app = web.Application(client_max_size=8 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._stand_in.answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True)
        await site.start()
        self._port = self._runner.addresses[0][1]
        self._stand_in.url = f"http://127.0.0.1:{self._port}"

    async def _stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None


@contextmanager
def standing(stand_in: StandIn) -> Iterator[Running]:
    """Let the stand-in listen while inside."""
    running = Running(stand_in)
    running.start()
    try:
        yield running
    finally:
        running.close()
