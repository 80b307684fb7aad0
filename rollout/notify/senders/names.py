"""Finds the addresses of a host in threads of the sink; called by the HTTP library, which remembers them."""

from __future__ import annotations

import socket
from functools import partial

from aiohttp.abc import AbstractResolver, ResolveResult

from rollout.notify.senders.aside import Aside

_GIVEN = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV


class SinkResolver(AbstractResolver):
    """The resolver of one sink."""

    def __init__(self, aside: Aside) -> None:
        """Look names up in the threads of ``aside``."""
        self._aside = aside

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of ``host``; OSError when there are none."""
        look = partial(
            socket.getaddrinfo, host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
        )
        return [
            ResolveResult(hostname=host, host=_numeric(at), port=port, family=kind, proto=proto, flags=_GIVEN)
            for kind, _, proto, _, at in await self._aside.call(look)
        ]

    async def close(self) -> None:
        """Have nothing to close."""


def _numeric(at: tuple[object, ...]) -> str:
    """Return the address; a link-local one of IPv6 is nothing without its interface."""
    scope = at[3] if len(at) > 3 else 0  # noqa: PLR2004 - address, port, flow, interface
    return f"{at[0]}%{scope}" if scope else str(at[0])
