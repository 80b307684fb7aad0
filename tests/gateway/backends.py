"""Backends of the lab: processes that speak HTTP/1.1 and gRPC on one port, to be told how to behave, and to be killed.

Run as ``python -m tests.gateway.backends`` inside the enclosure: it reads lines ``NAME ADDRESS BEHAVIOUR-FILE`` and
forks a backend for each, so that a killed one is back at once; it says ``NAME PID`` when that one answers. A backend
behaves as its file says at the moment of a request: a JSON object with the fields of ``Behaviour``.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
import tempfile
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

PORT = 9000
METHOD = "/shop.Checkout/Pay"
HEALTH_PATH = "/healthz"


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How a backend answers: its shares of HTTP 500 and of gRPC UNAVAILABLE, its delay, and what probes are told."""

    http_errors: float = 0.0
    grpc_errors: float = 0.0
    delay_seconds: float = 0.0
    is_healthy: bool = True


class Desk:
    """The name of a backend and how it behaves now."""

    def __init__(self, name: str, told: Path) -> None:
        """Behave as ``told`` says, whenever it changes."""
        self.name = name
        self._told = told
        self._seen = 0
        self._behaviour = Behaviour()

    @property
    def behaviour(self) -> Behaviour:
        """Return how to behave now."""
        changed = self._told.stat().st_mtime_ns
        if changed != self._seen:
            self._seen = changed
            self._behaviour = Behaviour(**json.loads(self._told.read_text(encoding="utf-8")))
        return self._behaviour

    async def turn(self, kind: str) -> bool:
        """Take as long as an answer takes; return whether it is a good one."""
        behaviour = self.behaviour
        if behaviour.delay_seconds:
            await asyncio.sleep(behaviour.delay_seconds)
        return random.random() >= (behaviour.http_errors if kind == "http" else behaviour.grpc_errors)


class Connection(asyncio.Protocol):
    """A connection: HTTP/1.1 is answered here, what begins as HTTP/2 is led to the gRPC server."""

    def __init__(self, desk: Desk, grpc_path: str) -> None:
        """Answer for ``desk``."""
        self._desk = desk
        self._grpc_path = grpc_path
        self._came = b""
        self._to: asyncio.Transport | None = None
        self._transport: asyncio.Transport | None = None
        self._turns: set[asyncio.Task[None]] = set()
        self._is_led = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer each request that is complete."""
        if self._to is not None:
            self._to.write(data)
            return
        self._came += data
        if self._came.startswith(b"PRI "):
            if not self._is_led:
                self._is_led = True
                self._begin(self._lead())
            return
        while b"\r\n\r\n" in self._came:
            head, _, self._came = self._came.partition(b"\r\n\r\n")
            self._begin(self._answer(head))

    def connection_lost(self, exc: Exception | None) -> None:
        """Close the other end, too."""
        if self._to is not None:
            self._to.close()

    def _begin(self, turn: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(turn)
        self._turns.add(task)
        task.add_done_callback(self._turns.discard)

    async def _lead(self) -> None:
        loop = asyncio.get_running_loop()
        assert self._transport is not None
        there, _ = await loop.create_unix_connection(lambda: _Back(self._transport), self._grpc_path)
        there.write(self._came)
        self._to = there

    async def _answer(self, head: bytes) -> None:
        assert self._transport is not None
        desk, path = self._desk, head.split(b" ", 2)[1].decode()
        if path == HEALTH_PATH:
            is_good = desk.behaviour.is_healthy
        else:
            is_good = await desk.turn("http")
        body = desk.name.encode()
        status = "200 OK" if is_good else "500 Internal Server Error"
        self._transport.write(f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)


class _Back(asyncio.Protocol):
    """The way back from the gRPC server."""

    def __init__(self, transport: asyncio.Transport | None) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._transport.close()


class Health(health_pb2_grpc.HealthServicer):  # type: ignore[misc]  # no type information
    """The gRPC health protocol, as the behaviour says."""

    def __init__(self, desk: Desk) -> None:
        """Answer for ``desk``."""
        self._desk = desk

    async def Check(self, request: object, context: object) -> object:  # noqa: N802 - the protocol's name
        """Return whether it is healthy."""
        serving = self._desk.behaviour.is_healthy
        told = health_pb2.HealthCheckResponse
        return told(status=told.SERVING if serving else told.NOT_SERVING)


async def serve(name: str, address: str, told: Path) -> None:
    """Serve for ever."""
    desk = Desk(name, told)

    async def pay(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        if not await desk.turn("grpc"):
            await context.abort(grpc.StatusCode.UNAVAILABLE, desk.name)
        return desk.name.encode()

    service, method = METHOD[1:].split("/")
    server = grpc.aio.server()
    calls = {method: grpc.unary_unary_rpc_method_handler(pay)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, calls),))
    health_pb2_grpc.add_HealthServicer_to_server(Health(desk), server)
    with tempfile.TemporaryDirectory(prefix="rollout-") as folder:
        grpc_path = f"{folder}/grpc"
        server.add_insecure_port(f"unix:{grpc_path}")
        await server.start()
        loop = asyncio.get_running_loop()
        await loop.create_server(lambda: Connection(desk, grpc_path), address, PORT)
        sys.stdout.write(f"{name} {os.getpid()}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


def fork_again_and_again() -> None:
    """Fork a backend for each line; end them all at the end of the input."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that are killed
    forked = []
    while line := sys.stdin.readline():
        name, address, told = line.split()
        if not (pid := os.fork()):
            asyncio.run(serve(name, address, Path(told)))
        forked.append(pid)
    for pid in forked:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    fork_again_and_again()
