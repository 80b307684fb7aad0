"""Readings of endpoints and metrics: from what was seen to a word of one signal.

Called by the controller whenever something is seen; the reading before is all that must be kept.
"""

from __future__ import annotations

from dataclasses import dataclass

from rollout.failover.health import Health, Reading, Signal, continued
from rollout.spec.failover import EndpointsSignal, MetricsSignal
from rollout.spec.quantities import format_fraction

HEARD_SECONDS = 30.0
"""Endpoints are known for so long after their watch was opened or heard from."""

FRESH_INTERVALS = 3
"""Evidence that comes at intervals is fresh for so many of them, if that is longer than ``staleAfter``."""

ALL = 100


@dataclass(frozen=True, slots=True)
class EndpointsSeen:
    """Ready endpoints out of all; ``heard_at`` is when their watch was last heard from (None: not synced yet)."""

    ready: int
    total: int
    heard_at: float | None


@dataclass(frozen=True, slots=True)
class RequestsSeen:
    """Requests and bad ones over the window that ends at ``at`` (Unix seconds of the newest sample)."""

    total: int
    bad: int
    at: float


def fresh_seconds(*, stale_after: float, interval: float) -> float:
    """Return how long evidence is fresh that comes every ``interval`` seconds."""
    return max(stale_after, FRESH_INTERVALS * interval)


def endpoints_reading(signal: EndpointsSignal, seen: EndpointsSeen, before: Reading | None, now: float) -> Reading:
    """Return what the endpoints say: Healthy with at least ``minReadyPercent`` of them ready, and with one at all."""
    if seen.heard_at is None:
        unseen = Reading(Signal.ENDPOINTS, Health.UNKNOWN, now, now, HEARD_SECONDS, "not seen yet")
        return continued(unseen, before)
    enough = seen.ready > 0 and seen.ready * ALL >= signal.min_ready_percent * seen.total
    health = Health.HEALTHY if enough else Health.UNHEALTHY
    evidence = f"{seen.ready} of {seen.total} ready"
    if seen.ready and not enough:
        evidence = f"{evidence}, {signal.min_ready_percent} % are needed"
    reading = Reading(
        Signal.ENDPOINTS, health, now, seen.heard_at, HEARD_SECONDS, evidence, healthy=seen.ready, total=seen.total
    )
    return continued(reading, before)


def metrics_reading(
    signal: MetricsSignal, seen: RequestsSeen | str, before: Reading | None, *, fresh: float, now: float
) -> Reading:
    """Return what the requests say; ``seen`` is one clause where there is no answer, ``fresh`` in seconds.

    Between ``recoverBelow`` and ``failAbove`` the last word stands. Fewer than ``minSamples`` requests
    and numbers that cannot be true say nothing.
    """
    if isinstance(seen, str):
        return continued(Reading(Signal.METRICS, Health.UNKNOWN, now, now, fresh, seen), before)
    share = seen.bad / seen.total if seen.total else 0.0
    evidence = f"{seen.bad} of {seen.total} requests bad"
    health = before.health if before is not None else Health.UNKNOWN
    if not 0 <= seen.bad <= seen.total:
        health, evidence = Health.UNKNOWN, f"{evidence}, which cannot be"
    elif seen.total < signal.min_samples:
        health, evidence = Health.UNKNOWN, f"{evidence}, {signal.min_samples} are needed"
    elif share > signal.fail_above:
        health, evidence = Health.UNHEALTHY, f"{evidence}, above {format_fraction(signal.fail_above)}"
    elif share < signal.recover_below or not seen.bad:
        health, evidence = Health.HEALTHY, f"{evidence}, below {format_fraction(signal.recover_below)}"
    return continued(Reading(Signal.METRICS, health, now, seen.at, fresh, evidence), before)
