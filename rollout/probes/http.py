"""The HTTP/1.1 probe: one small request, and of the response its head.

A connection is kept where the server lets us, as proxies keep theirs: 2,000 new ones a second would fill tables of
connections all along the way. A kept one that turns out to be closed is no evidence; then a new one is asked.
"""

from __future__ import annotations

import asyncio
import re
from urllib.parse import quote

from rollout.failover.probing import Answer
from rollout.probes.dialing import dial
from rollout.probes.heads import head_in
from rollout.probes.said import BadAnswer, Said, Unsent
from rollout.probes.tls import Trust
from rollout.signals import Target
from rollout.spec.probe import HttpProbe

_GOOD = range(200, 300)
_HOST = re.compile(r"[A-Za-z0-9._~:\[\]-]+")
_PATH_SAFE = "/?&=%:@!$'()*+,;~-._"


class Line(asyncio.Protocol):
    """One connection; ``idle`` while another request may be sent."""

    def __init__(self) -> None:
        """Begin without a connection."""
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[int] | None = None
        self._received = bytearray()
        self._left: int | None = 0
        self.heard = False

    @property
    def idle(self) -> bool:
        """Return whether the last answer is read to its end and the connection stands."""
        return self._left == 0 and self._transport is not None and not self._transport.is_closing()

    def ask(self, request: bytes) -> asyncio.Future[int]:
        """Send the request; return what becomes the status of its response."""
        self._waiting = asyncio.get_running_loop().create_future()
        self.heard = False
        if self._transport is None or self._transport.is_closing():
            self._waiting.set_exception(ConnectionResetError("closed"))
        else:
            self._transport.write(request)
        return self._waiting

    def close(self) -> None:
        """Close it at once, whatever is under way."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin (called by the loop)."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Take in a piece (called by the loop)."""
        self.heard = True
        if self._waiting is None or self._waiting.done():
            self._skip(len(data))
            return
        self._received += data
        try:
            head = head_in(self._received)
        except BadAnswer as error:
            self._waiting.set_exception(error)
            self._left = None
            return
        if head is None:
            return
        more = len(self._received) - head.size
        self._left = head.body
        self._received.clear()
        self._waiting.set_result(head.status)
        self._skip(more)

    def connection_lost(self, error: Exception | None) -> None:
        """End (called by the loop)."""
        self._left = None
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error or BadAnswer("closed"))

    def _skip(self, size: int) -> None:
        """Pass over a part of the body; more than was announced spoils the connection."""
        if self._left is not None:
            self._left = self._left - size if size <= self._left else None
        if self._left is None:
            self.close()


class HttpAsker:
    """Asks one target by HTTP/1.1."""

    def __init__(self, target: Target, probe: HttpProbe, trust: Trust | None) -> None:
        """Ask ``target``; with ``trust`` over TLS."""
        self._target = target
        self._host = probe.host or str(target)
        path = quote(probe.path if probe.path.startswith("/") else f"/{probe.path}", safe=_PATH_SAFE)
        self._request = (
            f"GET {path} HTTP/1.1\r\nHost: {self._host}\r\nUser-Agent: rollout-probe\r\nAccept: */*\r\n\r\n"
        ).encode("ascii", "replace")
        self._trust = trust
        self._line: Line | None = None

    async def ask(self) -> Said:
        """Send the request and wait for the head of the response.

        Raises:
            Unsent: nothing left this machine.
            BadAnswer, OSError: what came is no answer, or nothing came.
        """
        if not _HOST.fullmatch(self._host):
            raise Unsent("the host cannot be sent")
        try:
            status = await self._ask_kept()
            if status is None:
                line = await self._open()
                status = await line.ask(self._request)
        except BaseException:
            self._drop()
            raise
        return Said(Answer.GOOD if status in _GOOD else Answer.BAD, str(status))

    async def aclose(self) -> None:
        """Close the connection."""
        self._drop()

    async def _ask_kept(self) -> int | None:
        """Ask on the connection that was kept; None when there is none, or it turns out to be closed."""
        if self._line is None or not self._line.idle:
            return None
        try:
            return await self._line.ask(self._request)
        except (OSError, BadAnswer):
            if self._line.heard:
                raise
            return None

    async def _open(self) -> Line:
        self._drop()
        context = await self._trust.context() if self._trust is not None else None
        name = self._trust.server_name if self._trust is not None else None
        opened = await dial(self._target)
        line = self._line = Line()
        try:
            await asyncio.get_running_loop().create_connection(
                lambda: line, sock=opened, ssl=context, server_hostname=name
            )
        except BaseException:
            opened.close()
            raise
        return line

    def _drop(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None
