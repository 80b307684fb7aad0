"""The connection of a request, within the reach of its response: HTTP/1.1 as uvicorn speaks it, and one thing more.

A server can only ask a connection to close once all is written, and a reader that takes nothing lets that wait for
ever, also while the server ends. So a stream must be able to cut its connection. Give ``ReachableProtocol`` to
``uvicorn.Config(http=...)``; ``stream_response`` finds the connection in the request's state.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

CONNECTION = "rollout.connection"
"""The name in the request's state."""

MOST_UNWRITTEN_BYTES = 32 * 1024
"""Beyond this, whoever writes waits; so much memory of ours a reader takes that takes nothing."""

KERNEL_BYTES = 64 * 1024
"""So much the system keeps for the reader (Linux doubles it); by itself it would grow to megabytes."""


class Connection:
    """One reader's connection, for its stream."""

    def __init__(self, transport: asyncio.Transport) -> None:
        """Reach ``transport``."""
        self._transport = transport

    def narrow(self) -> None:
        """Let little wait unread in this connection."""
        self._transport.set_write_buffer_limits(high=MOST_UNWRITTEN_BYTES)
        below = self._transport.get_extra_info("socket")
        if below is not None:
            below.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BYTES)

    def cut(self) -> None:
        """Close now, and let go of what is not written."""
        self._transport.abort()

    def cut_after(self, seconds: float) -> None:
        """Close after this time, unless it has closed by itself."""
        asyncio.get_running_loop().call_later(seconds, self._transport.abort)


class ReachableProtocol(H11Protocol):
    """uvicorn's protocol, which tells each request its connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Begin, and put the connection into the state of the requests to come."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, CONNECTION: Connection(transport)}


def connection_of(scope: Mapping[str, Any]) -> Connection | None:
    """Return the connection of this request, or None under another server."""
    found = scope.get("state", {}).get(CONNECTION)
    return found if isinstance(found, Connection) else None
