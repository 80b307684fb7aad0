"""Calls a gate over HTTP: a POST with a small JSON body, answered by 2xx for yes and anything else for no.

The URL comes from a Rollout, so it is not trusted: its host must be on the operator's list, none of
its addresses may be link-local, a redirect is a no, and no more of the answer is read than a person
would want to see in a sentence.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from rollout.engine.observation import GateAnswer
from rollout.errors import NotOursError
from rollout.spec.resource import Gate

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_PORTS = {"http": 80, "https": 443}

MOST_SHOWN = 200
"""Bytes of an answer's body that are read."""


class GuardedResolver(AbstractResolver):
    """Resolves names as usual, and refuses link-local and unspecified addresses, also IPv4 ones in IPv6 clothes."""

    def __init__(self) -> None:
        self._resolver = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of ``host``.

        Raises:
            NotOursError: one of them may not be called.
        """
        found = await self._resolver.resolve(host, port, family)
        for one in found:
            refuse_address(one["host"])
        return found

    async def close(self) -> None:
        """Close the resolver underneath."""
        await self._resolver.close()


def refuse_address(text: str) -> None:
    """Return for an address that may be called.

    Raises:
        NotOursError: it is link-local, multicast or unspecified.
    """
    address = ipaddress.ip_address(text.partition("%")[0])
    for one in (address, *_inside(address)):
        if one.is_link_local or one.is_unspecified or one.is_multicast:
            raise NotOursError(f"address {address} may not be called")


def _inside(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> Iterator[ipaddress.IPv4Address]:
    """Yield the IPv4 addresses that an IPv6 address stands for: mapped, 6to4, Teredo, NAT64."""
    if isinstance(address, ipaddress.IPv4Address):
        return
    teredo = address.teredo
    found = (address.ipv4_mapped, address.sixtofour, teredo[1] if teredo is not None else None)
    yield from (one for one in found if one is not None)
    if address in _NAT64:
        yield ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)


class HttpGates:
    """The gates of one controller; use as an async context manager."""

    def __init__(self, allowed_hosts: frozenset[str]) -> None:
        """Call only hosts in ``allowed_hosts`` (``host`` or ``host:port``, lower case; empty: none)."""
        self._allowed = allowed_hosts
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Open the connections."""
        connector = aiohttp.TCPConnector(resolver=GuardedResolver(), limit=32, use_dns_cache=False)
        self._session = aiohttp.ClientSession(connector=connector, trust_env=False, cookie_jar=aiohttp.DummyCookieJar())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close them."""
        if self._session is not None:
            await self._session.close()

    async def ask(self, gate: Gate, *, body: Mapping[str, object]) -> GateAnswer:
        """Call the gate once; an answer other than 2xx, a timeout or a forbidden host is a "no" with its reason."""
        refusal = self._refusal(gate)
        if refusal or self._session is None:
            return GateAnswer(agrees=False, message=refusal or "gates are closed")
        limit = aiohttp.ClientTimeout(total=gate.timeout)
        try:
            async with self._session.post(gate.url, json=dict(body), timeout=limit, allow_redirects=False) as answer:
                return GateAnswer(agrees=200 <= answer.status < 300, message=await _said(answer))  # noqa: PLR2004 - 2xx
        except TimeoutError:
            return GateAnswer(agrees=False, message=f"no answer within {gate.timeout:g} s")
        except NotOursError as error:
            return GateAnswer(agrees=False, message=str(error))
        except (aiohttp.ClientError, OSError, asyncio.IncompleteReadError) as error:
            cause = error.__cause__ if isinstance(error.__cause__, NotOursError) else error
            return GateAnswer(agrees=False, message=f"cannot be called: {type(cause).__name__}: {cause}"[:MOST_SHOWN])

    def _refusal(self, gate: Gate) -> str:
        parts = urlsplit(gate.url)
        host = (parts.hostname or "").lower()
        if parts.username or parts.password:
            return "the URL carries a user or a password"
        try:
            port = parts.port or _PORTS.get(parts.scheme)
        except ValueError:
            return "the URL has a port that cannot be"
        if not {host, f"{host}:{port}"} & self._allowed:
            return f"host {host or '(none)'} is not on the operator's list of allowed hosts"
        try:
            refuse_address(host)
        except ValueError:
            return ""  # a name, looked at when it is resolved
        except NotOursError as error:
            return str(error)
        return ""


async def _said(answer: aiohttp.ClientResponse) -> str:
    if 300 <= answer.status < 400:  # noqa: PLR2004 - 3xx
        return f"answered {answer.status}, a redirect, which is not followed"
    text = (await answer.content.read(MOST_SHOWN)).decode(errors="replace")
    shown = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return f"answered {answer.status}{f': {shown}' if shown else ''}"
