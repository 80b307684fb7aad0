"""The connections to an API server: closed at once and for certain.

The polite end of TLS waits for the other side, up to 30 s where a network swallows everything, and nobody waits for it:
a watch that was given up would hold its socket meanwhile, and a program that ends would leave sockets behind. Here a
connection that is not wanted any more is cut. Made by ``rollout.kube.api``, which knows when that is.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING
from weakref import WeakSet

import aiohttp
from kubernetes.aio import client
from kubernetes.aio.client.rest import RESTClientObject

if TYPE_CHECKING:
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace


class Connections(aiohttp.TCPConnector):
    """Connections of which none is open any more when ``close`` returns."""

    def __init__(self, *, limit: int, context: ssl.SSLContext, reuse: bool) -> None:
        """Allow ``limit`` at once; ``reuse``: keep one for the next request."""
        super().__init__(limit=limit, ssl=context, force_close=not reuse)
        self._made: WeakSet[asyncio.Transport] = WeakSet()

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - as the base class names it
    ) -> Connection:
        """Return a connection, and remember it as long as it is there."""
        connection = await super().connect(req, traces, timeout)
        if connection.transport is not None:
            self._made.add(connection.transport)
        return connection

    async def close(self, *, abort_ssl: bool = True) -> None:
        """Close all connections, those included whose polite end is still under way."""
        await super().close(abort_ssl=abort_ssl)
        for transport in list(self._made):
            transport.abort()
        await _next_round()


class Rest(RESTClientObject):
    """The client's way to make requests, over ``Connections``; ``reuse``: whether one is kept for the next request."""

    def __init__(self, configuration: client.Configuration, *, reuse: bool) -> None:
        """Connect to nobody yet."""
        super().__init__(configuration)
        self._reuse = reuse

    def _create_connector(self) -> aiohttp.TCPConnector:
        return Connections(limit=self.maxsize, context=self.ssl_context, reuse=self._reuse)


def transport_of(answer: aiohttp.ClientResponse) -> asyncio.Transport | None:
    """Return the connection that the answer comes by; None when all of it is there already."""
    return answer.connection.transport if answer.connection is not None else None


async def cut(answer: aiohttp.ClientResponse, transport: asyncio.Transport | None) -> None:
    """Give up the answer, and return when the connection that it comes by is closed."""
    if transport is not None:
        transport.abort()
    answer.close()
    await _next_round()


async def _next_round() -> None:
    """Wait for the loop's next round: it closes what was aborted in this one."""
    await asyncio.sleep(0)
