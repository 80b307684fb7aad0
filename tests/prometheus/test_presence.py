"""Backends of which no counter came: whether any series at all has their labels is asked beside the counters."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from aiohttp import web

from rollout.analysis.samples import ERRORS, Batch
from rollout.errors import SourceTimeout
from rollout.ports import Ask
from rollout.prometheus.client import PrometheusClient
from rollout.prometheus.measurements import PrometheusMeasurements
from rollout.prometheus.rollcall import KNOWN_SECONDS
from rollout.spec.metrics import ErrorCounters, MetricTemplates
from tests.fakes.clock import FakeClock
from tests.prometheus.builders import NOW, ask_for
from tests.prometheus.liar import Liar, hangs, lying, result, says
from tests.prometheus.stand_in import StandIn, standing_in
from tests.waiting import patient, until

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
def clock() -> FakeClock:
    """Return a clock that stands."""
    return FakeClock(NOW)


@pytest.fixture
async def source(server: StandIn, clock: FakeClock) -> AsyncIterator[PrometheusMeasurements]:
    """Return measurements of the stand-in."""
    client = PrometheusClient(server.url)
    yield PrometheusMeasurements(client, clock)
    client.close()


def groups(server: StandIn) -> list[str]:
    """Return the questions after labels."""
    return [query for query in server.asked if query.startswith("group")]


async def told(source: PrometheusMeasurements, ask: Ask) -> Batch:
    """Ask until labels are told of."""
    async with asyncio.timeout(patient(5)):
        while not (batch := await source.measure(ask)).unlabelled:
            pass
    return batch


async def test_labels_that_no_series_has_are_told(server: StandIn, source: PrometheusMeasurements) -> None:
    """Where one cluster counts for both backends, neither has a series."""
    server.add("rq_completed", {"cluster": "rule/0"}, (NOW - 1, 9))
    batch = await told(source, ask_for(queries=(("a", "depth"),)))

    assert batch.unlabelled == {"v2": "cluster=v2", "v1": "cluster=v1"}
    assert groups(server) == ['group by (cluster) ({cluster=~"v2|v1"})']
    assert batch.problems == {"a": "the answer is empty"}


async def test_backend_without_requests_is_there(server: StandIn, source: PrometheusMeasurements) -> None:
    """A cluster that has answered nothing yet has series of other kinds."""
    server.add("membership_healthy", {"cluster": "v2"}, (NOW - 1, 1))
    batch = await told(source, ask_for())

    assert batch.unlabelled == {"v1": "cluster=v1"}


async def test_nobody_is_looked_for_whose_counters_came(server: StandIn, source: PrometheusMeasurements) -> None:
    """Only a backend that is silent costs a query more."""
    server.add("rq_completed", {"cluster": "v1"}, (NOW - 1, 9))
    await told(source, ask_for())

    assert groups(server) == ['group by (cluster) ({cluster=~"v2"})']


async def test_who_is_absent_is_asked_for_less_and_less_often(
    server: StandIn, source: PrometheusMeasurements, clock: FakeClock
) -> None:
    """At first soon, as a gateway needs a moment for a new cluster, then with gaps that double, up to half a minute."""
    await told(source, ask_for())
    for place, gap in enumerate((0.5, 1, 2, 4, 8, 16, 30, 30), 1):
        clock.advance(gap - 0.25)
        await source.measure(ask_for())
        assert len(groups(server)) == place
        clock.advance(0.25)
        async with asyncio.timeout(patient(5)):
            while len(groups(server)) == place:
                await source.measure(ask_for())

    assert len(groups(server)) == 9


async def test_who_is_there_is_not_asked_for_again_soon(
    server: StandIn, source: PrometheusMeasurements, clock: FakeClock
) -> None:
    """Half a minute long; the others are, and what was known of them is told until the answer comes."""
    server.add("membership_healthy", {"cluster": "v2"}, (NOW - 1, 1))
    await told(source, ask_for())
    clock.advance(KNOWN_SECONDS - 1)
    again = await source.measure(ask_for())
    await until(lambda: len(groups(server)) == 2)
    await told(source, ask_for())

    assert again.unlabelled == {"v1": "cluster=v1"}
    assert groups(server) == ['group by (cluster) ({cluster=~"v2|v1"})', 'group by (cluster) ({cluster=~"v1"})']


async def test_only_attempts_are_told(server: StandIn, source: PrometheusMeasurements) -> None:
    """A backup that nobody uses has no series, and that is as it should be."""
    batch = await source.measure(replace(ask_for(), apart=True))

    assert (batch.unlabelled, groups(server)) == ({}, [])


async def test_all_labels_together_name_a_backend(server: StandIn, source: PrometheusMeasurements) -> None:
    """One of the same name in another namespace is somebody else."""
    server.add("up", {"svc": "v2", "ns": "mail"}, (NOW - 1, 1))
    server.add("up", {"svc": "v1", "ns": "shop"}, (NOW - 1, 1))
    batch = await told(source, ask_for(templates=PLACED))

    assert batch.unlabelled == {"v2": "svc=v2, ns=shop"}


async def test_long_labels_are_cut(source: PrometheusMeasurements) -> None:
    """What goes into a status is bounded."""
    batch = await told(source, ask_for("v" * 500))

    assert len(batch.unlabelled["v" * 500]) == 200
    assert batch.unlabelled["v" * 500].endswith("v...")


class Counted:
    """What became of the queries of a client."""

    def __init__(self) -> None:
        self.ends: list[BaseException | None] = []

    def note(self, _seconds: float, error: BaseException | None) -> None:
        """Hear of the end of one."""
        self.ends.append(error)


@pytest.fixture
async def liar() -> AsyncIterator[Liar]:
    """Run a server that has no counters."""
    async with lying() as made:
        made.answers = [result("[]")]
        yield made


async def test_question_that_is_refused_says_nothing(liar: Liar) -> None:
    """It is one more question: what the others answered stands, and nothing is said of labels."""
    empty, refused = result("[]"), says('{"status":"error","error":"too many series"}', status=422)
    liar.answers = [empty, empty, empty, refused, empty]
    counted = Counted()
    client = PrometheusClient(liar.url, count=counted.note)
    source = PrometheusMeasurements(client, FakeClock(NOW))
    await source.measure(ask_for())
    await until(lambda: any(counted.ends))
    batch = await source.measure(ask_for())
    client.close()

    assert batch.unlabelled == {}
    assert set(batch.counters) == {("v2", ERRORS), ("v1", ERRORS)}
    assert len(liar.seen) == 7


async def test_the_question_ends_with_the_source(liar: Liar) -> None:
    """Nothing of it is left when a controller has closed what it asks."""
    asked = asyncio.Event()

    async def slow_groups(request: web.Request) -> web.StreamResponse:
        if not request.query["query"].startswith("group"):
            return await result("[]")(request)
        asked.set()
        return await hangs(request)

    liar.answers = [slow_groups]
    client = PrometheusClient(liar.url)
    source = PrometheusMeasurements(client, FakeClock(NOW))
    await source.measure(ask_for())
    await asyncio.wait_for(asked.wait(), patient(5))
    await source.aclose()
    left = asyncio.all_tasks() - {asyncio.current_task()}
    client.close()

    assert [task.get_name() for task in left if "series" in task.get_name()] == []


async def test_nobody_waits_for_the_question_after_labels(liar: Liar) -> None:
    """Counters are answered first; the question is given up soon, at the server, too, and not put again at once."""
    asked: list[web.Request] = []

    async def slow_groups(request: web.Request) -> web.StreamResponse:
        if not request.query["query"].startswith("group"):
            return await result("[]")(request)
        asked.append(request)
        return await hangs(request)

    liar.answers = [slow_groups]
    counted = Counted()
    client = PrometheusClient(liar.url, count=counted.note)
    source = PrometheusMeasurements(client, FakeClock(NOW))
    for _ in range(2):
        await source.measure(ask_for())
    assert not any(counted.ends)
    await until(lambda: any(counted.ends))
    await source.measure(ask_for())
    client.close()

    assert [request.query["timeout"] for request in asked] == ["1"]
    assert [type(end) for end in counted.ends if end is not None] == [SourceTimeout]
