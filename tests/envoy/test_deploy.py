"""The sample configuration in deploy/envoy: Envoy takes it, it serves, and its weights can be moved."""

import asyncio
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import grpc
import pytest

from rollout.clock import SystemClock
from rollout.engine.observation import Acceptance, BackendKey, Endpoints, RouteKey, RuleWeights
from rollout.envoy.admin import AdminClient
from rollout.envoy.health import EnvoyBackendHealth
from rollout.envoy.routes import EnvoyRouteTable, RouteTableOptions
from rollout.errors import UpdateRefused
from tests.envoy.backends import METHOD, GrpcBackend, HttpBackend
from tests.envoy.world import EnvoyWorld, envoy_path
from tests.waiting import until

pytestmark = pytest.mark.real

SAMPLE = Path(__file__).parents[2] / "deploy" / "envoy"
PORTS = {
    "checkout-v1": 8081,
    "checkout-v2": 8082,
    "checkout-dr": 8083,
    "checkout-grpc-v1": 9081,
    "checkout-grpc-v2": 9082,
    "checkout-grpc-dr": 9083,
}
ROUTES = {"checkout": ("checkout-read", "checkout"), "checkout-grpc": ("checkout-grpc",)}
TRIES = 40


@dataclass
class World:
    """The sample, started in another folder and on free ports."""

    envoy: EnvoyWorld
    table: EnvoyRouteTable
    health: EnvoyBackendHealth
    servers: Mapping[str, HttpBackend | GrpcBackend]

    async def call(self) -> str:
        """Return the name of the gRPC backend that answers."""
        async with grpc.aio.insecure_channel(f"127.0.0.1:{self.envoy.port}") as channel:
            answer: bytes = await channel.unary_unary(METHOD)(b"", timeout=5)
        return answer.decode()

    async def shift(self, service: str, *, canary: int = 0, backup: int = 0) -> None:
        """Give the canary and the backup of a service this much of 100, in all of its routes."""
        for route in ROUTES[service]:
            assert await self._shift(route, service, canary, backup) is Acceptance.ACCEPTED

    async def _shift(self, route: str, service: str, canary: int, backup: int) -> Acceptance:
        key = RouteKey("EnvoyRoute", "shop", route)
        view = self.table.read(key)
        assert view is not None, self.table.explain(key)
        weights = {"v1": 100 - canary - backup, "v2": canary, "dr": backup}
        given = {BackendKey("shop", f"{service}-{which}"): weight for which, weight in weights.items()}
        rules = [RuleWeights(rule.index, rule.name, given) for rule in view.rules]
        return (await self.table.write(key, rules, expected=view.version)).acceptance


def copy(folder: Path, ports: Mapping[str, int]) -> Path:
    """Copy the sample into `folder`, with its own paths, free ports of its own, and these ports of backends."""
    target = folder / "sample"
    shutil.copytree(SAMPLE, target)
    bootstrap = target / "bootstrap.yaml"
    text = bootstrap.read_text().replace("/etc/envoy", str(target))
    bootstrap.write_text(
        text.replace("port_value: 9901", "port_value: 0").replace("port_value: 10000", "port_value: 0")
    )
    clusters = target / "cds" / "clusters.yaml"
    text = clusters.read_text()
    for name, port in ports.items():
        text = text.replace(f"port_value: {PORTS[name]}", f"port_value: {port}")
    clusters.write_text(text)
    return target


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """The sample with six live backends behind it, and all weight on the first versions."""
    async with AsyncExitStack() as stack:
        http = [HttpBackend(name) for name in PORTS if "grpc" not in name]
        calls = [GrpcBackend(name) for name in PORTS if "grpc" in name]
        for backend in http:
            await backend.start()
            stack.push_async_callback(backend.close)
        for server in calls:
            await server.start()
            stack.push_async_callback(server.close)
        target = copy(tmp_path, {one.name: one.port for one in http} | {one.name: one.port for one in calls})
        envoy = EnvoyWorld(tmp_path, [], bootstrap=target / "bootstrap.yaml")
        stack.push_async_callback(envoy.kill)
        await envoy.start()
        admin = AdminClient(envoy.admin_address)
        stack.push_async_callback(admin.aclose)
        table = EnvoyRouteTable(admin, SystemClock(), RouteTableOptions((target / "rds" / "routes.yaml",)))
        await table.start()
        stack.push_async_callback(table.aclose)
        health = EnvoyBackendHealth(admin, SystemClock(), poll_seconds=0.05)
        await health.start()
        stack.push_async_callback(health.aclose)
        backends = [BackendKey("shop", name) for name in PORTS]
        await until(lambda: all(health.endpoints(backend) == Endpoints(1, 1) for backend in backends), seconds=10)
        servers: dict[str, HttpBackend | GrpcBackend] = {one.name: one for one in http}
        servers |= {one.name: one for one in calls}
        world = World(envoy, table, health, servers)
        for service in ROUTES:
            await world.shift(service)
        yield world


async def test_envoy_validates_the_bootstrap(tmp_path: Path) -> None:
    """`envoy --mode validate` finds nothing wrong."""
    bootstrap = copy(tmp_path, {}) / "bootstrap.yaml"
    check = await asyncio.create_subprocess_exec(
        *(envoy_path(), "--mode", "validate", "--config-path", str(bootstrap)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await check.communicate()

    assert check.returncode == 0, said.decode()
    assert b"eprecated" not in said


async def test_both_routes_serve_stable(world: World) -> None:
    """HTTP/1.1 and gRPC on one port, all weight on the first version."""
    assert await world.envoy.served_by("/anything") == "checkout-v1"
    assert await world.call() == "checkout-grpc-v1"


def test_the_sample_lets_the_backup_stand_by() -> None:
    """The weight that its Rollouts give an idle backup is in the routes from the beginning."""
    text = (SAMPLE / "rds" / "routes.yaml").read_text()

    assert text.count("{name: checkout-dr, weight: 1}") == len(ROUTES["checkout"])
    assert text.count("{name: checkout-grpc-dr, weight: 1}") == len(ROUTES["checkout-grpc"])


async def test_a_dead_version_is_covered_by_the_backup(world: World) -> None:
    """Requests are tried again there, with and without Envoy knowing of it, also while nobody moves any weight."""
    for service in ROUTES:
        await world.shift(service, backup=1)
        await world.servers[f"{service}-v1"].close()
    first = {await world.envoy.served_by("/anything") for _ in range(TRIES)} | {await world.call()}
    gone = [BackendKey("shop", name) for name in ("checkout-v1", "checkout-grpc-v1")]
    await until(lambda: all(world.health.endpoints(backend) == Endpoints(0, 1) for backend in gone), seconds=10)
    later = {await world.envoy.served_by("/anything") for _ in range(TRIES)} | {await world.call()}

    assert first == later == {"checkout-dr", "checkout-grpc-dr"}


async def test_each_route_moves_on_its_own(world: World) -> None:
    """Moving the gRPC route leaves the HTTP route where it was."""
    await world.shift("checkout-grpc", canary=100)

    assert await world.call() == "checkout-grpc-v2"
    assert await world.envoy.served_by("/anything") == "checkout-v1"


async def test_the_access_log_tells_version_and_grpc_status(world: World) -> None:
    """One JSON line for each request."""
    await world.call()
    log = world.envoy.folder / "envoy.log"

    await until(lambda: '"cluster":"checkout-grpc-v1"' in log.read_text(), seconds=12)
    line = next(line for line in log.read_text().splitlines() if '"cluster":"checkout-grpc-v1"' in line)
    assert '"grpc_status":"OK"' in line
    assert '"route":"checkout-grpc"' in line


async def test_a_host_that_dies_is_seen_as_not_ready(world: World, tmp_path: Path) -> None:
    """The sample's health checks find it although nobody sends it a request."""
    clusters = tmp_path / "sample" / "cds" / "clusters.yaml"
    text = clusters.read_text()
    start = text.index("name: checkout-v2")
    fresh = tmp_path / "clusters.yaml"
    port = text[start:].split("port_value: ", 1)[1].split("}", 1)[0]
    fresh.write_text(
        text.replace(f"port_value: {port}", "port_value: 1").replace('version_info: "1"', 'version_info: "2"')
    )
    fresh.rename(clusters)

    backend = BackendKey("shop", "checkout-v2")
    await until(lambda: world.health.endpoints(backend) == Endpoints(0, 1), seconds=10)


async def test_an_unknown_cluster_is_refused(world: World, tmp_path: Path) -> None:
    """`validate_clusters` protects against a typo: the old routes stay, and the message says which cluster."""
    routes = tmp_path / "sample" / "rds" / "routes.yaml"
    routes.write_text(routes.read_text().replace("{name: checkout-v2,", "{name: checkout-v3,"))
    key = RouteKey("EnvoyRoute", "shop", "checkout")
    await until(lambda: "checkout-v3" in str(world.table.read(key)))
    view = world.table.read(key)
    assert view is not None
    rule = RuleWeights(0, "shop", {BackendKey("shop", "checkout-v1"): 50, BackendKey("shop", "checkout-v3"): 50})

    with pytest.raises(UpdateRefused, match="no cluster checkout-v3"):
        await world.table.write(key, [rule], expected=view.version)

    assert await world.envoy.served_by("/anything") == "checkout-v1"


async def test_counters_per_host_reach_prometheus(world: World) -> None:
    """The counters that know gRPC are exported by host, for those who scrape Envoy."""
    await world.envoy.served_by("/anything")
    address = f"http://{world.envoy.admin_address}/stats/prometheus?filter=endpoint"
    async with aiohttp.ClientSession() as session, session.get(address) as response:
        text = await response.text()

    assert (
        'envoy_cluster_endpoint_rq_success{envoy_cluster_name="checkout-v1",envoy_endpoint_address="127.0.0.1' in text
    )


def test_the_sample_manifests_are_valid() -> None:
    """`rollout lint` has nothing to say about them."""
    command = [sys.executable, "-m", "rollout", "lint", str(SAMPLE / "rollouts" / "checkout.yaml")]

    checked = subprocess.run(command, capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stdout
    assert "0 errors, 0 warnings" in checked.stdout + checked.stderr
