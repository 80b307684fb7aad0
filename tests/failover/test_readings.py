"""Facts about the readings of endpoints and metrics."""

from __future__ import annotations

import pytest

from rollout.failover.health import Health
from rollout.failover.readings import (
    HEARD_SECONDS,
    EndpointsSeen,
    RequestsSeen,
    endpoints_reading,
    fresh_seconds,
    metrics_reading,
)
from rollout.spec.failover import EndpointsSignal, MetricsSignal
from tests.failover.builders import DOWN, LOST, METRICS, NOW, UP, reading

ANY, HALF = EndpointsSignal(), EndpointsSignal(min_ready_percent=50)
SIGNAL = MetricsSignal()


@pytest.mark.parametrize(
    ("signal", "ready", "total", "health"),
    [
        (ANY, 1, 100, UP),
        (ANY, 1, 200, DOWN),
        (ANY, 0, 3, DOWN),
        (ANY, 0, 0, DOWN),
        (HALF, 1, 2, UP),
        (HALF, 1, 3, DOWN),
    ],
)
def test_endpoints_need_their_share(signal: EndpointsSignal, ready: int, total: int, health: Health) -> None:
    """And one in any case."""
    found = endpoints_reading(signal, EndpointsSeen(ready, total, NOW), None, NOW)

    assert found.health is health
    assert f"{ready} of {total} ready" in found.evidence
    assert (found.healthy, found.total) == (ready, total)


def test_endpoints_are_unknown_before_a_first_look() -> None:
    """A cache that is not synced says nothing."""
    assert endpoints_reading(ANY, EndpointsSeen(0, 0, None), None, NOW).health is LOST


def test_endpoints_are_fresh_while_their_watch_is_heard() -> None:
    """For half a minute from when it was last."""
    found = endpoints_reading(ANY, EndpointsSeen(1, 1, NOW - 5), None, NOW)

    assert found.expires_at == NOW - 5 + HEARD_SECONDS


@pytest.mark.parametrize(
    ("total", "bad", "before", "health"),
    [
        (100, 21, UP, DOWN),
        (100, 20, UP, UP),
        (100, 20, DOWN, DOWN),
        (100, 20, LOST, LOST),
        (100, 20, None, LOST),
        (100, 5, DOWN, DOWN),
        (100, 4, DOWN, UP),
        (50, 50, UP, DOWN),
        (40, 40, UP, LOST),
        (0, 0, UP, LOST),
        (100, 101, UP, LOST),
        (100, -1, UP, LOST),
    ],
)
def test_metrics_have_two_limits(total: int, bad: int, before: Health | None, health: Health) -> None:
    """Between them the last word stands; too few requests and impossible numbers say nothing."""
    last = reading(before, METRICS) if before is not None else None
    found = metrics_reading(SIGNAL, RequestsSeen(total, bad, NOW), last, fresh=30.0, now=NOW)

    assert found.health is health
    assert f"{bad} of {total} requests bad" in found.evidence


def test_no_bad_request_at_all_is_healthy() -> None:
    """Also where ``recoverBelow`` is 0%."""
    strict = MetricsSignal.model_validate({"recoverBelow": "0%"})

    assert metrics_reading(strict, RequestsSeen(100, 0, NOW), None, fresh=30.0, now=NOW).health is UP


def test_a_source_without_an_answer_is_unknown() -> None:
    """Its problem is the evidence."""
    found = metrics_reading(SIGNAL, "Prometheus timed out", reading(DOWN, METRICS), fresh=30.0, now=NOW)

    assert (found.health, found.evidence) == (LOST, "Prometheus timed out")


def test_evidence_at_intervals_is_fresh_for_three_of_them() -> None:
    """Or for ``staleAfter`` where that is longer."""
    assert fresh_seconds(stale_after=10.0, interval=1.0) == 10.0
    assert fresh_seconds(stale_after=10.0, interval=15.0) == 45.0
