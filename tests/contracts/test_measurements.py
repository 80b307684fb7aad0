"""What every source of counters that replays does: the fake, the door to Prometheus, a real Prometheus behind it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import pytest

from rollout.analysis.samples import ERRORS, Family
from rollout.clock import SystemClock
from rollout.controller.requests import Failed, RequestsAsk, count_requests
from rollout.engine.observation import BackendKey
from rollout.errors import RolloutError
from rollout.failover.readings import RequestsSeen
from rollout.ports import Ask, Measurements
from rollout.prometheus.client import PrometheusClient
from rollout.prometheus.measurements import PrometheusMeasurements
from tests.fakes.clock import FakeClock
from tests.fakes.measurements import TOTAL, FakeMeasurements
from tests.prometheus.builders import ENVOY, ask_for
from tests.prometheus.real import Exporter, exporting, prometheus
from tests.prometheus.stand_in import StandIn, standing_in

Counts = Mapping[tuple[str, str], float]
"""(backend, ``TOTAL`` or ``ERRORS``) -> how many so far."""

SECONDS = 20.0


class World(Protocol):
    """A world in which requests are counted, and a source that sees them."""

    @property
    def source(self) -> Measurements:
        """Return the source."""
        ...

    def now(self) -> float:
        """Return Unix time."""
        ...

    async def count(self, counts: Counts) -> None:
        """Let the counters stand so; return once a sample was taken of them."""
        ...


class FakeWorld:
    """The fake."""

    def __init__(self) -> None:
        self.source = FakeMeasurements()
        self._clock = FakeClock()

    def now(self) -> float:
        """Return the fake time."""
        return self._clock.now()

    async def count(self, counts: Counts) -> None:
        """Keep samples, one second after the last."""
        self._clock.advance(1)
        for (backend, kind), value in counts.items():
            self.source.count(backend, kind, self.now(), value)


class StandInWorld:
    """The door to Prometheus before a stand-in."""

    def __init__(self, server: StandIn, client: PrometheusClient) -> None:
        self._server = server
        self._clock = FakeClock()
        self._kept: dict[tuple[str, str], list[tuple[float, float]]] = {}
        self.source = PrometheusMeasurements(client, self._clock)

    def now(self) -> float:
        """Return the fake time."""
        return self._clock.now()

    async def count(self, counts: Counts) -> None:
        """Keep samples, one second after the last."""
        self._clock.advance(1)
        for (backend, kind), value in counts.items():
            self._kept.setdefault((backend, kind), []).append((self.now(), value))
        self._server.series = []
        for (backend, kind), samples in self._kept.items():
            name, labels = ("rq_completed", {}) if kind == TOTAL else ("rq_xx", {"class": "5"})
            self._server.add(name, {"cluster": backend, "instance": "i", **labels}, *samples)


class RealWorld:
    """The door to Prometheus before a real one."""

    def __init__(self, exporter: Exporter, client: PrometheusClient) -> None:
        self._exporter = exporter
        self._clock = SystemClock()
        self.source = PrometheusMeasurements(client, self._clock)

    def now(self) -> float:
        """Return the time."""
        return self._clock.now()

    async def count(self, counts: Counts) -> None:
        """Show the counters and wait until a scrape that began after that has been followed by another."""
        lines = [
            f'rq_completed{{cluster="{backend}"}} {value}'
            if kind == TOTAL
            else f'rq_xx{{cluster="{backend}",class="5"}} {value}'
            for (backend, kind), value in counts.items()
        ]
        self._exporter.text = "\n".join([*lines, ""])
        seen = self._exporter.scrapes
        async with asyncio.timeout(SECONDS):
            while self._exporter.scrapes < seen + 2:
                await asyncio.sleep(0.05)


@asynccontextmanager
async def made(kind: str, folder: Path) -> AsyncIterator[World]:
    """Make a world of this kind."""
    if kind == "fake":
        yield FakeWorld()
    elif kind == "stand-in":
        async with standing_in() as server:
            client = PrometheusClient(server.url)
            yield StandInWorld(server, client)
            client.close()
    else:
        async with exporting() as (exporter, port), prometheus(folder, port) as url:
            client = PrometheusClient(url)
            yield RealWorld(exporter, client)
            client.close()


@pytest.fixture(params=["fake", "stand-in", pytest.param("real", marks=pytest.mark.real)])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """Return a world of each kind."""
    async with made(request.param, tmp_path) as one:
        yield one


def values(family: Family, part: str = "total") -> list[list[float]]:
    """Return the values of each series, repeated ones once."""
    series = family.total if part == "total" else family.part
    return [list(dict.fromkeys(value for _, value in one.samples)) for one in series]


def asked(world: World, *, since: float = 0.0) -> Ask:
    """Return an ask about v2 and v1 since this time."""
    return ask_for(since=since or world.now() - 60)


async def test_samples_of_both_backends_come_in_order_of_time(world: World) -> None:
    """Every value that was sampled, oldest first, for each backend its own."""
    await world.count({("v1", TOTAL): 100, ("v2", TOTAL): 10, ("v2", ERRORS): 1})
    await world.count({("v1", TOTAL): 120, ("v2", TOTAL): 11, ("v2", ERRORS): 2})
    batch = await world.source.measure(asked(world))
    canary, stable = batch.counters["v2", ERRORS], batch.counters["v1", ERRORS]
    times = [at for at, _ in canary.total[0].samples]

    assert values(canary) == [[10, 11]]
    assert values(canary, "part") == [[1, 2]]
    assert values(stable) == [[100, 120]]
    assert times == sorted(times)
    assert all(world.now() - 60 < at <= world.now() for at in times)


async def test_a_counter_that_never_came_is_absent(world: World) -> None:
    """A backend without bad requests has no series of them; one without requests has none at all."""
    await world.count({("v1", TOTAL): 100})
    batch = await world.source.measure(asked(world))

    assert batch.counters["v1", ERRORS].part == ()
    assert batch.counters["v2", ERRORS] == Family((), ())


async def test_the_last_sample_before_is_there(world: World) -> None:
    """Differences need the value that was before the first wanted one."""
    await world.count({("v1", TOTAL): 100, ("v2", TOTAL): 10})
    since = world.now()
    await world.count({("v1", TOTAL): 120, ("v2", TOTAL): 11})
    (series,) = (await world.source.measure(asked(world, since=since))).counters["v2", ERRORS].total

    assert series.samples[0][0] <= since
    assert series.samples[-1][1] == 11


async def test_the_same_question_gets_the_same_samples(world: World) -> None:
    """Past samples can be asked for again; nothing has to be kept."""
    await world.count({("v1", TOTAL): 100, ("v2", TOTAL): 10})
    ask = asked(world)
    first, second = await world.source.measure(ask), await world.source.measure(ask)
    one, two = (batch.counters["v2", ERRORS].total[0] for batch in (first, second))

    assert world.source.replays
    assert world.source.checkpoint(ask) == {}
    assert (one.identity, one.instance) == (two.identity, two.instance)
    assert two.samples[: len(one.samples)] == one.samples


async def test_a_query_without_answer_is_a_problem_of_its_check(world: World) -> None:
    """The reason stands beside its name, the value is absent."""
    await world.count({("v1", TOTAL): 100, ("v2", TOTAL): 10})
    batch = await world.source.measure(ask_for(since=world.now() - 60, queries=(("depth", "absent_metric"),)))

    assert batch.queries == {}
    assert batch.problems == {"depth": "the answer is empty"}


async def requests(world: World, *names: str, seconds: float = 60) -> tuple[RequestsSeen | str | Failed, ...]:
    """Return what is known of the requests to these backends in the last seconds."""
    asks = [RequestsAsk("shop", "checkout", BackendKey("shop", name), ENVOY, seconds) for name in names]
    return await count_requests(world.source, asks, now=world.now())


async def test_requests_of_many_backends_are_counted_over_a_window(world: World) -> None:
    """Each for itself, from the sample before the window on."""
    await world.count({("v1", TOTAL): 100, ("v1", ERRORS): 1, ("v2", TOTAL): 10})
    await world.count({("v1", TOTAL): 160, ("v1", ERRORS): 31, ("v2", TOTAL): 15})
    first, second = await requests(world, "v1", "v2")

    assert isinstance(first, RequestsSeen)
    assert isinstance(second, RequestsSeen)
    assert (first.total, first.bad) == (60, 30)
    assert (second.total, second.bad) == (5, 0)
    assert world.now() - 60 < first.at <= world.now()


async def test_requests_of_a_backend_without_samples_are_not_known(world: World) -> None:
    """Nothing was counted, which is not the same as no request; others are counted all the same."""
    await world.count({("v1", TOTAL): 100})
    await world.count({("v1", TOTAL): 101})
    known, unknown = await requests(world, "v1", "nobody")

    assert isinstance(known, RequestsSeen)
    assert unknown == "no sample of the last 60 s"


@pytest.mark.real
async def test_a_real_prometheus_answers_every_kind_of_query(tmp_path: Path) -> None:
    """Scalars, vectors, NaN, several series, ranges, and what is no PromQL at all."""
    queries = {
        "scalar": "scalar(vector(3)) + 4",
        "vector": 'sum(rq_completed{cluster=~"v.*"})',
        "nan": "vector(0) / vector(0)",
        "two": "rq_completed",
        "range": "rq_completed[10s]",
        "wrong": "sum by (",
        "text": '"hello"',
    }
    async with made("real", tmp_path) as world:
        await world.count({("v1", TOTAL): 100, ("v2", TOTAL): 10})
        batch = await world.source.measure(ask_for(since=world.now() - 60, queries=tuple(queries.items())))

    assert batch.queries == {"scalar": 7.0, "vector": 110.0}
    assert batch.problems["nan"] == "the answer is NaN"
    assert batch.problems["two"] == "the answer has 2 series; one is needed"
    assert "HTTP 400" in batch.problems["wrong"]
    assert set(batch.problems) == {"nan", "two", "range", "wrong", "text"}


@pytest.mark.real
async def test_a_real_prometheus_that_dies_is_told(tmp_path: Path) -> None:
    """After it is gone every ask is an error of ours."""
    async with exporting() as (_, port):
        async with prometheus(tmp_path, port) as url:
            client = PrometheusClient(url)
            source = PrometheusMeasurements(client, SystemClock())
            before = await source.measure(ask_for(since=SystemClock().now() - 60))
        with pytest.raises(RolloutError, match="cannot be reached"):
            await source.measure(ask_for(since=SystemClock().now() - 60))
        client.close()

    assert before.counters["v2", ERRORS] == Family((), ())
