"""From raw counters to ticks."""

from __future__ import annotations

from typing import NamedTuple


class Count(NamedTuple):
    """Requests, and the bad ones among them."""

    total: int
    bad: int


class Tick(NamedTuple):
    """One new sample of both arms."""

    since: float
    at: float
    canary: Count
    stable: Count
    stable_pods: tuple[tuple[str, Count], ...]
    covers_from: float
