"""The API's server inside the controller's process and loop: bound first, stopped in time, without a say in signals.

Called by ``rollout.bootstrap``. It knows neither what the application answers nor whose streams there are.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import structlog
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from rollout.api.connections import Doors, LimitedProtocol, Limits
from rollout.api.tls import Tls, TlsFiles
from rollout.errors import Unavailable
from rollout.settings.address import Address
from rollout.spec.fields import printable

log = structlog.get_logger(__name__)

GRACE_SECONDS = 1.0
"""How long requests that are under way may take once the server ends; then they are cancelled, and cut off."""

LAST_SECONDS = 0.5
"""How long cancelled requests may take to notice."""

DATE_SECONDS = 1.0
"""How old the date in the head of an answer may be."""

ACCEPTED_SECONDS = 0.01
"""How long connections that are being accepted at the end may take."""

SHAKEN_SECONDS = 0.1
"""How long handshakes of TLS that are under way at the end may take."""

IDLE_SECONDS = 5
"""How long a connection is kept without a request."""

MOST_HEADER_BYTES = 16 * 1024
BACKLOG = 256
HANDSHAKE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Where to listen, with which TLS (None: without), within which limits."""

    address: Address
    limits: Limits
    tls: TlsFiles | None = None


@dataclass(frozen=True, slots=True)
class Listening:
    """A server that takes requests: where it is, and what is done when it ends, which it should not by itself."""

    address: Address
    url: str
    done: asyncio.Task[None]


class _Server(uvicorn.Server):
    """uvicorn on a socket of ours, with limits, leaving signals to whoever runs the process."""

    def __init__(self, config: uvicorn.Config, doors: Doors, tls: Tls | None) -> None:
        super().__init__(config)
        self._doors = doors
        self._tls = tls
        self._ending = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        make = partial(LimitedProtocol, self._doors, config=self.config, server_state=self.server_state, app_state={})
        loop = asyncio.get_running_loop()
        for bound in sockets or ():
            if self._tls is None:
                server = await loop.create_server(make, sock=bound, backlog=BACKLOG)
            else:
                server = await loop.create_server(
                    make,
                    sock=bound,
                    backlog=BACKLOG,
                    ssl=self._tls.context,
                    ssl_handshake_timeout=HANDSHAKE_SECONDS,
                    ssl_shutdown_timeout=LAST_SECONDS,
                )
            self.servers = [server]
        self.started = True

    async def main_loop(self) -> None:
        """Keep the date until the server ends, which it learns of at once; uvicorn looks ten times a second."""
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), DATE_SECONDS)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the doors and wait for those inside; uvicorn waits for a tenth of a second at least."""
        for door in (*self.servers, *(sockets or ())):
            door.close()
        for connection in tuple(self.server_state.connections):
            connection.shutdown()
        await asyncio.sleep(
            ACCEPTED_SECONDS if self._tls is None else SHAKEN_SECONDS
        )  # who comes in just now is seen then
        await self._wait_tasks_to_complete()

    async def stop(self, serving: asyncio.Task[None]) -> None:
        """Take no connection any more, let what is under way end, and then make it end."""
        self.should_exit = True
        self._ending.set()
        await asyncio.wait({serving}, timeout=GRACE_SECONDS)
        if serving.done():
            return
        for connection in tuple(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)  # the requests learn of it before they are cancelled, and say no more
        for request in tuple(self.server_state.tasks):
            request.cancel()
        await asyncio.wait({serving}, timeout=LAST_SECONDS)
        serving.cancel()


class _Endable:
    """The application; a request that is cancelled because the server ends is no error of its own."""

    def __init__(self, app: ASGIApp, closing: asyncio.Event) -> None:
        self._app = app
        self._closing = closing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError:
            if not self._closing.is_set():
                raise
            path = printable(scope["path"])
            log.info("a request was cut off, since the server ends", method=scope["method"], path=path)


@asynccontextmanager
async def serving(app: ASGIApp, options: ServerOptions, closing: asyncio.Event) -> AsyncIterator[Listening]:
    """Serve ``app`` as long as the context is open. At its end ``closing`` is set first: long answers end by that.

    Leaving takes at most about 2 s, whatever clients do.

    Raises:
        Unavailable: nobody can listen there; the sentence says where and why.
        ConfigurationError: a file of TLS cannot be used.
    """
    tls = await Tls.load(options.tls) if options.tls is not None else None
    bound = await _bound(options.address)
    address = Address(options.address.host, bound.getsockname()[1])
    server = _Server(_configuration(_Endable(app, closing)), Doors(options.limits), tls)
    done = asyncio.create_task(server.serve([bound]), name="the API")
    following = asyncio.create_task(tls.follow(), name="certificate") if tls is not None else None
    try:
        yield Listening(address, f"{'https' if tls else 'http'}://{address}", done)
    finally:
        closing.set()
        if following is not None:
            following.cancel()
        await server.stop(done)
        bound.close()


def _configuration(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="none",
        http=LimitedProtocol,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=IDLE_SECONDS,
        h11_max_incomplete_event_size=MOST_HEADER_BYTES,
    )


async def _bound(address: Address) -> socket.socket:
    """Return a socket that has the address, so that nothing else is begun when it cannot be had."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise Unavailable(f"the API cannot listen on {address}: {error.strerror}") from error
    except UnicodeError as error:
        raise Unavailable(f"the API cannot listen on {address}: that is no name of a host") from error
    family, kind, protocol, _, place = found[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.settimeout(0)
        bound.bind(place)
        bound.listen(BACKLOG)
    except OSError as error:
        bound.close()
        raise Unavailable(
            f"the API cannot listen on {address}: {error.strerror}; choose another with listen"
        ) from error
    return bound
