"""Backends of which no counter came: whether any series at all has their labels is asked, and told where none has."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from rollout.analysis.samples import ERRORS
from rollout.prometheus.client import PrometheusClient
from rollout.prometheus.measurements import PrometheusMeasurements
from rollout.spec.metrics import ErrorCounters, MetricTemplates
from tests.fakes.clock import FakeClock
from tests.prometheus.builders import NOW, ask_for
from tests.prometheus.liar import lying, result, says
from tests.prometheus.stand_in import StandIn, standing_in

PLACED = MetricTemplates(
    errors=ErrorCounters(total="req", bad=("bad",)),
    backend_labels={"svc": "{{ backend.name }}", "ns": "{{ namespace }}"},
)


@pytest.fixture
async def server() -> AsyncIterator[StandIn]:
    """Run a stand-in for Prometheus."""
    async with standing_in() as made:
        yield made


@pytest.fixture
async def source(server: StandIn) -> AsyncIterator[PrometheusMeasurements]:
    """Return measurements of the stand-in."""
    client = PrometheusClient(server.url)
    yield PrometheusMeasurements(client, FakeClock(NOW))
    client.close()


def groups(server: StandIn) -> list[str]:
    """Return the questions after labels."""
    return [query for query in server.asked if query.startswith("group")]


async def test_labels_that_no_series_has_are_told(server: StandIn, source: PrometheusMeasurements) -> None:
    """Where one cluster counts for both backends, neither has a series."""
    server.add("rq_completed", {"cluster": "rule/0"}, (NOW - 1, 9))
    batch = await source.measure(ask_for(queries=(("a", "depth"),)))

    assert batch.unlabelled == {"v2": "cluster=v2", "v1": "cluster=v1"}
    assert groups(server) == ['group by (cluster) ({cluster=~"v2|v1"})']
    assert batch.problems == {"a": "the answer is empty"}


async def test_backend_without_requests_is_there(server: StandIn, source: PrometheusMeasurements) -> None:
    """A cluster that has answered nothing yet has series of other kinds."""
    server.add("rq_completed", {"cluster": "v1"}, (NOW - 1, 9))
    server.add("membership_healthy", {"cluster": "v2"}, (NOW - 1, 1))
    batch = await source.measure(ask_for())

    assert batch.unlabelled == {}
    assert groups(server) == ['group by (cluster) ({cluster=~"v2"})']


async def test_nobody_is_looked_for_whose_counters_came(server: StandIn, source: PrometheusMeasurements) -> None:
    """The usual case costs no query more."""
    for name in ("v1", "v2"):
        server.add("rq_completed", {"cluster": name}, (NOW - 1, 9))
    await source.measure(ask_for())

    assert groups(server) == []


async def test_only_attempts_are_told(server: StandIn, source: PrometheusMeasurements) -> None:
    """A backup that nobody uses has no series, and that is as it should be."""
    batch = await source.measure(replace(ask_for(), apart=True))

    assert (batch.unlabelled, groups(server)) == ({}, [])


async def test_all_labels_together_name_a_backend(server: StandIn, source: PrometheusMeasurements) -> None:
    """One of the same name in another namespace is somebody else."""
    server.add("up", {"svc": "v2", "ns": "mail"}, (NOW - 1, 1))
    server.add("up", {"svc": "v1", "ns": "shop"}, (NOW - 1, 1))
    batch = await source.measure(ask_for(templates=PLACED))

    assert batch.unlabelled == {"v2": "svc=v2, ns=shop"}


async def test_long_labels_are_cut(source: PrometheusMeasurements) -> None:
    """What goes into a status is bounded."""
    batch = await source.measure(ask_for("v" * 500))

    assert len(batch.unlabelled["v" * 500]) == 200
    assert batch.unlabelled["v" * 500].endswith("v...")


async def test_question_after_labels_that_is_refused_says_nothing() -> None:
    """It is one more question: what the others answered stands, and nothing is said of labels."""
    async with lying() as liar:
        empty, refused = result("[]"), says('{"status":"error","error":"too many series"}', status=422)
        liar.answers = [empty, empty, empty, refused]
        client = PrometheusClient(liar.url)
        batch = await PrometheusMeasurements(client, FakeClock(NOW)).measure(ask_for())
        client.close()

    assert batch.unlabelled == {}
    assert set(batch.counters) == {("v2", ERRORS), ("v1", ERRORS)}
