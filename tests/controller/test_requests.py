"""The metrics signal: requests of many backends, counted over a window and told as they are."""

from collections.abc import AsyncIterator

import pytest

from rollout.analysis.samples import ERRORS, Batch
from rollout.controller.requests import LONGEST_WINDOW_SECONDS, Failed, RequestsAsk, count_requests
from rollout.engine.observation import BackendKey
from rollout.errors import SourceTimeout, Unavailable
from rollout.failover.readings import RequestsSeen
from rollout.ports import Ask
from rollout.prometheus.client import PrometheusClient
from rollout.prometheus.measurements import PrometheusMeasurements
from tests.fakes.clock import FakeClock
from tests.fakes.measurements import TOTAL, FakeMeasurements
from tests.prometheus.builders import ENVOY, NOW
from tests.prometheus.stand_in import StandIn, standing_in


def asking(name: str = "v1", *, window_seconds: float = 60.0) -> RequestsAsk:
    """Return an ask about a backend."""
    return RequestsAsk("shop", "checkout", BackendKey("shop", name), ENVOY, window_seconds)


def counting(*samples: tuple[float, float, float]) -> FakeMeasurements:
    """Return a source that has counted (time, total, bad) of v1."""
    source = FakeMeasurements()
    for at, total, bad in samples:
        source.count("v1", TOTAL, at, total)
        source.count("v1", ERRORS, at, bad)
    return source


async def test_only_what_came_within_the_window_counts() -> None:
    """What was bad before it is long forgiven."""
    source = counting((NOW - 120, 0, 0), (NOW - 61, 500, 400), (NOW - 30, 540, 404), (NOW - 2, 600, 410))

    assert await count_requests(source, [asking()], now=NOW) == (RequestsSeen(100, 10, NOW - 2),)


async def test_a_restart_counts_from_zero() -> None:
    """A counter that is smaller than before has begun anew."""
    source = counting((NOW - 70, 500, 100), (NOW - 30, 520, 101), (NOW - 5, 7, 2))

    assert await count_requests(source, [asking()], now=NOW) == (RequestsSeen(27, 3, NOW - 5),)


async def test_a_source_that_is_silent_for_longer_than_the_window_says_nothing() -> None:
    """Old samples are no samples."""
    source = counting((NOW - 200, 1, 0), (NOW - 100, 2, 0))

    assert await count_requests(source, [asking()], now=NOW) == ("no sample of the last 60 s",)


@pytest.mark.parametrize("error", [Unavailable("Prometheus cannot be reached"), SourceTimeout("it took too long")])
async def test_a_source_that_fails_is_told_in_a_clause(error: Exception) -> None:
    """The signal is Unknown then, and nothing else happens."""
    source = counting((NOW - 5, 1, 0))
    source.error = error

    assert await count_requests(source, [asking()], now=NOW) == (Failed(str(error)),)


@pytest.mark.parametrize(
    ("problems", "why"),
    [({ERRORS: "Envoy has no cluster v1"}, "Envoy has no cluster v1"), ({}, "its requests are not counted")],
)
async def test_a_backend_that_cannot_be_counted_is_told_so(problems: dict[str, str], why: str) -> None:
    """In the words of the source, if it has any."""

    class Without(FakeMeasurements):
        async def measure(self, ask: Ask) -> Batch:
            return Batch({}, {}, problems)

    assert await count_requests(Without(), [asking()], now=NOW) == (Failed(why),)


async def test_a_fault_of_ours_is_none_of_the_source() -> None:
    """It is not told as if the source had said it."""
    source = counting((NOW - 5, 1, 0))
    source.error = KeyError("x")

    with pytest.raises(KeyError):
        await count_requests(source, [asking()], now=NOW)


async def test_the_question_is_apart_from_attempts_and_within_what_sources_keep() -> None:
    """What an attempt has looked at stays; nobody is asked for more than an hour."""
    source = counting((NOW - 5, 1, 0))
    await count_requests(source, [asking(window_seconds=86400)], now=NOW)
    (ask,) = source.asks

    assert ask.apart
    assert ask.since == NOW - LONGEST_WINDOW_SECONDS
    assert (ask.errors, ask.bounds, ask.queries) == (True, (), ())


@pytest.fixture
async def server() -> AsyncIterator[StandIn]:
    """Run a stand-in for Prometheus."""
    async with standing_in() as made:
        yield made


async def test_many_backends_are_one_query_for_each_counter(server: StandIn) -> None:
    """A hundred at once: three selectors, three queries."""
    names = [f"web-{number}" for number in range(100)]
    for place, name in enumerate(names):
        labels = {"cluster": name, "instance": "i"}
        server.add("rq_completed", labels, (NOW - 90, 0), (NOW - 1, place))
    client = PrometheusClient(server.url)
    source = PrometheusMeasurements(client, FakeClock(NOW))
    found = await count_requests(source, [asking(name) for name in names], now=NOW)
    client.close()

    assert found == tuple(RequestsSeen(place, 0, NOW - 1) for place in range(100))
    assert len(server.asked) == 3


async def test_without_templates_it_is_said_that_they_are_missing(server: StandIn) -> None:
    """Only a policy says how a gateway counts."""
    client = PrometheusClient(server.url)
    source = PrometheusMeasurements(client, FakeClock(NOW))
    bare = RequestsAsk("shop", "checkout", BackendKey("shop", "v1"), None, 60)
    (found,) = await count_requests(source, [bare], now=NOW)
    client.close()

    assert found == Failed("the policy has no metric templates, so Prometheus cannot be asked for counters")
