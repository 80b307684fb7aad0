"""Connections with limits: how many there are, how long a request may take to come, how long an answer to be taken.

Called by ``server``, which has one ``Doors`` for all connections. uvicorn waits for ever for the rest of a request and
for a client that takes nothing; one such client costs a file, and a thousand cost the controller its own.
"""

from __future__ import annotations

import asyncio
import resource
from dataclasses import dataclass
from typing import Any

import h11
import structlog

from rollout.api.stream_protocol import ReachableProtocol

log = structlog.get_logger(__name__)

OWN_FILES = 256
"""How many files everything but the API's connections may have open: database, Envoy, Prometheus, gates."""

_COMING = (h11.IDLE, h11.SEND_BODY)
"""States of h11 in which the client has not sent all of its request."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Of connections: how many at once, and the seconds for a whole request, for an answer to be taken, for a close."""

    connections: int
    request_seconds: float = 10.0
    taking_seconds: float = 30.0
    closing_seconds: float = 2.0


def make_room(connections: int) -> None:
    """Let this process have files for so many connections beside its own, as far as the system allows; else warn."""
    needed = connections + OWN_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= needed or soft == resource.RLIM_INFINITY:
        return
    most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    if most < needed:
        log.warning("the system allows fewer open files than the API may need", allowed=most, needed=needed)


class Doors:
    """Lets connections in as long as there is room; tells once when there is none."""

    def __init__(self, limits: Limits) -> None:
        """Begin with none."""
        self.limits = limits
        self._open = 0
        self._full = False

    def enter(self) -> bool:
        """Count a connection; return whether there is room for it."""
        self._open += 1
        if self._open > self.limits.connections:
            if not self._full:
                log.warning("too many connections to the API; new ones are closed", most=self.limits.connections)
            self._full = True
            return False
        return True

    def leave(self) -> None:
        """Count one that is over."""
        self._open -= 1
        if self._open < self.limits.connections:
            self._full = False


class LimitedProtocol(ReachableProtocol):
    """uvicorn's protocol within the limits."""

    def __init__(self, doors: Doors, **parts: Any) -> None:  # noqa: ANN401 - what uvicorn hands to each protocol
        """Count with ``doors``."""
        super().__init__(**parts)
        self._doors = doors
        self._coming: asyncio.TimerHandle | None = None
        self._taking: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Begin, or end at once when there is no room."""
        super().connection_made(transport)
        if self._doors.enter():
            self._watch_request()
        else:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take what came; the whole of a request must come in time."""
        super().data_received(data)
        self._watch_request()

    def pause_writing(self) -> None:
        """Let who writes wait, but not for ever."""
        super().pause_writing()
        self._taking = self.loop.call_later(self._doors.limits.taking_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Let it go on."""
        super().resume_writing()
        if self._taking is not None:
            self._taking.cancel()
            self._taking = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._doors.leave()
        self._unwatch_request()
        super().connection_lost(exc)

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection, if it must be over what it has not taken."""
        super().timeout_keep_alive_handler()
        self._close_soon()

    def shutdown(self) -> None:
        """Close because the server ends."""
        super().shutdown()
        if self.transport.is_closing():
            self._close_soon()

    def _close_soon(self) -> None:
        self.loop.call_later(self._doors.limits.closing_seconds, self.transport.abort)

    def _watch_request(self) -> None:
        if self.conn.their_state not in _COMING or self.transport.is_closing():
            self._unwatch_request()
        elif self._coming is None:
            self._coming = self.loop.call_later(self._doors.limits.request_seconds, self._overdue)

    def _unwatch_request(self) -> None:
        if self._coming is not None:
            self._coming.cancel()
            self._coming = None

    def _overdue(self) -> None:
        self._coming = None
        log.debug("a request did not come in time", client=self.client)
        self.transport.abort()
