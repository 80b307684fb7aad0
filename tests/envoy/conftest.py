"""Fixtures that start a real Envoy before two small HTTP backends named v1 and v2."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rollout.clock import SystemClock
from rollout.envoy.admin import AdminClient
from rollout.envoy.routes import EnvoyRouteTable, RouteTableOptions
from tests.envoy.backends import HttpBackend
from tests.envoy.world import Cluster, EnvoyWorld, rds_yaml


@pytest.fixture
async def backends() -> AsyncIterator[tuple[HttpBackend, HttpBackend]]:
    """Two HTTP backends that answer with their names."""
    first, second = HttpBackend("v1"), HttpBackend("v2")
    await first.start()
    await second.start()
    yield first, second
    await first.close()
    await second.close()


@pytest.fixture
async def envoy(tmp_path: Path, backends: tuple[HttpBackend, HttpBackend]) -> AsyncIterator[EnvoyWorld]:
    """A live Envoy whose route `checkout` gives 100 to v1 and 0 to v2."""
    first, second = backends
    world = EnvoyWorld(tmp_path, [Cluster("v1", (first.port,)), Cluster("v2", (second.port,))])
    world.rds.write_text(rds_yaml("by-hand", {"checkout": {"v1": 100, "v2": 0}, "other": {"v2": 1}}, comment="mine"))
    try:
        await world.start()
        yield world
    finally:
        await world.kill()


@pytest.fixture
async def admin(envoy: EnvoyWorld) -> AsyncIterator[AdminClient]:
    """A client of that Envoy's admin endpoint."""
    client = AdminClient(envoy.admin_address)
    yield client
    await client.aclose()


@pytest.fixture
async def table(envoy: EnvoyWorld, admin: AdminClient) -> AsyncIterator[EnvoyRouteTable]:
    """The route table over that Envoy's file, looking often."""
    options = RouteTableOptions(files=(envoy.rds,), poll_seconds=0.02, look_seconds=0.05, deadline_seconds=1.0)
    routes = EnvoyRouteTable(admin, SystemClock(), options)
    await routes.start()
    yield routes
    await routes.aclose()
