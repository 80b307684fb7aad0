"""The service's own metrics: one table, the objects made from it, and one method for each thing that is counted.

Made by ``rollout.bootstrap`` and handed to whatever counts; each instance has a registry of its own. The reference page
is written from the same table. What is read live at scrape time (the rows with ``live``) comes from a collector of the
controller's room. It knows no adapter and nothing of HTTP.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from rollout import __version__
from rollout.errors import ConflictError, NotOursError, RolloutError, SourceTimeout, Unavailable, UpdateRefused

PASS_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
CALL_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


T = TypeVar("T")
Count = Callable[[float, BaseException | None], None]
"""Takes the seconds of a call and the error that it ended with, None when with none."""


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
        "rollout_gate_calls", Kind.COUNTER, "Calls of gates and hooks: `agrees`, `refuses` or `failed`.", ("answer",)
    ),
    Metric(
        "rollout_transitions",
        Kind.COUNTER,
        "Changes of phase, step or roles, by the phase they led to and their reason; `Aborting` are rollbacks.",
        ("phase", "reason"),
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
    Metric(
        "rollout_shards_held",
        Kind.GAUGE,
        "Shards that this replica acts for; over all replicas their sum is `--shards`.",
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
    Metric("rollout_failover_state", Kind.GAUGE, "1 for the failover state.", (*_ONE, "state"), live=True),
    Metric(
        "rollout_last_transition_timestamp_seconds", Kind.GAUGE, "When the last transition was made.", _ONE, live=True
    ),
)


def outcome_of(error: BaseException | None) -> str:
    """Return the label for how a call ended."""
    match error:
        case None:
            return "done"
        case ConflictError():
            return "conflict"
        case NotOursError():
            return "gone"
        case UpdateRefused():
            return "refused"
        case SourceTimeout():
            return "timeout"
        case Unavailable():
            return "unavailable"
        case RolloutError():
            return "refused"
        case _:
            return "failed"


def uncounted(_seconds: float, _error: BaseException | None) -> None:
    """Count nothing: for parts that nobody wants figures of."""


async def timed(work: Awaitable[T], count: Count) -> T:
    """Return what ``work`` does, and ``count`` its seconds and the error that it ended with, if it did.

    What is cancelled is not counted: at a stop nothing has failed.
    """
    began = time.perf_counter()
    try:
        done = await work
    except asyncio.CancelledError:
        raise
    except BaseException as error:
        count(time.perf_counter() - began, error)
        raise
    count(time.perf_counter() - began, None)
    return done


class Meters:
    """What is counted. All methods are cheap and never raise; they belong to the event loop."""

    def __init__(self) -> None:
        """Make every metric of the table that is not read live."""
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        rows = [row for row in TABLE if not row.live]
        self._counters = {
            r.name: Counter(r.name, r.meaning, r.labels, registry=self.registry) for r in rows if _is(r, Kind.COUNTER)
        }
        self._gauges = {
            r.name: Gauge(r.name, r.meaning, r.labels, registry=self.registry) for r in rows if _is(r, Kind.GAUGE)
        }
        self._histograms = {
            r.name: Histogram(r.name, r.meaning, r.labels, registry=self.registry, buckets=r.buckets)
            for r in rows
            if _is(r, Kind.HISTOGRAM)
        }
        self._gauges["rollout_build"].labels(__version__).set(1)
        self._done = self._counters["rollout_passes"].labels("done")
        self._pass_seconds = self._histograms["rollout_pass_seconds"]
        self._lateness = self._histograms["rollout_pass_lateness_seconds"]
        self._in_flight = self._gauges["rollout_http_requests_in_flight"]

    # the controller

    def began(self, late_seconds: float) -> None:
        """Count a pass that begins."""
        self._lateness.observe(late_seconds)

    def passed(self, seconds: float, error: BaseException | None) -> None:
        """Count a pass that has ended."""
        self._pass_seconds.observe(seconds)
        if error is None:
            self._done.inc()
        else:
            self._counters["rollout_passes"].labels(outcome_of(error)).inc()

    def measured(self, seconds: float, error: BaseException | None) -> None:
        """Count a measurement."""
        self._call("rollout_measurement", "rollout_measurements", seconds, error)

    def wrote(self, seconds: float, error: BaseException | None) -> None:
        """Count a write of weights."""
        self._call("rollout_route_write", "rollout_route_writes", seconds, error)

    def recorded(self, seconds: float, error: BaseException | None) -> None:
        """Count a record of a status."""
        self._call("rollout_record", "rollout_records", seconds, error)

    def gate_called(self, answer: str) -> None:
        """Count a call of a gate."""
        self._counters["rollout_gate_calls"].labels(answer).inc()

    def moved(self, phase: str, reason: str) -> None:
        """Count a transition."""
        self._counters["rollout_transitions"].labels(phase, reason).inc()

    def commanded(self, action: str, reason: str, *, done: bool) -> None:
        """Count a command; ``action`` is one of ours, or ``unknown``."""
        self._counters["rollout_commands"].labels(action, "done" if done else "refused", reason).inc()

    def asked(self, source: str, seconds: float, error: BaseException | None) -> None:
        """Count a question to a source."""
        self._counters["rollout_queries"].labels(source, outcome_of(error)).inc()
        self._histograms["rollout_query_seconds"].labels(source).observe(seconds)

    def shards_are(self, count: Callable[[], int]) -> None:
        """Learn how many shards are held from ``count``, when somebody scrapes."""
        self._gauges["rollout_shards_held"].set_function(lambda: float(count()))

    def event_lost(self) -> None:
        """Count a Kubernetes event that could not be told."""
        self._counters["rollout_events_lost"].inc()

    # the API

    def request_began(self) -> None:
        """Count a request that has come."""
        self._in_flight.inc()

    def request_ended(self, method: str, route: str, status: int, seconds: float | None) -> None:
        """Count a request that was answered; ``route`` is a template, ``seconds`` is None for what lasts by design."""
        self._in_flight.dec()
        self._counters["rollout_http_requests"].labels(method, route, f"{status // 100}xx" if status else "none").inc()
        if seconds is not None:
            self._histograms["rollout_http_request_seconds"].labels(route).observe(seconds)

    def authentication_failed(self) -> None:
        """Count a token that was not accepted."""
        self._counters["rollout_authentication_failures"].inc()

    def rate_limited(self) -> None:
        """Count a request that came too soon."""
        self._counters["rollout_rate_limited"].inc()

    def streams_are(self, count: Callable[[], int]) -> None:
        """Learn how many event streams are open from ``count``, when somebody scrapes."""
        self._gauges["rollout_event_streams"].set_function(lambda: float(count()))

    def stream_ended(self, why: str) -> None:
        """Count an event stream that has ended."""
        self._counters["rollout_event_streams_ended"].labels(why).inc()

    def _call(self, timed: str, counted: str, seconds: float, error: BaseException | None) -> None:
        self._counters[counted].labels(outcome_of(error)).inc()
        self._histograms[f"{timed}_seconds"].observe(seconds)


def _is(row: Metric, kind: Kind) -> bool:
    return row.kind is kind
