"""Small backends for tests: HTTP/1.1 and gRPC servers that answer with their name, and fail on demand.

They run in the loop of the test. `status`, `code` and `paused_seconds` say how they answer; `on_request` is called
whenever a request has come.
"""

import asyncio
from collections.abc import Callable

import grpc
from aiohttp import web
from grpc_health.v1 import health, health_pb2_grpc

METHOD = "/shop.Checkout/Pay"


class HttpBackend:
    """An HTTP server on a free port."""

    def __init__(self, name: str, *, on_request: Callable[[str], None] = lambda name: None) -> None:
        self.name = name
        self.port = 0
        self.on_request = on_request
        self.status = 200
        self.paused_seconds = 0.0
        self._runner: web.AppRunner | None = None

    async def start(self, port: int = 0) -> None:
        """Listen."""
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def close(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        self.on_request(self.name)
        if self.paused_seconds:
            await asyncio.sleep(self.paused_seconds)
        return web.Response(status=self.status, text=self.name)


class GrpcBackend:
    """A gRPC server on a free port with one method that answers its name, and the health service."""

    def __init__(self, name: str, *, on_request: Callable[[str], None] = lambda name: None) -> None:
        self.name = name
        self.port = 0
        self.on_request = on_request
        self.code = grpc.StatusCode.OK
        self._server: grpc.aio.Server | None = None

    async def start(self, port: int = 0) -> None:
        """Listen."""
        handlers = {"Pay": grpc.unary_unary_rpc_method_handler(self._answer)}
        self._server = grpc.aio.server()
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("shop.Checkout", handlers),))
        health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), self._server)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        await self._server.start()

    async def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            await self._server.stop(None)

    async def _answer(self, request: bytes, context: "grpc.aio.ServicerContext[bytes, bytes]") -> bytes:
        self.on_request(self.name)
        if self.code is not grpc.StatusCode.OK:
            await context.abort(self.code, "on demand")
        return self.name.encode()
