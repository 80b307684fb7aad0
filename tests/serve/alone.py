"""A `rollout serve` without Envoy: its controller says of each Rollout what it waits for, and its API serves."""

import json
import socket
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp

from tests.envoy.world import rds_yaml
from tests.serve.server import Server
from tests.tools import free_port

CHECKOUT = "/api/v1/rollouts/shop/checkout"
HANGING = (b"", b"GET /healthz HT", b"PUT %s HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\nabc" % CHECKOUT.encode())


def server_alone(folder: Path) -> Server:
    """Return one with a route file, without manifests and not started."""
    rds = folder / "rds" / "routes.yaml"
    rds.parent.mkdir()
    rds.write_text(rds_yaml("by-hand", {"checkout": {"checkout-v1": 100, "checkout-v2": 0}}))
    admin, database = f"--admin=http://127.0.0.1:{free_port()}", f"--database={folder / 'rollout.db'}"
    return Server(folder, f"--rds={rds}", admin, database, "--listen=127.0.0.1:0")


async def ask(
    server: Server, path: str, *, token: str = "", headers: Mapping[str, str] | None = None
) -> tuple[int, Any]:
    """Get something; return status and JSON."""
    return await _send(server, "GET", path, headers={**_bearer(token), **(headers or {})})


async def put(server: Server, path: str, document: str, *, headers: Mapping[str, str] | None = None) -> tuple[int, Any]:
    """Put a document with the first token; return status and JSON."""
    kind = {"Content-Type": "application/json"}
    given = {**_bearer(server.token), **kind, **(headers or {})}
    return await _send(server, "PUT", path, headers=given, body=document)


async def post(server: Server, path: str, request: Mapping[str, object]) -> tuple[int, Any]:
    """Post a request with the first token; return status and JSON."""
    headers = {**_bearer(server.token), "Content-Type": "application/json"}
    return await _send(server, "POST", path, headers=headers, body=json.dumps(request))


def hang(server: Server, stack: AsyncExitStack) -> None:
    """Open connections on which a request does not come to its end."""
    host, _, port = server.url.removeprefix("http://").rpartition(":")
    for first in HANGING:
        stack.enter_context(socket.create_connection((host, int(port)))).sendall(first)


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


async def _send(
    server: Server, method: str, path: str, *, headers: Mapping[str, str], body: str | None = None
) -> tuple[int, Any]:
    limit = aiohttp.ClientTimeout(total=20)
    async with (
        aiohttp.ClientSession(timeout=limit) as session,
        session.request(method, f"{server.url}{path}", headers=headers, data=body) as response,
    ):
        return response.status, await response.json(content_type=None)
