"""The service's own metrics as one table: name, kind, labels, meaning, and what to do when a figure looks wrong.

``rollout.meters`` makes the objects from it, the controller's room reads the rows with ``live`` when somebody scrapes,
and the reference page is written from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

PASS_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
CALL_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Kind(StrEnum):
    """What a metric is to Prometheus."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """A row: name without the endings that Prometheus adds, kind, labels, meaning, and what to do when it looks wrong.

    ``live``: read from the Rollouts when somebody scrapes.
    """

    name: str
    kind: Kind
    meaning: str
    labels: tuple[str, ...] = ()
    wrong: str = ""
    buckets: tuple[float, ...] = CALL_BUCKETS
    live: bool = False


_ONE = ("namespace", "name")
_OUTCOME = "`done`, `conflict`, `gone`, `refused`, `timeout`, `unavailable` or `failed`"

_SINK = ("sink",)

SINKS: tuple[Metric, ...] = (
    Metric(
        "rollout_notifications_delivered",
        Kind.COUNTER,
        "Messages that the sink has taken.",
        _SINK,
        live=True,
    ),
    Metric(
        "rollout_notifications_failed",
        Kind.COUNTER,
        "Tries that the sink has not taken: away, slow, busy, or refused. They are tried again.",
        _SINK,
        "growing: `rollout notify list` has why",
        live=True,
    ),
    Metric(
        "rollout_notifications_folded",
        Kind.COUNTER,
        "Transitions that were told as a number only, since a Rollout had more than 100 that were not told.",
        _SINK,
        "above 0: the sink was away for too long",
        live=True,
    ),
    Metric(
        "rollout_notifications_passed_over",
        Kind.COUNTER,
        "Messages that the sink refused for good, so that the next ones are told.",
        _SINK,
        "above 0: the log names each, `rollout notify list` has why",
        live=True,
    ),
    Metric(
        "rollout_notifications_pending",
        Kind.GAUGE,
        "Rollouts with something that the sink was not told yet.",
        _SINK,
        live=True,
    ),
    Metric(
        "rollout_notification_lag_seconds",
        Kind.GAUGE,
        "The age of the oldest transition that the sink was not told yet; 0: there is none.",
        _SINK,
        "above 60 outside quiet hours: the sink is away, or too slow",
        live=True,
    ),
    Metric(
        "rollout_sink_closed",
        Kind.GAUGE,
        "1 while nothing is sent to the sink because too much failed, else 0.",
        _SINK,
        "1 for minutes: [SinkClosed](../runbook/SinkClosed.md)",
        live=True,
    ),
)
"""What is told of each sink that the operator named."""

TABLE: tuple[Metric, ...] = (
    Metric("rollout_build", Kind.GAUGE, "1; the label has the version.", ("version",)),
    Metric(
        "rollout_passes",
        Kind.COUNTER,
        f"Passes, by what came of them: {_OUTCOME}.",
        ("outcome",),
        "many `failed` or `unavailable`: the log says which Rollout and why",
    ),
    Metric(
        "rollout_pass_seconds",
        Kind.HISTOGRAM,
        "How long a pass takes, its record and its writes included.",
        (),
        "above 1 s: disk or gateway are slow",
        PASS_BUCKETS,
    ),
    Metric(
        "rollout_pass_lateness_seconds",
        Kind.HISTOGRAM,
        "How much later than due a pass began.",
        (),
        "p99 above 1 s: the process has too little CPU",
        PASS_BUCKETS,
    ),
    Metric(
        "rollout_measurements",
        Kind.COUNTER,
        f"Measurements of a Rollout, by outcome: {_OUTCOME}.",
        ("outcome",),
        "others than `done`: attempts hold; look at the source of counters",
    ),
    Metric("rollout_measurement_seconds", Kind.HISTOGRAM, "How long a measurement takes."),
    Metric(
        "rollout_queries",
        Kind.COUNTER,
        f"Questions put to `prometheus` or to `envoy`'s admin endpoint, by outcome: {_OUTCOME}.",
        ("source", "outcome"),
        "others than `done`: the source is slow, away, or refuses",
    ),
    Metric("rollout_query_seconds", Kind.HISTOGRAM, "How long the source takes to answer.", ("source",)),
    Metric(
        "rollout_route_writes",
        Kind.COUNTER,
        f"Weights written into a route, by outcome: {_OUTCOME}.",
        ("outcome",),
        "`conflict` again and again: somebody else writes the same route",
    ),
    Metric(
        "rollout_route_write_seconds",
        Kind.HISTOGRAM,
        "How long a write takes until the gateway has taken it.",
        (),
        "above 1 s: the gateway is slow to take changes, and a rollback is as slow",
    ),
    Metric(
        "rollout_records",
        Kind.COUNTER,
        f"Statuses written, by outcome: {_OUTCOME}. At rest there are none.",
        ("outcome",),
        "`unavailable`: the disk is full or the database locked; rollbacks go on, steps do not",
    ),
    Metric("rollout_record_seconds", Kind.HISTOGRAM, "How long it takes until a status is on disk."),
    Metric(
        "rollout_gate_calls",
        Kind.COUNTER,
        "Calls of gates and hooks: `agrees`, `refuses`, `unreachable` or `failed` (our own fault; nobody was asked).",
        ("answer",),
    ),
    Metric(
        "rollout_transitions",
        Kind.COUNTER,
        "Changes of phase, step or roles, by the phase they led to and their reason; `Aborting` are rollbacks.",
        ("phase", "reason"),
    ),
    Metric(
        "rollout_failovers",
        Kind.COUNTER,
        "Moves of traffic by failover, by reason, and by the signals behind them (`endpoints`, `probe`, `metrics`, "
        "joined by `+`; empty: a person, or the way back).",
        ("reason", "cause"),
        "`Latched`: a primary flaps, and a person is waited for",
    ),
    Metric(
        "rollout_failover_stopped",
        Kind.GAUGE,
        "1 while the operator stops all automatic failover, else 0.",
        (),
        "1 for longer than meant: nothing fails over",
    ),
    Metric(
        "rollout_probe_lateness_seconds",
        Kind.HISTOGRAM,
        "How much later than due a probe began.",
        (),
        "p99 above 0.1 s: the process has too little CPU for so many targets",
        PASS_BUCKETS,
    ),
    Metric(
        "rollout_commands",
        Kind.COUNTER,
        "Commands, `done` or `refused`, and with which reason.",
        ("action", "outcome", "reason"),
    ),
    Metric(
        "rollout_http_requests",
        Kind.COUNTER,
        "Requests to the API by method, route and class of status.",
        ("method", "route", "status"),
        "any `5xx`: the log has the request and why",
    ),
    Metric(
        "rollout_http_request_seconds",
        Kind.HISTOGRAM,
        "How long the API takes to answer; event streams are left out.",
        ("route",),
    ),
    Metric("rollout_http_requests_in_flight", Kind.GAUGE, "Requests that are being answered, event streams included."),
    Metric(
        "rollout_authentication_failures",
        Kind.COUNTER,
        "Requests with a token that was not accepted.",
        (),
        "many: an old token is in use, or somebody tries",
    ),
    Metric("rollout_rate_limited", Kind.COUNTER, "Requests that were refused because they came too often."),
    Metric("rollout_event_streams", Kind.GAUGE, "Event streams that are open."),
    Metric("rollout_event_streams_ended", Kind.COUNTER, "Event streams that ended, by why.", ("why",)),
    Metric("rollout_shards", Kind.GAUGE, "Shards that there are: `--shards`, the same for all replicas."),
    Metric(
        "rollout_shards_held",
        Kind.GAUGE,
        "Shards that this replica acts for; over all replicas their sum is `rollout_shards`.",
        (),
        "a sum that is less for more than a minute: nobody acts for some Rollouts; `/readyz` and the log say why",
    ),
    Metric(
        "rollout_events_lost",
        Kind.COUNTER,
        "Kubernetes events that could not be told; the status has what they would have said.",
        (),
        "many: the right to create events is missing, or the API server is overloaded",
    ),
    Metric("rollout_scrape_seconds", Kind.GAUGE, "How long it took to read the Rollouts for this answer.", live=True),
    Metric("rollout_rollouts", Kind.GAUGE, "Rollouts by phase.", ("phase",), live=True),
    Metric(
        "rollout_phase",
        Kind.GAUGE,
        "1 for the phase and reason in which the Rollout is.",
        (*_ONE, "phase", "reason"),
        "`Paused` or `Invalid` for long: `rollout why` tells",
        live=True,
    ),
    Metric("rollout_attempt", Kind.GAUGE, "The number of the last attempt.", _ONE, live=True),
    Metric("rollout_step", Kind.GAUGE, "The step of the attempt (1-based; 0: none).", _ONE, live=True),
    Metric("rollout_canary_weight_percent", Kind.GAUGE, "The canary's intended weight.", _ONE, live=True),
    Metric(
        "rollout_backend_weight", Kind.GAUGE, "The intended weight of a backend.", (*_ONE, "backend", "role"), live=True
    ),
    Metric(
        "rollout_backend_health",
        Kind.GAUGE,
        "1 for the health of a backend: `Healthy`, `Unhealthy` or `Unknown`.",
        (*_ONE, "backend", "health"),
        live=True,
    ),
    Metric(
        "rollout_weights_effective",
        Kind.GAUGE,
        "1 when requests go to the backends as the weights say, else 0; absent while too few are counted: condition "
        "`WeightsEffective`.",
        _ONE,
        "0 for minutes: the gateway does not follow, or the metrics cannot tell the backends apart",
        live=True,
    ),
    Metric(
        "rollout_check_evidence_ratio",
        Kind.GAUGE,
        "Evidence against the canary towards the limit: at 1 the check fails; dry runs are there, too.",
        (*_ONE, "check"),
        "above 0.5: look now, before it rolls back",
        live=True,
    ),
    Metric(
        "rollout_check_requests",
        Kind.GAUGE,
        "Requests that a check has judged in this attempt, `all` and `bad`, of `canary` and `stable`.",
        (*_ONE, "check", "role", "kind"),
        live=True,
    ),
    Metric(
        "rollout_failover_state",
        Kind.GAUGE,
        "1 for the phase of failover, for Rollouts that have it.",
        (*_ONE, "state"),
        "others than `Normal` and `Drill`: traffic is on a backup, or about to be; `rollout why` tells",
        live=True,
    ),
    Metric(
        "rollout_failover_ready",
        Kind.GAUGE,
        "1 when traffic would move if the primary were down now, else 0: the condition `FailoverReady`.",
        _ONE,
        "0 for minutes: nobody would be saved; the condition says why",
        live=True,
    ),
    Metric(
        "rollout_last_transition_timestamp_seconds", Kind.GAUGE, "When the last transition was made.", _ONE, live=True
    ),
    *SINKS,
)
