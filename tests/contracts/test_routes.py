"""What every `RouteTable` does: the fake in memory, the files of a real Envoy, and both kinds of a real API server."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol

import pytest

from rollout.clock import SystemClock
from rollout.engine.observation import Acceptance, BackendKey, RouteKey, RouteView, RuleWeights
from rollout.envoy.admin import AdminClient
from rollout.envoy.routes import EnvoyRouteTable, RouteTableOptions
from rollout.errors import ConflictError, NotOursError, UpdateRefused
from rollout.ports import RouteTable
from tests.envoy.world import Cluster, EnvoyWorld, rds_yaml
from tests.fakes.routes import FakeRouteTable
from tests.kubernetes.fixtures import KUBERNETES
from tests.kubernetes.routes.world import KubernetesRoutes
from tests.waiting import until

START = {"v1": 90, "v2": 10, "foreign": 5}


class World(Protocol):
    """A route table and the hands of others on its route ``key``, which has the weights START at first."""

    key: RouteKey
    table: RouteTable

    async def change(self, weights: Mapping[str, int]) -> None:
        """Let somebody else write these weights."""

    async def settle(self) -> None:
        """Let the gateway take in the route as it stands."""

    async def take_away(self) -> None:
        """Let somebody else delete the route."""

    async def close(self) -> None:
        """End."""


class FakeWorld:
    """The fake in memory."""

    def __init__(self) -> None:
        self.key = RouteKey("HTTPRoute", "shop", "checkout")
        self.fake = FakeRouteTable()
        self.table: RouteTable = self.fake
        self.fake.put(self.key, START)

    async def change(self, weights: Mapping[str, int]) -> None:
        """Replace the route."""
        self.fake.put(self.key, weights)

    async def settle(self) -> None:
        """Nothing to do."""

    async def take_away(self) -> None:
        """Delete the route."""
        self.fake.take_away(self.key)

    async def close(self) -> None:
        """Nothing to end."""


class RealEnvoy:
    """The RDS file of a real Envoy."""

    table: RouteTable

    def __init__(self) -> None:
        self.key = RouteKey("EnvoyRoute", "shop", "checkout")
        self._stack = AsyncExitStack()

    async def start(self, folder: Path) -> None:
        """Start Envoy and the adapter."""
        self._envoy = EnvoyWorld(folder, [Cluster(name, (1,)) for name in START])
        self._number = 0
        self._envoy.rds.write_text(rds_yaml("start", {"checkout": START}))
        self._stack.push_async_callback(self._envoy.kill)
        await self._envoy.start()
        admin = AdminClient(self._envoy.admin_address)
        self._stack.push_async_callback(admin.aclose)
        options = RouteTableOptions((self._envoy.rds,), poll_seconds=0.01, look_seconds=0.02)
        adapter = EnvoyRouteTable(admin, SystemClock(), options)
        await adapter.start()
        self._stack.push_async_callback(adapter.aclose)
        self.table = adapter

    async def change(self, weights: Mapping[str, int]) -> None:
        """Rename another file into place."""
        self._number += 1
        self._envoy.put(rds_yaml(f"change-{self._number}", {"checkout": weights}))

    async def settle(self) -> None:
        """Nothing to do: a write returns when Envoy has taken it."""

    async def take_away(self) -> None:
        """Rename a file without the route into place."""
        self._envoy.put(rds_yaml("gone", {"other": START}))

    async def close(self) -> None:
        """End Envoy and the adapter."""
        await self._stack.aclose()


@asynccontextmanager
async def in_memory(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """Give the fake."""
    yield FakeWorld()


@asynccontextmanager
async def in_files(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """Give a real Envoy."""
    made = RealEnvoy()
    try:
        await made.start(request.getfixturevalue("tmp_path"))
        yield made
    finally:
        await made.close()


@asynccontextmanager
async def in_cluster(request: pytest.FixtureRequest, kind: str) -> AsyncIterator[World]:
    """Give a route of this kind on a real API server."""
    made = KubernetesRoutes(request.getfixturevalue("cluster"), request.getfixturevalue("namespace"), kind)
    try:
        await made.start(START)
        yield made
    finally:
        await made.close()


@pytest.fixture(
    params=[
        pytest.param(in_memory, id="fake"),
        pytest.param(in_files, id="envoy", marks=pytest.mark.real),
        pytest.param(partial(in_cluster, kind="HTTPRoute"), id="kubernetes-http", marks=KUBERNETES),
        pytest.param(partial(in_cluster, kind="GRPCRoute"), id="kubernetes-grpc", marks=KUBERNETES),
    ]
)
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """One world of each kind, begun and ended."""
    async with request.param(request) as made:
        yield made


def weights(view: RouteView | None) -> dict[str, int]:
    """Return the weights of the only rule by backend name."""
    assert view is not None
    return {ref.backend.name: ref.weight for ref in view.rules[0].refs}


def rule(view: RouteView, **wanted: int) -> list[RuleWeights]:
    """Return a write into the view's first rule."""
    first = view.rules[0]
    return [
        RuleWeights(first.index, first.name, {BackendKey(view.key.namespace, name): n for name, n in wanted.items()})
    ]


def seen(world: World) -> RouteView:
    """Return the route, which must be there."""
    view = world.table.read(world.key)
    assert view is not None
    return view


async def test_a_route_is_read_with_its_refs_in_order(world: World) -> None:
    """Rules, refs and weights are as they stand, and the gateway's word with them."""
    view = seen(world)

    assert list(weights(view).items()) == list(START.items())
    assert view.key == world.key
    assert view.acceptance is Acceptance.ACCEPTED


async def test_a_route_that_does_not_exist_is_none(world: World) -> None:
    """Reading never raises."""
    assert world.table.read(replace(world.key, name="nothing")) is None


async def test_a_write_changes_the_named_weights_only(world: World) -> None:
    """A foreign ref of the same rule keeps its weight."""
    view = seen(world)

    written = await world.table.write(world.key, rule(view, v1=75, v2=25), expected=view.version)

    assert weights(written) == {"v1": 75, "v2": 25, "foreign": 5}
    assert world.table.read(world.key) == written
    await world.settle()
    assert seen(world).acceptance is Acceptance.ACCEPTED


async def test_a_write_gives_the_route_another_version(world: World) -> None:
    """So that a write that was decided before it is a conflict."""
    view = seen(world)

    written = await world.table.write(world.key, rule(view, v1=75, v2=25), expected=view.version)

    assert written.version != view.version
    with pytest.raises(ConflictError):
        await world.table.write(world.key, rule(view, v1=50, v2=50), expected=view.version)


async def test_many_writes_in_a_row_each_take_effect(world: World) -> None:
    """The view that a write returns is enough for the next."""
    view = seen(world)
    for share in (20, 40, 60, 80):
        view = await world.table.write(world.key, rule(view, v1=100 - share, v2=share), expected=view.version)

    assert weights(world.table.read(world.key)) == {"v1": 20, "v2": 80, "foreign": 5}


async def test_a_foreign_change_is_a_conflict_and_then_seen(world: World) -> None:
    """Nothing of the other's work is lost, and the cache has it by then."""
    view = seen(world)
    await world.change({"v1": 1, "v2": 2, "foreign": 3})

    with pytest.raises(ConflictError):
        await world.table.write(world.key, rule(view, v1=75, v2=25), expected=view.version)

    assert weights(world.table.read(world.key)) == {"v1": 1, "v2": 2, "foreign": 3}


async def test_after_a_conflict_the_next_write_goes_through(world: World) -> None:
    """Reading again is all that is needed."""
    view = seen(world)
    await world.change({"v1": 1, "v2": 2, "foreign": 3})
    with pytest.raises(ConflictError):
        await world.table.write(world.key, rule(view, v1=75, v2=25), expected=view.version)
    view = seen(world)

    written = await world.table.write(world.key, rule(view, v1=75, v2=25), expected=view.version)

    assert weights(written) == {"v1": 75, "v2": 25, "foreign": 3}


async def test_a_foreign_change_is_told(world: World) -> None:
    """Subscribers hear of it, and then read it."""
    told: list[RouteKey] = []
    seen(world)
    world.table.subscribe(told.append)

    await world.change({"v1": 50, "v2": 50, "foreign": 5})

    await until(lambda: world.key in told)
    assert weights(world.table.read(world.key)) == {"v1": 50, "v2": 50, "foreign": 5}


async def test_a_route_that_went_away_is_told_and_not_ours(world: World) -> None:
    """It reads as None, and a write to it says that it is gone."""
    told: list[RouteKey] = []
    view = seen(world)
    world.table.subscribe(told.append)
    await world.take_away()

    await until(lambda: world.key in told)
    assert world.table.read(world.key) is None
    with pytest.raises(NotOursError):
        await world.table.write(world.key, rule(view, v1=75, v2=25), expected=view.version)


async def test_a_backend_that_is_not_in_the_rule_is_not_ours(world: World) -> None:
    """Refs are never added; nothing is written."""
    view = seen(world)

    with pytest.raises(NotOursError):
        await world.table.write(world.key, rule(view, v1=75, v3=25), expected=view.version)

    assert weights(world.table.read(world.key)) == START


async def test_a_rule_that_is_gone_is_not_ours(world: World) -> None:
    """A rule is found by its name, and not by its place alone."""
    view = seen(world)
    other = [RuleWeights(0, "another", {BackendKey(world.key.namespace, "v1"): 1})]

    with pytest.raises(NotOursError):
        await world.table.write(world.key, other, expected=view.version)


async def test_weights_that_are_all_zero_are_refused(world: World) -> None:
    """No gateway serves them, and what was there stays."""
    view = seen(world)

    with pytest.raises(UpdateRefused):
        await world.table.write(world.key, rule(view, v1=0, v2=0, foreign=0), expected=view.version)

    assert weights(world.table.read(world.key)) == START
