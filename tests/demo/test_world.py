"""The whole world, with a real Envoy in the middle."""

import asyncio
from pathlib import Path

import aiohttp
import psutil
import pytest

from rollout.demo.behaviour import Behaviour
from rollout.demo.service import SERVED_BY
from rollout.demo.weights import WeightWatch
from rollout.demo.world import Plan, World, open_world, require_parts
from rollout.errors import ConfigurationError, Unavailable
from tests.tools import require, require_prometheus

pytestmark = pytest.mark.real


@pytest.fixture(autouse=True)
def _parts() -> None:
    try:
        require_parts()
    except ConfigurationError as error:
        require(condition=False, reason=str(error))


def give(world: World, service: str, canary: int) -> None:
    """Put another weight of the service's green backend into Envoy's route file."""
    text = world.gateway.routes.read_text()
    text = text.replace(f"{service}-blue, weight: 100", f"{service}-blue, weight: {100 - canary}")
    text = text.replace(f"{service}-green, weight: 0", f"{service}-green, weight: {canary}").replace(
        "demo-1", f"demo-{service}"
    )
    whole = world.folder / "routes.new"
    whole.write_text(text)
    whole.replace(world.gateway.routes)


async def seen(world: World, *, requests: int) -> None:
    """Wait until both green backends have answered this many requests."""
    total = world.traffic.total
    async with asyncio.timeout(30):
        while any(total.of(service).of(f"{service}-green").answered < requests for service in ("shop", "cart")):
            await world.traffic.next_report()


async def test_clients_see_weights_and_faults_and_nothing_else() -> None:
    """Both services split by weight; only what was told to fail fails, and slow answers are slow."""
    async with open_world(Plan()) as world:
        watch = WeightWatch(world.gateway.routes)
        await world.deploy("shop-green", Behaviour("v2", error_share=1.0))
        await world.deploy("cart-green", Behaviour("v2", latency_factor=3.0))
        give(world, "shop", 20)
        give(world, "cart", 20)
        await seen(world, requests=100)
        await world.traffic.settle()
        shop, cart = (world.traffic.total.of(service) for service in ("shop", "cart"))
        folder, programs = world.folder, [child.process.pid for child in world.programs.running]

    assert shop.failed == shop.of("shop-green").failed == shop.of("shop-green").answered
    assert (cart.failed, shop.of("shop-blue").failed) == (0, 0)
    assert cart.of("cart-green").slow > 0.4 * cart.of("cart-green").answered
    assert watch.now["shop-green"] == 0
    assert not folder.exists()
    assert not [pid for pid in programs if psutil.pid_exists(pid)]


async def test_lost_program_ends_the_demo() -> None:
    """When Envoy dies, the world says so instead of going on without it."""
    async with open_world(Plan()) as world:
        envoy = next(child for child in world.programs.running if child.name == "envoy")
        envoy.process.kill()

        with pytest.raises(Unavailable, match=r"envoy ended with code -9"):
            await asyncio.wait_for(world.watch(), 10)


async def test_killed_backend_comes_back_and_the_world_goes_on() -> None:
    """A death that the demo wants is not the end of it; the backend answers again where it was, as it is told."""
    async with open_world(Plan()) as world, aiohttp.ClientSession() as session:
        watching = asyncio.ensure_future(world.watch())
        await world.kill("shop-backup")
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(f"http://127.0.0.1:{world.ports['shop-backup']}/shop")
        await world.revive("shop-backup", Behaviour("v5"))
        async with session.get(f"http://127.0.0.1:{world.ports['shop-backup']}/shop") as answer:
            served_by = answer.headers[SERVED_BY]
        lost = watching.done()
        watching.cancel()

    assert (served_by, lost) == ("shop-backup v5", False)


async def test_prometheus_scrapes_envoy(prometheus: Path) -> None:
    """With a Prometheus on the machine, Envoy's counters are there."""
    async with open_world(Plan(prometheus=prometheus)) as world, aiohttp.ClientSession() as session:
        query = {"query": "envoy_cluster_upstream_rq_completed"}
        async with asyncio.timeout(30):
            while True:
                async with session.get(f"{world.prometheus_url}/api/v1/query", params=query) as response:
                    found = (await response.json())["data"]["result"]
                if {"shop-blue", "cart-blue"} <= {one["metric"]["envoy_cluster_name"] for one in found}:
                    break
                await asyncio.sleep(0.1)


@pytest.fixture
def prometheus() -> Path:
    """Return the machine's Prometheus."""
    return require_prometheus()
