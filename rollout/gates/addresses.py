"""Which hosts and addresses gates may call: those on the operator's list, and nothing inside this machine by a detour.

The list is of names and addresses, each with or without a port. A name on it is judged by what it resolves to, at the
moment of each connection, so that a name which changes its mind gains nothing. Addresses that lead to this machine or
to the platform's own services (loopback, link-local and site-local, "this network", multicast, broadcast, and where
clouds keep their metadata elsewhere) are called only where the list names that very address, or `localhost`. Called by
``rollout.gates.http``.
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
_SERVICES = frozenset(
    map(
        ipaddress.ip_address,
        ("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254"),
    )
)
"""Metadata and the like of Alibaba, Azure, Oracle, AWS and Google, at addresses that are not link-local."""

_THIS_NETWORK = ipaddress.IPv4Network("0.0.0.0/8")
_BROADCAST = ipaddress.IPv4Address("255.255.255.255")
_LAST_32_BITS = tuple(map(ipaddress.IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/48", "::ffff:0:0:0/96", "::/96")))
"""Where the last 32 bits are an IPv4 address: NAT64, translated (SIIT), compatible."""

_LOCAL_NAT64 = ipaddress.IPv6Network("64:ff9b:1::/48")
_ISATAP = frozenset({0x00005EFE, 0x02005EFE})
"""The third quarter of an address whose last quarter is the IPv4 address of a tunnel's end."""


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
        NotOursError: it leads to this machine, or to services of the platform.
    """
    address = ipaddress.ip_address(text.partition("%")[0])
    if any(_is_special(one, loopback=loopback) for one in (address, *_inside(address))):
        raise NotOursError(f"address {address} may not be called")


def _is_special(address: Address, *, loopback: bool) -> bool:
    if address.is_loopback:
        return not loopback
    near = address.is_link_local or address.is_unspecified or address.is_multicast
    return near or address in _SERVICES or _is_old_special(address)


def _is_old_special(address: Address) -> bool:
    """Return whether it is site-local, of "this network", or broadcast."""
    if isinstance(address, ipaddress.IPv6Address):
        return address.is_site_local
    return address in _THIS_NETWORK or address == _BROADCAST


def _inside(address: Address) -> Iterator[ipaddress.IPv4Address]:
    """Yield the IPv4 addresses that an IPv6 address stands for, in each way that one can be written into it."""
    if isinstance(address, ipaddress.IPv4Address) or address.is_loopback:
        return
    teredo = address.teredo
    found = (address.ipv4_mapped, address.sixtofour, teredo[1] if teredo is not None else None)
    yield from (one for one in found if one is not None)
    bits = int(address)
    if any(address in network for network in _LAST_32_BITS) or (bits >> 32) & 0xFFFFFFFF in _ISATAP:
        yield ipaddress.IPv4Address(bits & 0xFFFFFFFF)
    if address in _LOCAL_NAT64:  # RFC 6052: two bytes, a byte of zeros, two bytes
        yield ipaddress.IPv4Address((bits >> 64 & 0xFFFF) << 16 | bits >> 40 & 0xFFFF)


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
