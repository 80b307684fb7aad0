"""Live metrics of sinks: read from how it goes with them when somebody scrapes.

Registered by ``rollout.bootstrap`` with the registry of ``rollout.meters``. ``collect`` may run in a thread beside the
loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from rollout.meter_table import SINKS, Kind, Metric
from rollout.signals import SinkStanding

Family = CounterMetricFamily | GaugeMetricFamily


class SinkGauges(Collector):
    """One family for each row of the table that is about sinks."""

    def __init__(self, standings: Callable[[], Sequence[SinkStanding]], now: Callable[[], float]) -> None:
        """Read what ``standings`` returns; ``now`` is Unix seconds."""
        self._standings = standings
        self._now = now

    def describe(self) -> Iterable[Family]:
        """Return the families without values, so that registering reads nothing."""
        return _families().values()

    def collect(self) -> Iterator[Family]:
        """Yield the families, read now."""
        families = _families()
        for one in self._standings():
            for name, value in (
                ("rollout_notifications_delivered", one.delivered),
                ("rollout_notifications_failed", one.failed),
                ("rollout_notifications_folded", one.folded),
                ("rollout_notifications_passed_over", one.passed_over),
                ("rollout_notifications_pending", one.pending),
                ("rollout_notification_lag_seconds", one.lag_seconds),
                ("rollout_sink_closed", one.closed_until > self._now()),
            ):
                families[name].add_metric((one.name,), float(value))
        yield from families.values()


def _families() -> dict[str, Family]:
    return {row.name: _family(row) for row in SINKS}


def _family(row: Metric) -> Family:
    made = CounterMetricFamily if row.kind is Kind.COUNTER else GaugeMetricFamily
    return made(row.name, row.meaning, labels=row.labels)
