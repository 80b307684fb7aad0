"""The HTTP door of one sink: a POST, and what came back, with no more of it than is needed.

Called by the senders. Addresses of sinks are the operator's, so any host may be called, this machine too; but they are
secrets, and so is everything that an HTTP library says of a failure. Therefore its errors never leave this file: what
happened is said anew, in words of our own, and raised outside of the ``except`` so that nothing hangs on it.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from rollout import __version__
from rollout.aside import Aside
from rollout.errors import PermanentError, Unavailable
from rollout.names import ResolverAside
from rollout.notify.senders.answers import Answer
from rollout.notify.senders.trust import Trust

MOST_BYTES = 4096
"""Bytes of an answer that are read, where a sender does not need more."""

MOST_CONNECTIONS = 16

BODY_SECONDS = 0.5
"""How long a body is waited for that only says why, or is read so that the connection can be used again."""

NO_ADDRESS = "has an address that is not a URL with http or https"

USER_AGENT = f"rollout/{__version__}"

_SPARE_SECONDS = 0.01
_SCHEMES = ("http", "https")
_FAULTS = (aiohttp.ClientError, OSError, EOFError)
_NUMBERS: Mapping[int | None, str] = {
    errno.ECONNREFUSED: "refuses the connection",
    errno.ECONNRESET: "resets the connection",
    errno.EPIPE: "closes the connection without an answer",
    errno.EHOSTUNREACH: "cannot be reached: there is no route to its host",
    errno.ENETUNREACH: "cannot be reached: there is no route to its network",
    errno.ETIMEDOUT: "does not answer to a connection",
}
_CLASSES: tuple[tuple[type[BaseException], str], ...] = (
    (aiohttp.ClientConnectorDNSError, "cannot be reached: the name of its host is not found"),
    (aiohttp.ClientConnectorCertificateError, "shows a certificate that is not trusted"),
    (aiohttp.ClientSSLError, "cannot be reached: TLS does not come about"),
    (aiohttp.ClientProxyConnectionError, "cannot be reached: the proxy of the environment does not answer"),
    (aiohttp.ClientHttpProxyError, "cannot be reached: the proxy of the environment refuses"),
    (aiohttp.ClientConnectorError, "cannot be connected to"),
    (aiohttp.ServerDisconnectedError, "closes the connection without an answer"),
    (aiohttp.ClientPayloadError, "breaks its answer off"),
    (aiohttp.ClientResponseError, "answers with something that is not HTTP"),
)
"""What each error means, the narrower one first."""


class Door:
    """The connections to one sink; they are made when the first message goes out."""

    def __init__(
        self, owner: str, aside: Aside, *, seconds: float, ca_file: Path | None = None, trust_env: bool = False
    ) -> None:
        """Belong to ``owner`` (``sink team-slack``), which has ``seconds`` for a message.

        ``ca_file`` (PEM) is trusted in place of the system's authorities. A proxy of the environment is used only when
        ``trust_env``.
        """
        self._owner = owner
        self._aside = aside
        self._trust = Trust(owner, aside, ca_file)
        self.seconds = seconds
        self._trust_env = trust_env
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], *, deadline: float, most: int = MOST_BYTES
    ) -> Answer:
        """Return the answer to one POST, and of its body at most ``most`` bytes.

        ``deadline`` is a time of the event loop. A body that does not come changes nothing about the status, unless
        ``most`` is more than the usual: then it is what the sender asks for.

        Raises:
            Unavailable: no answer came in time, or none at all.
            PermanentError: the address cannot be one, or the authorities cannot be read.
        """
        self._refuse_address(url)
        problem = f"does not answer within {self.seconds:g} s"
        try:
            async with asyncio.timeout_at(deadline):
                return await self._exchange(url, body, headers, most=most, deadline=deadline)
        except TimeoutError:
            wrong = False
        except (*_FAULTS, ValueError) as error:
            wrong = isinstance(error, aiohttp.InvalidURL) or not isinstance(error, _FAULTS)
            problem = _happened(error)
        if wrong:
            raise PermanentError(f"{self._owner} {NO_ADDRESS}")
        raise Unavailable(f"{self._owner} {problem}")

    async def aclose(self) -> None:
        """End all connections; nothing is sent any more."""
        self._closed = True
        if self._session is not None:
            await self._session.close()

    async def _exchange(
        self, url: str, body: bytes, headers: Mapping[str, str], *, most: int, deadline: float
    ) -> Answer:
        context = await self._trust.context()
        async with self._opened().post(url, data=body, headers=headers, ssl=context, allow_redirects=False) as answer:
            return Answer(
                status=answer.status,
                retry_after=answer.headers.get("Retry-After", ""),
                body=await _body(answer, most, deadline),
            )

    def _opened(self) -> aiohttp.ClientSession:
        if self._closed:
            raise Unavailable(f"{self._owner} is closed")
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=MOST_CONNECTIONS, resolver=ResolverAside(self._aside)),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
                timeout=aiohttp.ClientTimeout(total=None),  # the deadline is ours, and also holds for files
                trust_env=self._trust_env,
                auto_decompress=False,
            )
        return self._session

    def _refuse_address(self, url: str) -> None:
        try:
            parts = urlsplit(url)
            good = parts.scheme in _SCHEMES and bool(parts.hostname) and parts.port != 0
        except ValueError:
            good = False
        if not good or any(char.isspace() for char in url):
            raise PermanentError(f"{self._owner} {NO_ADDRESS}")


async def _body(answer: aiohttp.ClientResponse, most: int, deadline: float) -> bytes:
    """Return the body's beginning; once a status is there, what follows is worth no failure unless it is asked for."""
    if most > MOST_BYTES:
        return await _beginning(answer, most)
    patience = min(asyncio.get_running_loop().time() + BODY_SECONDS, deadline - _SPARE_SECONDS)
    try:
        async with asyncio.timeout_at(patience):
            return await _beginning(answer, most)
    except (TimeoutError, aiohttp.ClientError, OSError):
        return b""


async def _beginning(answer: aiohttp.ClientResponse, most: int) -> bytes:
    found = bytearray()
    while len(found) < most:
        part = await answer.content.read(most - len(found))
        if not part:
            break
        found += part
    return bytes(found)


def _happened(error: BaseException) -> str:
    """Say what happened, in words that hold nothing of the address."""
    through_proxy = isinstance(error, aiohttp.ClientProxyConnectionError)
    if isinstance(error, OSError) and error.errno in _NUMBERS and not through_proxy:
        return _NUMBERS[error.errno]
    for kind, sentence in _CLASSES:
        if isinstance(error, kind):
            return sentence
    return f"cannot be called ({type(error).__name__})"
