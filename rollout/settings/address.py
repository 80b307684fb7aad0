"""Where the API listens, as text and as host and port. Used by the table of settings and by whoever binds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address

OFF = "off"
"""What is written instead of an address when the API is not wanted."""

ADDRESS_ALLOWED = "host:port such as 127.0.0.1:8686 or [::1]:8686 (port 0: any free one), or off"

_ADDRESS = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9](?:[-A-Za-z0-9.]*[A-Za-z0-9])?)):(?P<port>\d+)"
)
_MOST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Address:
    """A host (a name or an IP address, without brackets) and a TCP port; port 0 is any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        """Return it as it is written in a URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Return whether only this machine reaches it; a name other than localhost counts as reachable by others."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host.lower() == "localhost"


def parse_address(text: str) -> Address | None:
    """Return the address that ``text`` gives, None for ``off``.

    Raises:
        ValueError: it is no address.
    """
    if text == OFF:
        return None
    match = _ADDRESS.fullmatch(text)
    if match is None:
        raise ValueError("must be a host and a port")
    if match["v6"]:
        _refuse_wrong(match["v6"])
    if int(match["port"]) > _MOST_PORT:
        raise ValueError("has a port above 65535")
    return Address(match["v6"] or match["host"], int(match["port"]))


def _refuse_wrong(host: str) -> None:
    try:
        ip_address(host)
    except ValueError:
        raise ValueError("has no IPv6 address in its brackets") from None
