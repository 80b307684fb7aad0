"""Endpoints behind Services on a real API server, as the controller of endpoints writes slices."""

import random
from collections.abc import AsyncIterator, Callable
from http import HTTPStatus
from typing import Any

import pytest

from rollout.clock import SystemClock
from rollout.engine.observation import UNKNOWN_ENDPOINTS, BackendKey, Endpoints
from rollout.kube.api import KubeApi
from rollout.kube.endpoints import KubeEndpoints
from rollout.signals import Target
from tests.kubernetes.cluster import SOMEBODY, Cluster
from tests.kubernetes.seeing.worlds import SLICES, endpoint, slice_of
from tests.waiting import until

SIX = {"addressType": "IPv6"}


class Backend:
    """The Service `v1` of a namespace with port 8080, and its slices."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster = cluster
        self.any_port = BackendKey(namespace, "v1")
        self.web = BackendKey(namespace, "v1", 8080)
        self._services = f"/api/v1/namespaces/{namespace}/services"
        self._slices = SLICES.format(namespace=namespace)

    def serve(self, **spec: object) -> None:
        """Make the Service, or change it."""
        ports = [{"name": "web", "port": 8080}]
        self._cluster.apply(
            self._services,
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "v1"}, "spec": {"ports": ports, **spec}},
        )

    def close(self) -> None:
        """Delete the Service."""
        assert self._cluster.ask("DELETE", f"{self._services}/v1")[0] == HTTPStatus.OK

    def slice(self, name: str, *endpoints: dict[str, Any], service: str = "v1", **fields: object) -> None:
        """Make a slice of the Service, or change it."""
        self._cluster.apply(self._slices, slice_of(service, name, list(endpoints), **fields))

    def drop(self, name: str) -> None:
        """Delete a slice."""
        assert self._cluster.ask("DELETE", f"{self._slices}/{name}")[0] == HTTPStatus.OK


@pytest.fixture
def backend(cluster: Cluster, namespace: str) -> Backend:
    """Make a Service without endpoints."""
    made = Backend(cluster, namespace)
    made.serve()
    return made


@pytest.fixture
async def health(api: KubeApi, namespace: str, backend: Backend) -> AsyncIterator[KubeEndpoints]:
    """Watch them, three objects on a page."""
    made = KubeEndpoints(api, SystemClock(), chance=random.random, namespace=namespace, page=3)
    await made.start()
    yield made
    await made.aclose()


def several(first: int, last: int, **conditions: bool) -> list[dict[str, Any]]:
    """Return endpoints with numbers from ``first`` to before ``last``."""
    return [endpoint(f"10.1.{number // 250}.{number % 250 + 1}", **conditions) for number in range(first, last)]


async def test_a_service_of_three_hundred_endpoints(health: KubeEndpoints, backend: Backend) -> None:
    """In four slices, 100 in each at most: 260 are ready, 30 are not, ten terminate."""
    ready, waiting = several(0, 260, ready=True), several(260, 290, ready=False)
    endpoints = [*ready, *waiting, *several(290, 300, ready=False, serving=True, terminating=True)]
    for at in range(0, 300, 80):
        backend.slice(f"v1-{at}", *endpoints[at : at + 80])

    await until(lambda: health.endpoints(backend.web) == Endpoints(260, 290))
    assert health.endpoints(backend.any_port) == Endpoints(260, 290)


async def test_what_is_there_before_is_seen_page_by_page(api: KubeApi, namespace: str, backend: Backend) -> None:
    """Ten slices, three on a page: all counted when `start` returns."""
    for number in range(10):
        backend.slice(f"v1-{number}", *several(number * 10, number * 10 + 10, ready=True))
    health = KubeEndpoints(api, SystemClock(), chance=random.random, namespace=namespace, page=3)

    await health.start()

    assert health.endpoints(backend.web) == Endpoints(100, 100)
    await health.aclose()


async def test_both_families_count_once(health: KubeEndpoints, backend: Backend) -> None:
    """A dual-stack Service has a slice for each."""
    six = {**endpoint("10.1.0.1", ready=True), "addresses": ["fd00::1"]}
    backend.slice("v1-four", *several(0, 1, ready=True))
    backend.slice("v1-six", six, **SIX)
    backend.slice("v1-more", endpoint("10.1.0.9", ready=True))

    await until(lambda: health.endpoints(backend.web) == Endpoints(2, 2))


async def test_an_endpoint_on_its_way_to_another_slice_counts_once(health: KubeEndpoints, backend: Backend) -> None:
    """It is in both, then in one only; it never counts twice, and never not at all."""
    told: list[Endpoints] = []
    backend.slice("v1-a", *several(0, 3, ready=True))
    await until(lambda: health.endpoints(backend.web) == Endpoints(3, 3))
    health.subscribe(lambda key: told.append(health.endpoints(key)))

    backend.slice("v1-b", *several(1, 3, ready=True))
    backend.slice("v1-a", *several(0, 1, ready=True))
    backend.slice("v1-b", *several(1, 4, ready=True))

    await until(lambda: health.endpoints(backend.web) == Endpoints(4, 4))
    assert set(told) == {Endpoints(4, 4)}


async def test_the_last_ready_endpoint_is_told_when_it_is_gone(health: KubeEndpoints, backend: Backend) -> None:
    """Each way to lose it: it terminates, fails its probe, its slice is emptied or deleted; the count is right then."""
    told: list[tuple[BackendKey, int]] = []
    health.subscribe(lambda key: told.append((key, health.endpoints(key).ready)))
    losses: list[Callable[[], None]] = [
        lambda: backend.slice("v1-a", *several(0, 1, ready=False, serving=True, terminating=True)),
        lambda: backend.slice("v1-a", *several(0, 1, ready=False)),
        lambda: backend.slice("v1-a"),
        lambda: backend.drop("v1-a"),
    ]
    for lose in losses:
        backend.slice("v1-a", *several(0, 1, ready=True))
        await until(lambda: health.endpoints(backend.web).ready == 1)
        told.clear()

        lose()

        await until(lambda: told)
        assert told == [(backend.web, 0), (backend.any_port, 0)]
        assert health.endpoints(backend.web).known


async def test_a_pod_that_is_replaced_is_told_to_whoever_asked_where_it_is(
    health: KubeEndpoints, backend: Backend
) -> None:
    """Just as many are ready, in another place; whoever only counts hears nothing."""
    backend.slice("v1-a", endpoint("10.1.0.1", ready=True))
    await until(lambda: health.targets(backend.web) == (Target("10.1.0.1", 80),))
    told: list[BackendKey] = []
    health.subscribe(told.append)

    backend.slice("v1-a", endpoint("10.1.0.2", ready=True))

    await until(lambda: told)
    assert told == [backend.web]
    assert health.targets(backend.web) == (Target("10.1.0.2", 80),)


class ClockAhead(SystemClock):
    """A clock that a test can put forward."""

    seconds = 0.0

    def now(self) -> float:
        """Return Unix time in seconds."""
        return super().now() + self.seconds

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return super().monotonic() + self.seconds


@pytest.mark.parametrize("seconds", [40, 4000])
async def test_silence_makes_what_was_heard_old_but_not_gone(
    api: KubeApi, namespace: str, backend: Backend, seconds: float
) -> None:
    """How many were ready, and when that was: whoever reads it sees its age, and probes go on."""
    backend.slice("v1-a", *several(0, 2, ready=True))
    clock = ClockAhead()
    health = KubeEndpoints(api, clock, chance=random.random, namespace=namespace)
    unseen = health.seen(backend.web)
    await health.start()
    before = clock.now()
    clock.seconds = seconds
    seen = health.seen(backend.web)
    targets = health.targets(backend.web)

    assert (unseen.heard_at, unseen.total) == (None, 0)
    assert health.endpoints(backend.web) == UNKNOWN_ENDPOINTS
    assert (seen.ready, seen.total, len(targets)) == (2, 2, 2)
    assert seen.heard_at is not None
    assert abs(seen.heard_at - before) < 5
    await health.aclose()


async def test_a_slice_that_goes_to_another_service_is_told_of_both(
    health: KubeEndpoints, backend: Backend, namespace: str, cluster: Cluster
) -> None:
    """Somebody changed its label."""
    other = BackendKey(namespace, "v2", 8080)
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "v2"}}
    cluster.apply(
        f"/api/v1/namespaces/{namespace}/services", {**service, "spec": {"ports": [{"name": "web", "port": 8080}]}}
    )
    backend.slice("moves", *several(0, 2, ready=True))
    await until(lambda: health.endpoints(backend.web).ready == 2 and not health.missing(other))
    told: list[BackendKey] = []
    health.subscribe(told.append)

    backend.slice("moves", *several(0, 2, ready=True), service="v2")

    await until(lambda: health.endpoints(other) == Endpoints(2, 2))
    assert health.endpoints(backend.web) == Endpoints(0, 0)
    assert {backend.web, other} <= set(told)


async def test_a_service_that_is_gone_is_missing_and_told(health: KubeEndpoints, backend: Backend) -> None:
    """Though its slices are still there; made again it counts at once."""
    backend.slice("v1-a", *several(0, 2, ready=True))
    await until(lambda: health.endpoints(backend.web).ready == 2)
    told: list[BackendKey] = []
    health.subscribe(told.append)

    backend.close()

    await until(lambda: told)
    assert health.missing(backend.web) == f"Service {backend.web.namespace}/v1 does not exist"
    assert health.endpoints(backend.web) == Endpoints(0, 0)
    backend.serve()
    await until(lambda: health.endpoints(backend.web) == Endpoints(2, 2))
    assert health.missing(backend.web) == ""


async def test_a_port_that_the_service_does_not_have_is_missing(health: KubeEndpoints, backend: Backend) -> None:
    """The Service is there, and it is said which port is not."""
    await until(lambda: not health.missing(backend.web))
    nobody = BackendKey(backend.web.namespace, "v1", 81)

    assert health.missing(nobody) == f"Service {nobody.namespace}/v1 has no port 81"
    assert health.endpoints(nobody) == Endpoints(0, 0)


async def test_endpoints_of_a_dns_name_are_not_known(health: KubeEndpoints, backend: Backend) -> None:
    """The Service became an ExternalName."""
    backend.close()
    backend.serve(type="ExternalName", externalName="shop.example.com")

    await until(lambda: "is an ExternalName" in health.missing(backend.web))
    assert health.endpoints(backend.web) == UNKNOWN_ENDPOINTS
    assert health.seen(backend.web).heard_at is None


async def test_another_namespace_is_said_to_be_outside(health: KubeEndpoints, backend: Backend) -> None:
    """Only one is watched: nothing is known of others, and it is said why."""
    outside = BackendKey("elsewhere", "v1", 8080)

    assert health.endpoints(outside) == UNKNOWN_ENDPOINTS
    assert health.seen(outside).heard_at is None
    assert health.missing(outside) == (
        f"Service elsewhere/v1 is outside of namespace {backend.web.namespace}, the only one that is watched"
    )


async def test_what_must_not_be_seen_is_not_known(cluster: Cluster, backend: Backend) -> None:
    """Somebody without the right: nothing counts as lost, and nothing as missing."""
    door = KubeApi(cluster.configuration(SOMEBODY), random.random)
    health = KubeEndpoints(door, SystemClock(), chance=random.random, namespace=backend.web.namespace)
    for watch in health.watches():
        await watch.start(patience_seconds=0.2)
    await until(lambda: all("403" in watch.problem for watch in health.watches()))

    assert health.endpoints(backend.web) == UNKNOWN_ENDPOINTS
    assert health.missing(backend.web) == ""
    await health.aclose()
    await door.aclose()
