"""The service's own metrics: the objects made from ``rollout.meter_table``, one method for each thing that is counted.

Made by ``rollout.bootstrap`` and handed to whatever counts; each instance has a registry of its own. What is read live
at scrape time (the rows with ``live``) comes from a collector of the controller's room. It knows no adapter and nothing
of HTTP.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from rollout import __version__
from rollout.errors import ConflictError, NotOursError, RolloutError, SourceTimeout, Unavailable, UpdateRefused
from rollout.meter_table import TABLE, Kind, Metric

T = TypeVar("T")
Count = Callable[[float, BaseException | None], None]
"""Takes the seconds of a call and the error that it ended with, None when with none."""


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
        self._probe_lateness = self._histograms["rollout_probe_lateness_seconds"]
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

    def failed_over(self, reason: str, cause: str) -> None:
        """Count a move of traffic by failover; ``cause`` are the signals behind it, joined by ``+``."""
        self._counters["rollout_failovers"].labels(reason, cause).inc()

    def stopped_is(self, stopped: Callable[[], str]) -> None:
        """Learn whether automatic failover is stopped from ``stopped``, when somebody scrapes (empty: it is not)."""
        self._gauges["rollout_failover_stopped"].set_function(lambda: float(bool(stopped())))

    def probe_began(self, late_seconds: float) -> None:
        """Count a probe that begins."""
        self._probe_lateness.observe(late_seconds)

    def commanded(self, action: str, reason: str, *, done: bool) -> None:
        """Count a command; ``action`` is one of ours, or ``unknown``."""
        self._counters["rollout_commands"].labels(action, "done" if done else "refused", reason).inc()

    def asked(self, source: str, seconds: float, error: BaseException | None) -> None:
        """Count a question to a source."""
        self._counters["rollout_queries"].labels(source, outcome_of(error)).inc()
        self._histograms["rollout_query_seconds"].labels(source).observe(seconds)

    def shards_are(self, count: Callable[[], int], *, of: int) -> None:
        """Learn how many of all shards are held from ``count``, when somebody scrapes."""
        self._gauges["rollout_shards"].set(of)
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
