"""Facts about the simulated metrics source: raw samples, and the ways in which it fails."""

import asyncio

import pytest

from rollout.analysis.samples import ERRORS, Batch, slower_than
from rollout.engine.observation import BackendKey
from rollout.errors import SourceTimeout, Unavailable
from rollout.ports import Ask
from rollout.rehearsal.backend import Backend
from rollout.rehearsal.samples import Samples
from rollout.rehearsal.scenario import Source
from rollout.rehearsal.source import SimulatedSource
from rollout.rehearsal.traffic import Service
from rollout.rehearsal.virtual_loop import run


def ask(since: float = 0.0, *queries: str) -> Ask:
    """Return a question about errors, slowness and queries of two backends."""
    return Ask(
        namespace="shop",
        route="checkout",
        canary=BackendKey("shop", "two"),
        stable=BackendKey("shop", "one"),
        templates=None,
        errors=True,
        bounds=(0.25,),
        queries=tuple((name, "up") for name in queries),
        since=since,
    )


def source(*times: float, errors: str = "10%") -> SimulatedSource:
    """Return a source that has a sample at each of ``times``, with a hundred requests between them."""
    services = {
        name: Service(name, Backend.model_validate({"ready": "2/2", "errors": errors}), bounds=(0.25,), seed=1)
        for name in ("one", "two")
    }
    samples = Samples((0.25,))
    for at in times:
        samples.take(at, services)
        for service in services.values():
            service.answer(100)
    return SimulatedSource(samples, lambda: None, {"queue": 5.0})


def answer(asked: Ask, given: SimulatedSource) -> Batch:
    """Return what the source answers."""
    return run(given.measure(asked))


def test_samples_are_raw_and_per_pod() -> None:
    """Each pod has a counter of its own, at one scraped gateway."""
    batch = answer(ask(), source(0, 10, 20))
    family = batch.counters["one", ERRORS]

    assert [series.samples for series in family.total] == [((0, 0.0), (10, 50.0), (20, 100.0))] * 2
    assert {series.pod for series in family.total} == {"one-0", "one-1"}
    assert {series.instance for series in family.total} == {"gateway"}


def test_one_sample_before_is_given() -> None:
    """So that the first difference has a beginning."""
    [first, _] = answer(ask(15.0), source(0, 10, 20)).counters["one", ERRORS].total

    assert [at for at, _ in first.samples] == [10, 20]


def test_a_failure_that_never_came_has_no_counter() -> None:
    """As with a real gateway; the total is there."""
    family = answer(ask(), source(0, 10, errors="0%")).counters["one", ERRORS]

    assert family.part == ()
    assert len(family.total) == 2


def test_latency_is_a_histogram() -> None:
    """The part are the requests within the bound."""
    family = answer(ask(), source(0, 10)).counters["two", slower_than(0.25)]

    assert family.part_is_good
    assert all(0 < series.samples[-1][1] <= 50 for series in family.part)


def test_an_hour_of_samples_is_kept() -> None:
    """No more, however long the rehearsal."""
    given = source(*range(0, 20_000, 10))
    [first, _] = answer(ask(0.0), given).counters["one", ERRORS].total

    assert first.samples[-1][0] == 19_990
    assert 360 <= len(first.samples) <= 722


def test_a_query_has_its_number() -> None:
    """One that the file does not know has no answer."""
    batch = answer(ask(0.0, "queue", "other"), source(0))

    assert batch.queries == {"queue": 5.0}
    assert set(batch.problems) == {"other"}


def test_the_ways_to_fail() -> None:
    """Down, slow, empty and NaN, each as the port says."""
    given = source(0, 10)
    given.mode = Source.DOWN
    with pytest.raises(Unavailable):
        answer(ask(), given)
    given.mode = Source.EMPTY
    assert answer(ask(0.0, "queue"), given).counters == {}
    given.mode = Source.NAN
    assert answer(ask(0.0, "queue"), given).queries == {}
    assert not given.scraping
    given.mode = Source.SLOW

    async def slow() -> float:
        with pytest.raises(SourceTimeout):
            await given.measure(ask())
        return asyncio.get_running_loop().time()

    assert run(slow()) == 5
    assert given.scraping
    assert given.replays
    assert given.checkpoint(ask()) == {}
