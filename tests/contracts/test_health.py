"""What every `BackendHealth` does: the fake in memory, a real Envoy with active health checks, slices of a cluster."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Protocol

import pytest

from rollout.clock import SystemClock
from rollout.engine.observation import BackendKey, Endpoints
from rollout.envoy.admin import AdminClient
from rollout.envoy.health import EnvoyBackendHealth
from rollout.signals import BackendHealth
from tests.envoy.backends import HttpBackend
from tests.envoy.world import Cluster, EnvoyWorld, rds_yaml
from tests.fakes.health import FakeBackendHealth
from tests.kubernetes.cluster import Cluster as KubernetesCluster
from tests.kubernetes.fixtures import KUBERNETES
from tests.kubernetes.seeing.worlds import KubernetesEndpoints
from tests.waiting import until

BACKEND = BackendKey("shop", "v1")
WEB = BackendKey("shop", "v1", 8080)
_CHECK = {
    "timeout": "0.2s",
    "interval": "0.02s",
    "no_traffic_interval": "0.02s",
    "unhealthy_threshold": 1,
    "healthy_threshold": 1,
    "http_health_check": {"path": "/"},
}


class World(Protocol):
    """A health source and two endpoints of the backend BACKEND."""

    health: BackendHealth

    async def start(self, folder: Path) -> None:
        """Begin with two ready endpoints."""

    async def lose_one(self) -> None:
        """Let one endpoint fail, and stay where it is."""

    async def find_it(self) -> None:
        """Let it come back."""

    async def close(self) -> None:
        """End."""


class FakeWorld:
    """The fake in memory."""

    def __init__(self) -> None:
        self.fake = FakeBackendHealth()
        self.health: BackendHealth = self.fake

    async def start(self, folder: Path) -> None:
        """Two of two."""
        self._put(Endpoints(2, 2))

    async def lose_one(self) -> None:
        """One of two."""
        self._put(Endpoints(1, 2))

    async def find_it(self) -> None:
        """Two of two."""
        self._put(Endpoints(2, 2))

    async def close(self) -> None:
        """Nothing to end."""

    def _put(self, endpoints: Endpoints) -> None:
        self.fake.put(BACKEND, endpoints)
        self.fake.put(WEB, endpoints)


class RealEnvoy:
    """A real Envoy that checks two backends itself."""

    health: BackendHealth

    def __init__(self) -> None:
        self._stack = AsyncExitStack()

    async def start(self, folder: Path) -> None:
        """Start the backends, Envoy and the adapter."""
        self._backends = [HttpBackend("a"), HttpBackend("b")]
        for backend in self._backends:
            await backend.start()
            self._stack.push_async_callback(backend.close)
        ports = tuple(backend.port for backend in self._backends)
        envoy = EnvoyWorld(folder, [Cluster("v1", ports, extra={"health_checks": [_CHECK]})])
        envoy.rds.write_text(rds_yaml("1", {"checkout": {"v1": 1}}))
        self._stack.push_async_callback(envoy.kill)
        await envoy.start()
        admin = AdminClient(envoy.admin_address)
        self._stack.push_async_callback(admin.aclose)
        adapter = EnvoyBackendHealth(admin, SystemClock(), poll_seconds=0.02)
        await adapter.start()
        self._stack.push_async_callback(adapter.aclose)
        self.health = adapter

    async def lose_one(self) -> None:
        """Let one fail its checks."""
        self._backends[0].status = 503

    async def find_it(self) -> None:
        """Let it pass them."""
        self._backends[0].status = 200

    async def close(self) -> None:
        """End all."""
        await self._stack.aclose()


def kubernetes(request: pytest.FixtureRequest) -> World:
    """Return a world in the cluster of this worker."""
    cluster: KubernetesCluster = request.getfixturevalue("cluster")
    return KubernetesEndpoints(cluster)


@pytest.fixture(
    params=[
        pytest.param(lambda _: FakeWorld(), id="fake"),
        pytest.param(lambda _: RealEnvoy(), id="envoy", marks=pytest.mark.real),
        pytest.param(kubernetes, id="kubernetes", marks=KUBERNETES),
    ]
)
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """One world of each kind, begun and ended."""
    made: World = request.param(request)
    try:
        await made.start(tmp_path)
        yield made
    finally:
        await made.close()


async def test_ready_endpoints_are_counted(world: World) -> None:
    """Two of two, once a first look has come."""
    await until(lambda: world.health.endpoints(BACKEND) == Endpoints(2, 2))


async def test_a_backend_that_was_never_seen_has_nothing_ready(world: World) -> None:
    """Whether it is unknown or known to have none: it counts as nothing to send to."""
    assert world.health.endpoints(BackendKey("shop", "nobody")).ready == 0


async def test_a_backend_that_is_there_is_not_missing(world: World) -> None:
    """Only what is known not to exist has a sentence that says so."""
    await until(lambda: world.health.endpoints(BACKEND).known)

    assert not world.health.missing(BACKEND)


async def test_a_lost_endpoint_is_seen_and_told(world: World) -> None:
    """Subscribers hear of the backend, by its name or its port, and then read one of two."""
    await until(lambda: world.health.endpoints(BACKEND).ready == 2)
    told: list[BackendKey] = []
    world.health.subscribe(told.append)

    await world.lose_one()

    await until(lambda: told)
    assert BACKEND in told
    assert set(told) <= {BACKEND, WEB}
    assert world.health.endpoints(BACKEND) == Endpoints(1, 2)


async def test_an_endpoint_that_comes_back_is_seen(world: World) -> None:
    """Two of two again."""
    await world.lose_one()
    await until(lambda: world.health.endpoints(BACKEND) == Endpoints(1, 2))

    await world.find_it()

    await until(lambda: world.health.endpoints(BACKEND) == Endpoints(2, 2))


async def test_what_was_heard_is_told_with_its_time(world: World) -> None:
    """The same counts, heard a moment ago; of a lost endpoint a new time, none older."""
    await until(lambda: world.health.seen(BACKEND).ready == 2)
    before = world.health.seen(BACKEND)
    await world.lose_one()
    await until(lambda: world.health.seen(BACKEND).ready == 1)
    after = world.health.seen(BACKEND)

    assert (before.total, after.total) == (2, 2)
    assert before.heard_at is not None
    assert after.heard_at is not None
    assert after.heard_at >= before.heard_at - 0.001


async def test_every_endpoint_is_a_target_ready_or_not(world: World) -> None:
    """Each with its address and port, once."""
    await until(lambda: len(world.health.targets(WEB)) == 2)
    before = world.health.targets(WEB)
    await world.lose_one()
    await until(lambda: world.health.endpoints(BACKEND) == Endpoints(1, 2))

    assert world.health.targets(WEB) == before
    assert all(target.address and target.port for target in before)
    assert list(before) == sorted(set(before))


async def test_a_backend_that_was_never_seen_has_no_target(world: World) -> None:
    """There is nothing to ask."""
    assert world.health.targets(BackendKey("shop", "nobody")) == ()
