"""Finds the addresses of a host in threads of its owner; called by the HTTP library.

The time limit of a caller ends its wait, not the system's look-up, which with a silent name server takes as long as the
system says. So a host is looked up once at a time, whoever asks, and a name without a server holds one thread.
"""

from __future__ import annotations

import socket
from functools import partial

from aiohttp.abc import AbstractResolver, ResolveResult

from rollout.aside import Aside, Shared

_Found = list[tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[object, ...]]]
_GIVEN = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV


class ResolverAside(AbstractResolver):
    """The resolver of one owner."""

    def __init__(self, aside: Aside) -> None:
        """Look names up in the threads of ``aside``."""
        self._looks: Shared[tuple[str, int], _Found] = Shared(aside)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of ``host``; OSError when there are none, Unavailable when too many look-ups hang."""
        found = await self._looks.call((host, family), partial(_look_up, host, family))
        return [
            ResolveResult(hostname=host, host=_numeric(at), port=port, family=kind, proto=proto, flags=_GIVEN)
            for kind, _, proto, _, at in found
        ]

    async def close(self) -> None:
        """Have nothing to close."""


def _look_up(host: str, family: int) -> _Found:
    found = socket.getaddrinfo(host, None, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return [(kind, sort, proto, name, at) for kind, sort, proto, name, at in found]


def _numeric(at: tuple[object, ...]) -> str:
    """Return the address; a link-local one of IPv6 is nothing without its interface."""
    scope = at[3] if len(at) > 3 else 0  # noqa: PLR2004 - address, port, flow, interface
    return f"{at[0]}%{scope}" if scope else str(at[0])
