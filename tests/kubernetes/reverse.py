"""A door before an API server that speaks HTTP, so that answers can be put in its mouth which it would not give now."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp import web

from tests.kubernetes.cluster import Cluster

Fault = Callable[[web.Request], web.Response | None]
"""Returns what is answered instead, or None to let the request through."""

HOP = frozenset({"host", "content-length", "transfer-encoding", "connection", "content-encoding"})


class Reverse:
    """Forwards what comes to the API server, but for what ``fault`` answers; each answer waits ``delay_seconds``."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None
        self.fault: Fault | None = None
        self.delay_seconds = 0.0
        self.faults = 0
        self._streams: list[web.Request] = []

    def cut(self) -> None:
        """Break every answer that is on its way: those are the watches."""
        for request in self._streams:
            if request.transport is not None:
                request.transport.close()

    async def __aenter__(self) -> Self:
        """Open the door on a free port of loopback."""
        context = ssl.create_default_context(cafile=self._cluster.ca)
        connector = aiohttp.TCPConnector(ssl=context, limit=0)
        self._session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=600))
        app = web.Application(client_max_size=16 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._forward)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        assert self._runner is not None
        assert self._session is not None
        await self._runner.cleanup()
        await self._session.close()

    @property
    def url(self) -> str:
        """Return the address of the door."""
        assert self._runner is not None
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _forward(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if self.delay_seconds:
            await asyncio.sleep(self.delay_seconds)
        answer = self.fault(request) if self.fault is not None else None
        if answer is not None:
            self.faults += 1
            return answer
        assert self._session is not None
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP}
        url = f"{self._cluster.url}{request.raw_path}"
        try:
            async with self._session.request(request.method, url, headers=headers, data=body) as told:
                passed = web.StreamResponse(status=told.status)
                passed.headers["Content-Type"] = told.headers.get("Content-Type", "application/json")
                await passed.prepare(request)
                self._streams.append(request)
                async for chunk in told.content.iter_any():
                    await passed.write(chunk)
                return passed
        except aiohttp.ClientError:
            return web.Response(status=502, text="no API server")
        finally:
            self._streams = [other for other in self._streams if other is not request]


def status(code: int, reason: str, *, headers: dict[str, str] | None = None) -> web.Response:
    """Return a failure as the API server words it."""
    told = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "code": code,
        "reason": reason,
        "message": reason,
    }
    return web.Response(status=code, text=json.dumps(told), content_type="application/json", headers=headers)
