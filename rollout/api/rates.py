"""How often somebody may ask: so many times in a window that moves on, counted in memory that is bounded.

Called by the doorkeeper, for callers by name and for addresses whose tokens were not accepted.
"""

from __future__ import annotations

import ipaddress
import math
import time

from limits import RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

MOST_COUNTED = 10_000
"""So many counts are kept at most, one or two for each who asks; all others that come then share one."""

_OTHERS = "others"
_NETWORK_BITS = 64


class Rate:
    """At most ``times`` in ``seconds``, each."""

    def __init__(self, times: int, seconds: int, *, most_counted: int = MOST_COUNTED) -> None:
        """Begin with nothing counted."""
        self.times = times
        self.seconds = seconds
        self._item = RateLimitItemPerSecond(times, seconds)
        self._storage = MemoryStorage()
        self._limiter = SlidingWindowCounterRateLimiter(self._storage)
        self._most_counted = most_counted

    async def take(self, who: str) -> int:
        """Count one; return 0, or after how many seconds the next will be let through."""
        name = who if len(self._storage.storage) < self._most_counted else _OTHERS
        if await self._limiter.hit(self._item, name):
            return 0
        stats = await self._limiter.get_window_stats(self._item, name)
        return min(max(1, math.ceil(stats.reset_time - time.time())), 2 * self.seconds)


def network_of(address: str) -> str:
    """Return what stands for a remote address: of IPv6 its network, since one host has as many as it likes."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((int(found), _NETWORK_BITS), strict=False))
