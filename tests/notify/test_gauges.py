"""Metrics of sinks: read from how it goes with them when somebody scrapes."""

from prometheus_client import CollectorRegistry, generate_latest

from rollout.meter_table import SINKS
from rollout.notify.gauges import SinkGauges
from rollout.signals import SinkStanding

NOW = 1000.0
CHAT = SinkStanding(
    "chat", "Slack", delivered=7, failed=3, folded=2, passed_over=5, pending=4, lag_seconds=1.5, closed_until=NOW + 1
)
BUS = SinkStanding("bus", "CloudEvents", closed_until=NOW - 1)


def scraped(*standings: SinkStanding) -> dict[str, float]:
    """Return what a scrape gives, by name and labels."""
    registry = CollectorRegistry()
    registry.register(SinkGauges(lambda: standings, lambda: NOW))
    lines = generate_latest(registry).decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


def test_each_sink_has_all_figures() -> None:
    """By the name that the operator gave it."""
    found = scraped(CHAT)

    assert found == {
        'rollout_notifications_delivered_total{sink="chat"}': 7.0,
        'rollout_notifications_failed_total{sink="chat"}': 3.0,
        'rollout_notifications_folded_total{sink="chat"}': 2.0,
        'rollout_notifications_passed_over_total{sink="chat"}': 5.0,
        'rollout_notifications_pending{sink="chat"}': 4.0,
        'rollout_notification_lag_seconds{sink="chat"}': 1.5,
        'rollout_sink_closed{sink="chat"}': 1.0,
    }
    assert len(found) == len(SINKS)


def test_a_circuit_is_closed_only_until_its_time() -> None:
    """Then the sink is tried again."""
    assert scraped(BUS)['rollout_sink_closed{sink="bus"}'] == 0.0


def test_without_sinks_there_is_nothing() -> None:
    """Nobody is told."""
    assert scraped() == {}
