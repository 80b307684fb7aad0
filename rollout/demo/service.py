"""One backend of the demo: an HTTP or gRPC service whose revision can be changed while it runs.

Run as ``python -m rollout.demo.service http|grpc NAME [PORT]`` by ``rollout.demo.world``. It prints
``{"port": N}`` once it answers, reads one behaviour per line from its standard input, and prints
``{"deployed": REVISION}`` once it answers like that. End of file ends it. Every answer names the
backend and its revision: an HTTP answer in the header ``x-served-by``, a gRPC answer in its
message or in the details of its error.
"""

from __future__ import annotations

import asyncio
import sys
from random import Random

from aiohttp import web

from rollout.demo.behaviour import Behaviour, behaviour_from_wire
from rollout.demo.wire import orders, say

SERVED_BY = "x-served-by"
"""The HTTP header that names backend and revision."""

CART_SERVICE = "demo.Cart"
"""The full name of the gRPC service."""

CART_METHOD = "Add"
"""Its only method: any bytes in, the name of backend and revision out."""


class Desk:
    """What both kinds of service share: the behaviour in force, and one turn of it."""

    def __init__(self, name: str) -> None:
        """Answer as revision v1 of the backend ``name``, without a fault."""
        self.name = name
        self.behaviour = Behaviour("v1")
        self._chance = Random()

    @property
    def signature(self) -> str:
        """Return the names of backend and revision."""
        return f"{self.name} {self.behaviour.revision}"

    async def turn(self) -> bool:
        """Take as long as one answer takes; return whether it is an error."""
        behaviour = self.behaviour
        await asyncio.sleep(behaviour.draw_latency_seconds(self._chance))
        return behaviour.draw_error(self._chance)


async def serve_http(desk: Desk, port: int = 0) -> int:
    """Answer any path under ``/shop`` on ``port`` of the loopback (0: a free one); return the port."""

    async def answer(_request: web.Request) -> web.Response:
        bad = await desk.turn()
        status, text = (500, "the basket is on fire\n") if bad else (200, "welcome\n")
        return web.Response(status=status, text=text, headers={SERVED_BY: desk.signature})

    async def healthy(_request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    app = web.Application()
    app.router.add_get("/shop{rest:.*}", answer)
    app.router.add_get("/healthz", healthy)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    return int(runner.addresses[0][1])


async def serve_grpc(desk: Desk, port: int = 0) -> int:
    """Answer ``demo.Cart/Add`` and the gRPC health protocol as ``serve_http`` answers ``/shop``; return the port."""
    import grpc  # noqa: PLC0415 - only this kind of service needs it
    from grpc_health.v1 import health, health_pb2, health_pb2_grpc  # noqa: PLC0415

    async def answer(_request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        if await desk.turn():
            await context.abort(grpc.StatusCode.INTERNAL, desk.signature)
        return desk.signature.encode()

    server = grpc.aio.server()
    methods = {CART_METHOD: grpc.unary_unary_rpc_method_handler(answer)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(CART_SERVICE, methods),))
    servicer = health.aio.HealthServicer()
    await servicer.set("", health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    bound = int(server.add_insecure_port(f"127.0.0.1:{port}"))
    await server.start()
    _SERVERS.append(server)
    return bound


_SERVERS: list[object] = []
"""Keeps gRPC servers alive: one that nobody holds stops by itself."""


async def run(kind: str, name: str, port: int) -> None:
    """Serve until standard input ends."""
    desk = Desk(name)
    bound = await (serve_grpc(desk, port) if kind == "grpc" else serve_http(desk, port))
    say({"port": bound})
    async for order in orders():
        desk.behaviour = behaviour_from_wire(order)
        say({"deployed": desk.behaviour.revision})


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 0))  # noqa: PLR2004 - PORT
