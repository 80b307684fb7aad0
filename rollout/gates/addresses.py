"""Which hosts and addresses gates may call: those on the operator's list, and nothing inside this machine by a detour.

The list is of names and addresses, each with or without a port. A name on it is judged by what it resolves to, at the
moment of each connection, so that a name which changes its mind gains nothing. Addresses that lead to this machine or
to the platform's own services (loopback, link-local, unspecified, multicast) are called only where the list names that
very address, or `localhost`. Called by ``rollout.gates.http``.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Iterator

from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from rollout.errors import NotOursError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

LOCALHOST = "localhost"
_NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
_COMPATIBLE = ipaddress.IPv6Network("::/96")


class AllowList:
    """The hosts that the operator named."""

    def __init__(self, hosts: Iterable[str]) -> None:
        """Take entries of the form ``host`` or ``host:port``, IPv6 addresses with a port in brackets."""
        self._entries = frozenset(map(_entry, hosts))

    def checked(self, text: str) -> URL:
        """Return the URL as the client takes it, if its host is on the list.

        Raises:
            NotOursError: it is not, or the URL cannot be; the sentence has no more of it than the host.
        """
        try:
            url = URL(text)
        except ValueError:
            raise NotOursError("the URL cannot be read, or has a port that cannot be") from None
        if url.raw_user or url.raw_password:
            raise NotOursError("the URL carries a user or a password")
        host = _canonical(url.raw_host or "")
        if not {(host, 0), (host, url.port or 0)} & self._entries:
            raise NotOursError(f"host {host or '(none)'} is not on the operator's list of allowed hosts")
        if _looks_like_address(host) and _address(host) is None:
            raise NotOursError(f"host {host} is no address that can be")
        return url


class GuardedResolver(AbstractResolver):
    """Resolves names, and refuses what they may not lead to, also IPv4 addresses in IPv6 clothes.

    The client asks it for names only: an address in a URL is on the list as it stands.
    """

    def __init__(self, resolver: AbstractResolver) -> None:
        """Ask ``resolver``."""
        self._resolver = resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of ``host``.

        Raises:
            NotOursError: one of them may not be called.
        """
        found = await self._resolver.resolve(host, port, family)
        for one in found:
            refuse_address(one["host"], loopback=_canonical(host) == LOCALHOST)
        return found

    async def close(self) -> None:
        """Close the resolver underneath."""
        await self._resolver.close()


def refuse_address(text: str, *, loopback: bool = False) -> None:
    """Return for an address that a name may lead to; ``loopback``: also to this machine, and nowhere else.

    Raises:
        NotOursError: it is loopback, link-local, multicast or unspecified.
    """
    address = ipaddress.ip_address(text.partition("%")[0])
    for one in (address, *_inside(address)):
        if (one.is_loopback and not loopback) or one.is_link_local or one.is_unspecified or one.is_multicast:
            raise NotOursError(f"address {address} may not be called")


def _inside(address: Address) -> Iterator[ipaddress.IPv4Address]:
    """Yield the IPv4 addresses that an IPv6 address stands for: mapped, compatible, 6to4, Teredo, NAT64."""
    if isinstance(address, ipaddress.IPv4Address):
        return
    teredo = address.teredo
    found = (address.ipv4_mapped, address.sixtofour, teredo[1] if teredo is not None else None)
    yield from (one for one in found if one is not None)
    if any(address in network for network in _NAT64) or (address in _COMPATIBLE and not address.is_loopback):
        yield ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)


def _entry(text: str) -> tuple[str, int]:
    """Return host and port of an entry, the port 0 where any may be called."""
    if (address := _address(text)) is not None:
        return str(address), 0
    host, colon, port = text.rpartition(":")
    if colon and port.isdigit():
        return _canonical(host.strip("[]")), int(port)
    return _canonical(text.strip("[]")), 0


def _canonical(host: str) -> str:
    """Return the one way to write a host: an address as Python writes it, a name in lower case without the last dot."""
    address = _address(host)
    return str(address) if address is not None else host.lower().removesuffix(".")


def _address(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _looks_like_address(host: str) -> bool:
    """Return whether the client would connect to the host without asking for its address."""
    return ":" in host or host.replace(".", "").isdigit()
