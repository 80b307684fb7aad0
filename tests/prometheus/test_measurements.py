"""Raw samples, sorted by backend and count, with as few queries as it takes."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from rollout.analysis.samples import ERRORS, Batch, Family, slower_than
from rollout.errors import PermanentError, Unavailable
from rollout.prometheus.client import PrometheusClient
from rollout.prometheus.measurements import PrometheusMeasurements
from rollout.spec.metrics import ErrorCounters, MetricTemplates
from tests.fakes.clock import FakeClock
from tests.prometheus.builders import NOW, ask_for
from tests.prometheus.liar import lying, says
from tests.prometheus.stand_in import StandIn, standing_in
from tests.tools import free_port
from tests.waiting import until


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


def samples(family: Family, part: str = "total") -> list[tuple[tuple[float, float], ...]]:
    """Return the samples of a family's total or part."""
    return [series.samples for series in (family.total if part == "total" else family.part)]


async def test_counters_come_by_backend_with_target_and_pod(server: StandIn, source: PrometheusMeasurements) -> None:
    """Total and bad ones of both backends; bad ones of several selectors together; others' series are left out."""
    own = {"instance": "envoy:1", "pod": "p1"}
    server.add("rq_completed", {"cluster": "v2", **own}, (NOW - 11, 1), (NOW - 1, 2))
    server.add("rq_completed", {"cluster": "v1", **own}, (NOW - 1, 9))
    server.add("rq_completed", {"cluster": "v3", **own}, (NOW - 1, 9))
    server.add("rq_xx", {"cluster": "v2", "class": "5", **own}, (NOW - 1, 1))
    server.add("rq_xx", {"cluster": "v2", "class": "2", **own}, (NOW - 1, 1))
    server.add("grpc_14", {"cluster": "v2", **own}, (NOW - 1, 3))
    batch = await source.measure(ask_for())
    canary, stable = batch.counters["v2", ERRORS], batch.counters["v1", ERRORS]
    (total,) = canary.total

    assert set(batch.counters) == {("v2", ERRORS), ("v1", ERRORS)}
    assert total.samples == ((NOW - 11, 1.0), (NOW - 1, 2.0))
    assert (total.identity, total.instance, total.pod) == (
        "__name__=rq_completed,cluster=v2,instance=envoy:1,pod=p1",
        "envoy:1",
        "p1",
    )
    assert samples(canary, "part") == [((NOW - 1, 1.0),), ((NOW - 1, 3.0),)]
    assert samples(stable) == [((NOW - 1, 9.0),)]
    assert (stable.part, stable.part_is_good, batch.problems) == ((), False, {})


async def test_histograms_give_the_requests_within_each_bound(server: StandIn, source: PrometheusMeasurements) -> None:
    """The bucket of the bound is the good part, +Inf the total; however the server writes the bound."""
    for cluster, le in (("v2", "250"), ("v2", "500.0"), ("v2", "+Inf"), ("v2", "1000"), ("v1", "250"), ("v1", "+Inf")):
        server.add("rq_time_bucket", {"cluster": cluster, "le": le}, (NOW - 1, len(le)))
    batch = await source.measure(ask_for(bounds=(0.25, 0.5)))
    quarter = batch.counters["v2", slower_than(0.25)]

    assert quarter.part_is_good
    assert (samples(quarter), samples(quarter, "part")) == ([((NOW - 1, 4.0),)], [((NOW - 1, 3.0),)])
    assert samples(batch.counters["v2", slower_than(0.5)], "part") == [((NOW - 1, 5.0),)]
    assert batch.problems == {slower_than(0.5): "the histogram has no bucket at 500; it has 250"}


async def test_only_the_buckets_that_matter_are_asked_for(server: StandIn, source: PrometheusMeasurements) -> None:
    """Until one is missing: then all are, so that the message can name them."""
    for le in ("100", "250", "+Inf"):
        server.add("rq_time_bucket", {"cluster": "v2", "le": le}, (NOW - 1, 1))
    await source.measure(ask_for(bounds=(0.25,)))
    narrow = [query for query in server.asked if "bucket" in query]
    batch = await source.measure(ask_for(bounds=(0.3,)))

    assert len(narrow) == 1
    assert 'le=~"250|250\\\\.0|250\\\\.000000|\\\\+Inf"' in narrow[0]
    assert batch.problems == {slower_than(0.3): "the histogram has no bucket at 300; it has 100, 250"}
    assert "le=~" not in [query for query in server.asked if "bucket" in query][-1]


async def test_asks_that_come_together_share_their_queries(server: StandIn, source: PrometheusMeasurements) -> None:
    """Fifty Rollouts with the same templates cost as many queries as one; who has nothing is one more for all."""
    for number in range(50):
        server.add("rq_completed", {"cluster": f"a{number}"}, (NOW - 1, number))
    batches = await asyncio.gather(*(source.measure(ask_for(f"a{number}", f"b{number}")) for number in range(50)))

    await until(lambda: len(server.asked) == 4)

    assert [query.startswith("group") for query in server.asked] == [False, False, False, True]
    assert [samples(batch.counters[f"a{n}", ERRORS]) for n, batch in enumerate(batches)] == [
        [((NOW - 1, float(n)),)] for n in range(50)
    ]
    assert [samples(batch.counters[f"b{n}", ERRORS]) for n, batch in enumerate(batches)] == [[]] * 50


async def test_no_query_is_too_long_for_a_url(server: StandIn, source: PrometheusMeasurements) -> None:
    """Many long names are asked for in several queries, each below 8 KiB as it is sent."""
    names = [f"cluster.with.a.long.name-{number}.example.internal" for number in range(300)]
    for name in names:
        server.add("rq_completed", {"cluster": name}, (NOW - 1, 1))
    batches = await asyncio.gather(*(source.measure(ask_for(name, name)) for name in names))

    assert all(samples(batch.counters[name, ERRORS]) for name, batch in zip(names, batches, strict=True))
    assert 3 < len(server.asked) < 60


async def test_names_are_taken_literally(server: StandIn, source: PrometheusMeasurements) -> None:
    """A dot in a name is a dot."""
    server.add("rq_completed", {"cluster": "v.2"}, (NOW - 1, 1))
    server.add("rq_completed", {"cluster": "vx2"}, (NOW - 1, 7))
    batch = await source.measure(ask_for("v.2"))

    assert samples(batch.counters["v.2", ERRORS]) == [((NOW - 1, 1.0),)]
    assert 'cluster=~"v\\\\.2|v1"' in server.asked[0]


async def test_placeholders_in_selectors_are_filled_in(server: StandIn, source: PrometheusMeasurements) -> None:
    """A selector may name the route and the namespace; several labels may say who the backend is."""
    templates = MetricTemplates(
        errors=ErrorCounters(total='req{route="{{ route.name }}"}', bad=('bad{ns="{{ namespace }}"}',)),
        backend_labels={"svc": "{{ backend.name }}", "ns": "{{ namespace }}"},
    )
    server.add("req", {"route": "checkout", "svc": "v2", "ns": "shop"}, (NOW - 1, 1))
    server.add("req", {"route": "checkout", "svc": "v2", "ns": "mail"}, (NOW - 1, 2))
    server.add("req", {"route": "search", "svc": "v2", "ns": "shop"}, (NOW - 1, 3))
    server.add("bad", {"svc": "v2", "ns": "shop"}, (NOW - 1, 4))
    canary = (await source.measure(ask_for(templates=templates))).counters["v2", ERRORS]

    assert (samples(canary), samples(canary, "part")) == ([((NOW - 1, 1.0),)], [((NOW - 1, 4.0),)])


async def test_the_window_reaches_back_before_since_and_at_most_an_hour(
    server: StandIn, source: PrometheusMeasurements
) -> None:
    """First two minutes more than asked; then as the scrapes come: every 10 s, so 30 s more."""
    server.add("rq_completed", {"cluster": "v2"}, *((NOW - 10 * n, 1.0) for n in range(5, 0, -1)))
    await source.measure(ask_for(since=NOW - 50))
    await source.measure(ask_for(since=NOW - 50))
    await source.measure(ask_for(since=0))
    windows = [query.rsplit("[", 1)[1] for query in server.asked if query.startswith("rq_completed")]

    assert windows == ["170s]", "80s]", "3600s]"]


async def test_one_who_was_away_for_long_does_not_make_all_ask_for_an_hour(
    server: StandIn, source: PrometheusMeasurements
) -> None:
    """Asks are put together only with those that reach back about as far."""
    await asyncio.gather(source.measure(ask_for("a")), source.measure(ask_for("b", since=NOW - 3000)))
    totals = [query for query in server.asked if query.startswith("rq_completed")]

    assert sorted(query.rsplit("[", 1)[1] for query in totals) == ["130s]", "3120s]"]


async def test_queries_give_numbers_or_why_not(server: StandIn, source: PrometheusMeasurements) -> None:
    """A query that answers nothing usable is a problem of its check; the counters come nevertheless."""
    server.add("rq_completed", {"cluster": "v2"}, (NOW - 1, 1))
    server.values = {"depth": '[1.0,"7"]', "nan": '[1.0,"NaN"]', "broken": "7"}
    batch = await source.measure(ask_for(queries=(("a", "depth"), ("b", "nan"), ("c", "nothing"), ("d", "broken"))))

    assert batch.queries == {"a": 7.0}
    assert batch.problems["b"] == "the answer is NaN"
    assert batch.problems["c"] == "the answer is empty"
    assert "not of its query API" in batch.problems["d"]
    assert samples(batch.counters["v2", ERRORS]) == [((NOW - 1, 1.0),)]


async def test_queries_alone_need_no_templates(server: StandIn, source: PrometheusMeasurements) -> None:
    """A Rollout that only has queries of its own."""
    server.values = {"depth": '[1.0,"7"]'}

    assert await source.measure(ask_for(queries=(("a", "depth"),), templates=None)) == Batch({}, {"a": 7.0}, {})


async def test_counters_without_templates_are_refused(source: PrometheusMeasurements) -> None:
    """It is said what is missing."""
    with pytest.raises(PermanentError, match="no metric templates"):
        await source.measure(replace(ask_for(templates=None), errors=True))


async def test_a_source_that_is_away_is_told_to_all_who_ask() -> None:
    """Everybody who came together gets the error, and so does one who only has queries."""
    client = PrometheusClient(f"http://127.0.0.1:{free_port()}")
    source = PrometheusMeasurements(client, FakeClock(NOW))
    asks = [ask_for("a"), ask_for("b"), ask_for(queries=(("a", "depth"),), templates=None)]
    results = await asyncio.gather(*(source.measure(ask) for ask in asks), return_exceptions=True)
    client.close()

    assert [type(result) for result in results] == [Unavailable] * 3


async def test_an_answer_for_one_who_left_is_thrown_away(server: StandIn, source: PrometheusMeasurements) -> None:
    """The others get theirs."""
    server.add("rq_completed", {"cluster": "b"}, (NOW - 1, 1))
    leaving = asyncio.create_task(source.measure(ask_for("a")))
    staying = asyncio.create_task(source.measure(ask_for("b")))
    await asyncio.sleep(0)
    leaving.cancel()
    batch = await staying

    assert samples(batch.counters["b", ERRORS]) == [((NOW - 1, 1.0),)]


async def test_a_refused_counter_is_an_error_of_the_whole() -> None:
    """A template that Prometheus does not take is told as it is."""
    async with lying() as liar:
        liar.answers = [says('{"status":"error","error":"parse error"}', status=400)]
        client = PrometheusClient(liar.url)
        with pytest.raises(PermanentError, match="HTTP 400: parse error"):
            await PrometheusMeasurements(client, FakeClock(NOW)).measure(ask_for())
        client.close()


async def test_nothing_is_kept_because_all_can_be_asked_again(source: PrometheusMeasurements) -> None:
    """No checkpoint."""
    assert source.replays
    assert source.checkpoint(ask_for()) == {}
