"""The TCP probe: a connection that opens, with a TLS handshake where that is wanted, and is closed again at once."""

from __future__ import annotations

import asyncio

from rollout.failover.probing import Answer
from rollout.probes.dialing import dial
from rollout.probes.said import Said
from rollout.probes.tls import Trust
from rollout.signals import Target

_OPEN = Said(Answer.GOOD, "open")


class TcpAsker:
    """Opens a connection to one target, a new one each time."""

    def __init__(self, target: Target, trust: Trust | None) -> None:
        """Ask ``target``; with ``trust`` a TLS handshake must succeed, too."""
        self._target = target
        self._trust = trust

    async def ask(self) -> Said:
        """Open and close a connection.

        Raises:
            Unsent, OSError: as ``dial`` and the handshake say.
        """
        context = await self._trust.context() if self._trust is not None else None
        opened = await dial(self._target)
        if context is None or self._trust is None:
            opened.close()
            return _OPEN
        loop, name = asyncio.get_running_loop(), self._trust.server_name
        try:
            transport, _ = await loop.create_connection(
                asyncio.Protocol, sock=opened, ssl=context, server_hostname=name
            )
        except BaseException:
            opened.close()
            raise
        transport.abort()
        return _OPEN

    async def aclose(self) -> None:
        """Close nothing: nothing stays open."""
