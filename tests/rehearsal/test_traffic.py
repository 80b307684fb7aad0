"""Facts about requests: all of them are counted, by the weights in force, on the pods that answer."""

import math

import pytest

from rollout.rehearsal.backend import Backend
from rollout.rehearsal.traffic import Service, Traffic

BOUNDS = (0.1, 0.25)


def backend(**fields: object) -> Backend:
    """Return a backend of four pods, with these fields as a file has them."""
    return Backend.model_validate({"ready": "4/4", "latency": {"p50": "40ms", "p99": "320ms"}, **fields})


def service(**fields: object) -> Service:
    """Return a service of such a backend."""
    return Service("one", backend(**fields), bounds=BOUNDS, seed=3)


def traffic(*services: Service, weights: list[list[tuple[str, int]]], rps: float = 100.0) -> Traffic:
    """Return traffic to these services."""
    return Traffic({one.name: one for one in services}, lambda: weights, rps=rps, seed=5)


@pytest.mark.parametrize("rps", [0, 0.2, 7.3, 1000])
def test_no_request_is_lost_between_looks(rps: float) -> None:
    """Fractions of requests carry over, however often somebody looks."""
    one = service()
    flow = traffic(one, weights=[[("one", 1)]], rps=rps)
    for tick in range(1, 1001):
        flow.run_to(tick * 0.37)

    assert one.totals().total == math.floor(370 * rps + 1e-6)


def test_requests_go_by_the_weights_in_force() -> None:
    """A change counts from its moment on and not before."""
    one, two = service(), Service("two", backend(), bounds=BOUNDS, seed=3)
    weights = [[("one", 100), ("two", 0)]]
    flow = traffic(one, two, weights=weights, rps=1000)
    flow.run_to(10)
    weights[0] = [("one", 50), ("two", 50)]
    flow.run_to(20)

    assert one.totals().total + two.totals().total == 20_000
    assert two.totals().total == pytest.approx(5000, abs=5 * math.sqrt(2500))


def test_routes_share_the_requests_evenly() -> None:
    """Each route sends its part by its own weights."""
    one, two = service(), Service("two", backend(), bounds=BOUNDS, seed=3)
    flow = traffic(one, two, weights=[[("one", 1)], [("two", 1)]], rps=100)
    flow.run_to(10)

    assert (one.totals().total, two.totals().total) == (500, 500)


def test_a_route_without_weights_sends_nothing() -> None:
    """All zero, or no route at all: nobody is asked."""
    one = service()
    traffic(one, weights=[[("one", 0)], []]).run_to(10)

    assert one.totals().total == 0


def test_pods_take_turns() -> None:
    """No pod answers two requests more than another."""
    one = service()
    for requests in (1, 2, 3, 5, 7, 101):
        one.answer(requests)
    counts = [pod.total for pod in one.pods.values()]

    assert sum(counts) == 119
    assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize("clumped", ["even", "bursts"])
def test_errors_have_their_mean(clumped: str) -> None:
    """One in twenty fails, evenly or ten at a time."""
    one = service(errors="5%", podErrors=clumped)
    for _ in range(1000):
        one.answer(100)

    assert one.totals().bad == pytest.approx(5000, abs=5 * math.sqrt(5000 * 10))


def test_bursts_clump() -> None:
    """Ten errors at a time on one pod vary far more than errors one by one."""

    def spread(clumped: str) -> float:
        one = service(errors="2%", podErrors=clumped)
        found = []
        for _ in range(500):
            before = one.totals().bad
            one.answer(400)
            found.append(one.totals().bad - before)
        mean = sum(found) / len(found)
        return sum((count - mean) ** 2 for count in found) / len(found) / mean

    assert spread("even") == pytest.approx(1, abs=0.4)
    assert spread("bursts") > 4


def test_slow_requests_have_their_share() -> None:
    """By the lognormal through both percentiles; a slower bound is passed by fewer."""
    one = service(latency={"p50": "100ms", "p99": "250ms"})
    one.answer(100_000)

    assert one.totals().slow[0] == pytest.approx(50_000, abs=5 * math.sqrt(25_000))
    assert one.totals().slow[1] == pytest.approx(1000, abs=5 * math.sqrt(990))


def test_a_backend_with_nothing_ready_fails_at_once() -> None:
    """Every request is bad, and none has a latency."""
    one = service(ready="0/4")
    one.answer(40)
    counts = one.totals()

    assert (counts.total, counts.bad, counts.timed, counts.slow) == (40, 40, 0, [0, 0])
    assert all(pod.bad == 10 for pod in one.pods.values())


def test_fewer_pods_answer_everything() -> None:
    """Pods that are not ready count no further, and keep what they have counted."""
    one = service()
    one.answer(40)
    one.change(backend(ready="1/4"))
    one.answer(40)

    assert [pod.total for pod in one.pods.values()] == [50, 10, 10, 10]


def test_scrapes_come_at_multiples_of_their_interval() -> None:
    """Beginning with 0, also those that nobody asked for in time."""
    taken: list[float] = []
    flow = traffic(service(), weights=[[("one", 1)]])
    flow.on_scrape(10, taken.append)
    flow.run_to(0)
    flow.run_to(9.9)
    flow.scrape_to(35)

    assert taken == [0, 10, 20, 30]
