"""The body of a request, within a limit: what is announced or comes beyond it is refused.

A layer of the application. An answer that goes out before the body has come in would be lost when the connection is
closed on a client that still sends, so the rest is taken for a short while, and let go.
"""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rollout.api.arrivals import request_id_of
from rollout.api.problems import Refused, answer_of

DRAIN_SECONDS = 2.0
DRAIN_BYTES = 64 * 1024 * 1024
"""For how long, and how much of the rest of a body is taken after the answer."""

_LONGEST_LENGTH = 20


class Bodies:
    """Wraps an application; bodies have at most ``most_bytes``."""

    def __init__(self, app: ASGIApp, most_bytes: int) -> None:
        """Hand requests on to ``app``."""
        self._app = app
        self._most_bytes = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Carry one request through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body(Headers(scope=scope), receive, send, self._most_bytes)
        if body.announced > self._most_bytes:
            await answer_of(too_large(self._most_bytes), request_id_of(scope))(scope, body.receive, body.send)
        else:
            await self._app(scope, body.receive, body.send)


def too_large(most_bytes: int) -> Refused:
    """Return the refusal of a body beyond the limit."""
    return Refused(413, f"the body is larger than {most_bytes} bytes, which is the most that is taken")


class _Body:
    """Counts what comes in, and holds the end of the answer back until the rest has come or is given up."""

    def __init__(self, headers: Headers, receive: Receive, send: Send, most_bytes: int) -> None:
        length = headers.get("content-length", "")
        known = length.isascii() and length.isdigit() and len(length) <= _LONGEST_LENGTH
        self.announced = int(length) if known else 0
        self._awaited = self.announced > 0 or "transfer-encoding" in headers
        self._asks_first = headers.get("expect", "").lower() == "100-continue"
        self._receive = receive
        self._send = send
        self._most_bytes = most_bytes
        self._come = 0
        self._begun = False

    async def receive(self) -> Message:
        """Return what comes next.

        Raises:
            Refused: it is too much.
        """
        message = await self._next()
        if self._come > self._most_bytes:
            raise too_large(self._most_bytes)
        return message

    async def send(self, message: Message) -> None:
        """Send on; the last part only once nothing is on its way any more."""
        if message["type"] == "http.response.start" and self._awaited:
            MutableHeaders(scope=message)["Connection"] = "close"
        if message["type"] != "http.response.body" or message.get("more_body") or not self._is_coming:
            await self._send(message)
            return
        await self._send({**message, "more_body": True})
        await self._drain()
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    @property
    def _is_coming(self) -> bool:
        """Return whether the client sends: one that asks first, and was not told to go on, does not."""
        return self._awaited and (self._begun or not self._asks_first)

    async def _next(self) -> Message:
        self._begun = True
        message = await self._receive()
        self._come += len(message.get("body", b""))
        self._awaited = message["type"] == "http.request" and message.get("more_body", False)
        return message

    async def _drain(self) -> None:
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                while self._awaited and self._come <= DRAIN_BYTES:
                    await self._next()
        except TimeoutError:
            return  # the connection is closed over what is still to come
