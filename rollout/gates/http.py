"""Calls a gate over HTTP: a POST with a small JSON body, answered by 2xx for yes and anything else for no.

The URL comes from a Rollout, so it is not trusted: ``rollout.gates.addresses`` says who may be called, a redirect is a
no, and no more of the answer is read than a person would want to see in a sentence. Calls are signed after Standard
Webhooks where the operator gives a secret, and have an id by which the other side knows a call that comes again.
Names and the file of the secret are looked at in threads of the gates' own, within the gate's time limit: a silent name
server or a slow disk costs nobody else anything.
"""

from __future__ import annotations

import asyncio
import errno
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp
import structlog
from aiohttp.abc import AbstractResolver
from standardwebhooks import Webhook
from tenacity import AsyncRetrying, retry_if_result, stop_after_attempt, wait_random_exponential
from yarl import URL

from rollout import __version__
from rollout.aside import Aside, Shared
from rollout.engine.hooks import Fault, GateAnswer
from rollout.errors import NotOursError, Unavailable
from rollout.gates.addresses import AllowList, GuardedResolver
from rollout.gates.places import Places
from rollout.names import ResolverAside
from rollout.ports import Clock, GateCall
from rollout.webhooks import read_secrets, signed

log = structlog.get_logger(__name__)

MOST_SHOWN = 200
"""Bytes of an answer's body that are read."""

BODY_SECONDS = 1.0
"""How long those bytes are waited for, within the gate's time limit: the status has said everything."""

FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.2, 2.0
"""The wait before a retry: by chance up to the first, and up to twice as long each time, to the longest."""

_AGAIN = frozenset({408, 425, 429})
_FAULTY = 500
_OURS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came of one try, and whether another may bring more."""

    message: str
    agrees: bool = False
    again: bool = False
    fault: Fault = Fault.NONE


class HttpGates:
    """The gates of one controller; use as an async context manager."""

    def __init__(
        self,
        allowed: AllowList,
        clock: Clock,
        *,
        secret_file: Path | None = None,
        resolver: AbstractResolver | None = None,
    ) -> None:
        """Call only hosts that are ``allowed``; sign with the secrets in ``secret_file`` (None: not at all)."""
        self._allowed = allowed
        self._clock = clock
        self._secret_file = secret_file
        self._resolver = resolver or ResolverAside(Aside("the name server of gates"))
        self._reading: Shared[Path, tuple[Webhook, ...]] = Shared(Aside("the file of the gates' signing secret"))
        self._places = Places()
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Open what calls are made with; no connection is kept after its call."""
        resolver = GuardedResolver(self._resolver)
        connector = aiohttp.TCPConnector(resolver=resolver, limit=0, use_dns_cache=False, force_close=True)
        headers = {"User-Agent": f"rollout/{__version__}", "Accept-Encoding": "identity"}
        self._session = aiohttp.ClientSession(
            connector=connector,
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        if self._session is not None:
            await self._session.close()

    async def ask(self, call: GateCall) -> GateAnswer:
        """Call the gate, and again after a time-out, a fault of the connection, 408, 425, 429 or 5xx.

        An answer other than 2xx, a timeout or a forbidden host is a "no" with its reason. All tries together take at
        most (1 + retries) times the gate's time limit and 2 s, beside waiting for their places.
        """
        if self._session is None:
            return GateAnswer(agrees=False, message="gates are closed", fault=Fault.OURS)
        try:
            url = self._allowed.checked(call.gate.url)
        except NotOursError as error:
            return GateAnswer(agrees=False, message=str(error))
        tries = AsyncRetrying(
            stop=stop_after_attempt(1 + call.gate.retries),
            wait=wait_random_exponential(FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS),
            retry=retry_if_result(lambda answer: answer.again),
            retry_error_callback=lambda state: state.outcome.result() if state.outcome is not None else None,
        )
        answer: _Answer = await tries(self._try, self._session, url, call)
        made = int(tries.statistics["attempt_number"])
        return GateAnswer(agrees=answer.agrees, message=answer.message, tries=made, fault=answer.fault)

    async def _try(self, session: aiohttp.ClientSession, url: URL, call: GateCall) -> _Answer:
        async with self._places.one(url.host or "", str(call.body.get("namespace", ""))):
            deadline = asyncio.get_running_loop().time() + call.gate.timeout
            try:
                secrets = await self._secrets(deadline)
            except (Unavailable, TimeoutError) as error:
                why = str(error) or f"it was not read within {call.gate.timeout:g} s"
                log.warning("gates cannot be called", file=str(self._secret_file), why=why)
                return _Answer("cannot be called: the operator's signing secret cannot be used", fault=Fault.OURS)
            try:
                return await self._called(partial(self._post, session, url, call, secrets), deadline)
            except TimeoutError:
                return _Answer(f"no answer within {call.gate.timeout:g} s", again=True, fault=Fault.UNREACHABLE)
            except NotOursError as error:
                return _Answer(str(error))
            except Unavailable as error:
                return _Answer(f"cannot be called: {error}", again=True, fault=Fault.OURS)
            except (aiohttp.ClientError, OSError) as error:
                return _fault(error)

    async def _secrets(self, deadline: float) -> tuple[Webhook, ...]:
        if self._secret_file is None:
            return ()
        async with asyncio.timeout_at(deadline):
            return await self._reading.call(self._secret_file, partial(read_secrets, self._secret_file))

    async def _post(
        self, session: aiohttp.ClientSession, url: URL, call: GateCall, secrets: tuple[Webhook, ...]
    ) -> aiohttp.ClientResponse:
        body = json.dumps(call.body, separators=(",", ":")).encode()
        headers = signed(secrets, call.id, body, at=self._clock.now())
        headers["Content-Type"] = "application/json"
        return await session.post(url, data=body, headers=headers, allow_redirects=False)

    async def _called(self, post: Callable[[], Awaitable[aiohttp.ClientResponse]], deadline: float) -> _Answer:
        """Return what the status says: once it is there, the end of the time limit ends only the reading after it."""
        async with asyncio.timeout_at(deadline):
            answer = await post()
        try:
            status = answer.status
            if 300 <= status < 400:  # noqa: PLR2004 - 3xx
                return _Answer(f"answered {status}, a redirect, which is not followed")
            said = await _said(answer, deadline)
            again = status in _AGAIN or status >= _FAULTY
            agrees = 200 <= status < 300  # noqa: PLR2004 - 2xx
            return _Answer(f"answered {status}{f': {said}' if said else ''}", agrees=agrees, again=again)
        finally:
            answer.close()


def _fault(error: Exception) -> _Answer:
    """Return what a call that did not come to an answer came to; where it may not go is said of itself."""
    if isinstance(error.__cause__, NotOursError):
        return _Answer(str(error.__cause__))
    what = error.message if isinstance(error, aiohttp.ClientResponseError) else error  # the other has the whole URL
    fault = Fault.OURS if isinstance(error, OSError) and error.errno in _OURS else Fault.UNREACHABLE
    return _Answer(f"cannot be called: {type(error).__name__}: {what}"[:MOST_SHOWN], again=True, fault=fault)


async def _said(answer: aiohttp.ClientResponse, deadline: float) -> str:
    """Return the beginning of the body in one line; nothing where it does not come soon, or breaks off."""
    try:
        async with asyncio.timeout_at(min(deadline, asyncio.get_running_loop().time() + BODY_SECONDS)):
            text = (await answer.content.read(MOST_SHOWN)).decode(errors="replace")
    except (TimeoutError, aiohttp.ClientError, OSError):
        return ""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
