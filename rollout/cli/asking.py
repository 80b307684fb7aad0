"""Asks a server over HTTP: with the token, within time limits, again where that is safe, and reads what comes back.

The lower half of ``rollout.cli.client``, which knows what can be asked. Errors of the library become those of
``rollout.cli.failures`` here.
"""

from __future__ import annotations

import os
import ssl
import uuid
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlencode

import aiohttp
from pydantic import ValidationError
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt
from yarl import URL

from rollout import __version__
from rollout.api.models import ProblemView
from rollout.cli.connection import Connection
from rollout.cli.failures import ApiProblem, NotUnderstood, ServerAway, TimedOut
from rollout.cli.retries import USUAL, Limits, is_safe_again, wait_before_again
from rollout.errors import ConfigurationError, Problem

MOST_BYTES = 64 * 1024 * 1024
"""No answer is read beyond this size."""

MOST_CONNECTIONS = 32
"""At once; each event stream holds one."""


@dataclass(frozen=True, slots=True)
class Call:
    """One question. ``again``: asking twice does no more than asking once, even when the first was carried out."""

    method: str
    path: str
    query: Sequence[tuple[str, str]] = ()
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    again: bool = False
    seconds: float = 0.0
    """How long the server may wait by itself, beyond the usual time limit."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that is no problem."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class Asker:
    """Asks one server. To be used as an async context."""

    def __init__(self, connection: Connection, limits: Limits = USUAL) -> None:
        """Ask as ``connection`` says; nothing is opened yet."""
        self.connection = connection
        self.limits = limits
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Open the session.

        Raises:
            ConfigurationError: the file with certificates cannot be used.
        """
        token = {"Authorization": f"Bearer {self.connection.token}"} if self.connection.token else {}
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._tls(), limit=MOST_CONNECTIONS),
            headers={"User-Agent": f"rollout/{__version__}", "Accept": "application/json", **token},
            middlewares=(self._unrepeated,),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the session."""
        if self._session is not None:
            await self._session.close()

    async def stream(
        self, path: str, query: Sequence[tuple[str, str]] = (), *, last: str = ""
    ) -> AsyncGenerator[bytes]:
        """Give the parts of an event stream as they come, from after the event ``last`` (empty: from now on).

        Raises:
            RolloutError: as ``ask``; nothing is tried again.
        """
        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last} if last else {})}
        call = Call("GET", path, query, headers=headers)
        within = aiohttp.ClientTimeout(
            total=None, sock_connect=self.limits.connect_seconds, sock_read=self.limits.silence_seconds
        )
        with self._translated():
            async with await self._send(call, within) as response:
                if response.status != 200:  # noqa: PLR2004 - as HTTP numbers it
                    raise self._problem(response, await _content(response))
                async for part in response.content.iter_any():
                    yield part

    async def ask(self, call: Call) -> Reply:
        """Return the answer, after trying again where that is safe.

        Raises:
            ApiProblem: the server answers with a problem.
            ServerAway: it could not be reached, or the connection broke.
            TimedOut: it did not answer in time.
            NotUnderstood: what answers is not rollout.
        """
        tries = AsyncRetrying(
            stop=stop_after_attempt(self.limits.tries),
            retry=retry_if_exception(lambda error: is_safe_again(error, again=call.again)),
            wait=self._wait,
            reraise=True,
        )
        reply: Reply = await tries(self._ask_once, call)
        return reply

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome is not None else None
        return wait_before_again(error, state.attempt_number, self.limits)

    async def _ask_once(self, call: Call) -> Reply:
        within = aiohttp.ClientTimeout(
            total=self.limits.seconds + call.seconds, sock_connect=self.limits.connect_seconds
        )
        with self._translated():
            async with await self._send(call, within) as response:
                content = await _content(response)
                if response.ok and response.status < 300:  # noqa: PLR2004 - as HTTP numbers it
                    return Reply(response.status, response.headers, content)
                raise self._problem(response, content)

    async def _send(self, call: Call, within: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        if self._session is None:
            raise RuntimeError("the client is used outside its context")
        query = f"?{urlencode(call.query)}" if call.query else ""
        url = URL(f"{self.connection.server}{call.path}{query}", encoded=True)
        headers = {"X-Request-ID": new_id(), **call.headers}
        return await self._session.request(
            call.method, url, data=call.body, headers=headers, timeout=within, allow_redirects=False
        )

    async def _unrepeated(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Send a request; what fails becomes ours here already, or else the library itself would send PUTs again."""
        with self._translated():
            return await handler(request)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn the errors of the library into ours."""
        server = self.connection.server
        try:
            yield
        except (aiohttp.ConnectionTimeoutError, aiohttp.ClientConnectorError, aiohttp.ClientSSLError) as error:
            raise ServerAway(f"cannot reach {server}: {_why(error)}", sent=False) from error
        except TimeoutError as error:
            raise TimedOut(f"{server} did not answer in time") from error
        except aiohttp.ClientError as error:
            raise ServerAway(f"cannot reach {server}: {_why(error)}", sent=True) from error

    def _problem(self, response: aiohttp.ClientResponse, content: bytes) -> ApiProblem | NotUnderstood:
        if 300 <= response.status < 400:  # noqa: PLR2004 - as HTTP numbers it
            return NotUnderstood(
                f"{self.connection.server} answers {response.status}, which rollout does not; is it its address?"
            )
        try:
            view = ProblemView.model_validate_json(content)
        except ValidationError:
            text = content[:200].decode("utf-8", "replace")
            title = response.reason or str(response.status)
            view = ProblemView(
                type="about:blank", title=title, status=response.status, detail=text or title, instance=""
            )
        return ApiProblem(view, retry_after=response.headers.get("Retry-After", ""))

    def _tls(self) -> ssl.SSLContext | bool:
        if self.connection.ca_file is None:
            return True
        try:
            return ssl.create_default_context(cafile=self.connection.ca_file)
        except (OSError, ssl.SSLError) as error:
            given, allowed = str(self.connection.ca_file), "a file with PEM certificates"
            message = f"cannot be used: {error.strerror or error}"
            raise ConfigurationError((Problem("--ca-file", message, given=given, allowed=allowed),)) from error


def new_id() -> str:
    """Return an id that nobody else has made."""
    return uuid.uuid4().hex


def _why(error: aiohttp.ClientError) -> str:
    cause = getattr(error, "certificate_error", None) or getattr(error, "os_error", error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"certificate verify failed: {cause.verify_message}"
    number = cause.errno if isinstance(cause, OSError) and not isinstance(cause, ssl.SSLError) else None
    if number is not None and number > 0:
        return os.strerror(number)
    return str(getattr(cause, "strerror", "") or cause) or type(error).__name__


async def _content(response: aiohttp.ClientResponse) -> bytes:
    parts, size = list[bytes](), 0
    async for part in response.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > MOST_BYTES:
            raise NotUnderstood(f"the answer is larger than {MOST_BYTES} bytes")
    return b"".join(parts)
