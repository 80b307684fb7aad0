"""Opening a TCP connection to a target, so that what failed here can be told from what failed there.

The system refuses at once what it cannot even try (no socket, no route, no address); what comes later came from the
network or the target.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import socket
from contextlib import suppress
from functools import lru_cache

from rollout.probes.said import Unsent, word_of
from rollout.signals import Target

_ANSWERED = frozenset({errno.ECONNREFUSED, errno.ECONNRESET, errno.ETIMEDOUT})
"""What may come at once and still come from the target."""

_UNDER_WAY = frozenset({errno.EINPROGRESS, errno.EWOULDBLOCK})


async def dial(target: Target) -> socket.socket:
    """Return a connected, non-blocking socket; the caller closes it.

    Raises:
        Unsent: nothing left this machine.
        OSError: the connection was refused, or broke.
    """
    family, address = await located(target)
    try:
        opened = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise Unsent(word_of(error)) from error
    try:
        await _connect(opened, address, target.port)
    except BaseException:
        opened.close()
        raise
    return opened


async def located(target: Target) -> tuple[socket.AddressFamily, str]:
    """Return the family and the IP address of a target; only a name has to be looked up.

    Raises:
        Unsent: its port or its address is not known, or its name leads to ourselves.
    """
    if not target.port:
        raise Unsent("no port is known")
    family = _family_of(target.address)
    if family is not None:
        return family, target.address
    try:
        found = await asyncio.get_running_loop().getaddrinfo(target.address, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, asyncio.CancelledError) as error:
        # Also where the time was up before a name server answered: the target has not heard of it.
        raise Unsent(f"{target.address} has no address") from error
    first, _, _, _, address = found[0]
    if _is_ours(str(address[0])):
        raise Unsent(f"{target.address} is an address of this machine or its link")
    return first, str(address[0])


def _is_ours(address: str) -> bool:
    """Return whether an address to which a name led is this machine's or its link's, which no backend has for us.

    Whoever can make a name could else have us ask ourselves, or what clouds offer on the link.
    """
    found = ipaddress.ip_address(address.partition("%")[0])
    return found.is_loopback or found.is_link_local or found.is_unspecified or found.is_multicast


@lru_cache(maxsize=65536)
def _family_of(address: str) -> socket.AddressFamily | None:
    with suppress(ValueError):
        return socket.AF_INET if ipaddress.ip_address(address).version == 4 else socket.AF_INET6  # noqa: PLR2004 - IPv4
    return None


async def _connect(opened: socket.socket, address: str, port: int) -> None:
    opened.settimeout(0)
    try:
        code = opened.connect_ex((address, port))
    except (OSError, OverflowError, UnicodeError) as error:
        raise Unsent(f"{address} is no address") from error
    if code in _UNDER_WAY:
        await _writable(opened)
        code = opened.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code))
    elif code in _ANSWERED:
        raise OSError(code, os.strerror(code))
    elif code:
        raise Unsent(os.strerror(code).lower())


async def _writable(opened: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_writer(opened.fileno(), _tell, ready)
    try:
        await ready
    finally:
        loop.remove_writer(opened.fileno())


def _tell(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
