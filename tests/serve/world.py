"""A real Envoy with small backends, load on it, and `rollout serve` beside it: the world of these tests."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from aiohttp import web

from rollout.demo.load import Counter as Latencies
from rollout.demo.load import drive
from tests.envoy.backends import HttpBackend
from tests.envoy.world import CONFIGURATION, Cluster, EnvoyWorld, rds_yaml
from tests.serve.server import Database, Server


def checked(every_seconds: float) -> Mapping[str, object]:
    """Return what makes Envoy check the hosts of a cluster this often."""
    return {
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "health_checks": [
            {
                "timeout": "3s",
                "interval": f"{every_seconds:g}s",
                "no_traffic_interval": f"{every_seconds:g}s",
                "unhealthy_threshold": 2,
                "healthy_threshold": 1,
                "http_health_check": {"path": "/healthz"},
            }
        ],
    }


_CLUSTER = re.compile(r"- \{name: ([\w-]+), weight: (\d+)\}")
_ROUTE = re.compile(r"^    - name: ([\w-]+)$")

Weights = Mapping[str, int]


class FlakyBackend(HttpBackend):
    """A backend that answers every `error_every`-th request with 500, and health checks well."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.error_every = 0
        self._answered = 0

    async def _answer(self, request: web.Request) -> web.Response:
        if request.path == "/healthz":
            return web.Response(text="ok")
        self._answered += 1
        if self.error_every and self._answered % self.error_every == 0:
            return web.Response(status=500, text=self.name)
        return await super()._answer(request)


def manifest(name: str, *, revision: str, steps: Sequence[tuple[float, str]], **spec: object) -> str:
    """Return a manifest (as JSON, which is YAML) for route `name` with backends `<name>-v1` and `<name>-v2`."""
    document = {
        "apiVersion": "rollout.dev/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {
            "routes": [{"kind": "EnvoyRoute", "name": name}],
            "backends": {"stable": {"name": f"{name}-v1"}, "canary": {"name": f"{name}-v2"}},
            "revision": revision,
            "steps": [{"weight": weight, "hold": hold} for weight, hold in steps],
            "analysis": {"minRequests": 5, "checks": [{"name": "errors", "kind": "Errors"}]},
            **spec,
        },
    }
    return json.dumps(document, indent=1)


def weights_of(rds: str) -> Mapping[str, Weights]:
    """Return the weights in an RDS file as `rds_yaml` writes it, by route."""
    found: dict[str, dict[str, int]] = {}
    route = ""
    for line in rds.splitlines():
        if name := _ROUTE.match(line):
            route = name[1]
        elif cluster := _CLUSTER.search(line):
            found.setdefault(route, {})[cluster[1]] = int(cluster[2])
    return found


@dataclass
class ServeWorld:
    """Envoy, its backends, the folder of manifests and the command beside them."""

    folder: Path
    envoy: EnvoyWorld
    first: FlakyBackend
    second: FlakyBackend
    server: Server
    database: Database
    failed: Counter[str] = field(default_factory=Counter)
    """How many requests of the load failed, by status or error."""

    @property
    def manifests(self) -> Path:
        """Return the folder of manifests."""
        return self.folder / "manifests"

    def put(self, text: str, *, name: str = "checkout.yaml") -> None:
        """Rename a manifest into place."""
        fresh = self.folder / f"{name}.new"
        fresh.write_text(text)
        fresh.rename(self.manifests / name)

    def weights(self, route: str = "checkout") -> Weights:
        """Return the weights that the RDS file gives."""
        return weights_of(self.envoy.rds.read_text())[route]

    def status(self, name: str = "checkout") -> Mapping[str, object]:
        """Return the recorded status."""
        return self.database.status(name)

    def phase(self, name: str = "checkout") -> object:
        """Return the recorded phase, None when there is none."""
        return self.status(name).get("phase")

    async def in_phase(self, phase: str, *, name: str = "checkout", seconds: float = 20.0) -> Mapping[str, object]:
        """Wait until the Rollout is recorded in `phase`; return its status."""
        await self.server.until(lambda: self.phase(name) == phase, seconds=seconds)
        return self.status(name)

    async def adopted(self, name: str = "checkout") -> None:
        """Wait until the first revision was taken as the baseline."""
        await self.server.until(lambda: self.status(name).get("reason") == "Baseline")

    async def envoy_weights(self) -> dict[str, Weights]:
        """Return the weights that Envoy itself has now, by route."""
        url = f"http://{self.envoy.admin_address}/config_dump?resource=dynamic_route_configs"
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            dump = json.loads(await response.text())
        found: dict[str, Weights] = {}
        for entry in dump["configs"]:
            configuration = entry["route_config"]
            for route in configuration["virtual_hosts"][0]["routes"] if configuration["name"] == CONFIGURATION else ():
                clusters = route["route"]["weighted_clusters"]["clusters"]
                found[route["name"]] = {one["name"]: int(one.get("weight", 0)) for one in clusters}
        return found

    @asynccontextmanager
    async def load(self, *routes: str, rate: float = 100.0) -> AsyncIterator[None]:
        """Send `rate` requests a second to each route as long as the context is open."""
        limit = aiohttp.ClientTimeout(total=3)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=limit) as session:
            work = [asyncio.create_task(self._drive(session, route, rate)) for route in routes or ("checkout",)]
            try:
                yield
            finally:
                for task in work:
                    task.cancel()
                await asyncio.gather(*work, return_exceptions=True)

    async def _drive(self, session: aiohttp.ClientSession, route: str, rate: float) -> None:
        url = f"http://127.0.0.1:{self.envoy.port}/{route}"

        async def send() -> tuple[str, bool]:
            try:
                async with session.get(url) as response:
                    answer, problem = await response.text(), str(response.status) if not response.ok else ""
            except (aiohttp.ClientError, TimeoutError) as error:
                answer, problem = "-", type(error).__name__
            self.failed.update([problem] if problem else [])
            return answer, bool(problem)

        await drive(send, Latencies(), rate=rate, offset_seconds=0)

    async def weights_are(self, wanted: Weights, *, route: str = "checkout", seconds: float = 20.0) -> None:
        """Wait until the RDS file gives these weights."""
        await self.server.until(lambda: self.weights(route) == wanted, seconds=seconds)


@asynccontextmanager
async def serve_world(
    folder: Path, *routes: str, tick: str = "0.5s", check_seconds: float = 0.2, **more: str
) -> AsyncIterator[ServeWorld]:
    """Start Envoy and backends for these routes; `rollout serve` is ready to be started, with flags `more`."""
    first, second = FlakyBackend("v1"), FlakyBackend("v2")
    await first.start()
    await second.start()
    extra = checked(check_seconds)
    clusters = [Cluster(f"{name}-v1", (first.port,), extra=extra) for name in routes]
    clusters += [Cluster(f"{name}-v2", (second.port,), extra=extra) for name in routes]
    envoy = EnvoyWorld(folder, clusters)
    envoy.rds.write_text(rds_yaml("by-hand", {name: {f"{name}-v1": 100, f"{name}-v2": 0} for name in routes}))
    (folder / "manifests").mkdir()
    flags = {"manifests": str(folder / "manifests"), "rds": str(envoy.rds), "database": str(folder / "rollout.db")}
    server = Server(folder)
    world = ServeWorld(folder, envoy, first, second, server, Database(folder / "rollout.db"))
    try:
        await envoy.start()
        flags |= {"admin": f"http://{envoy.admin_address}", "tick": tick, "listen": "127.0.0.1:0", **more}
        server.arguments = tuple(f"--{flag}={value}" for flag, value in flags.items())
        yield world
    finally:
        await server.kill()
        await envoy.kill()
        await first.close()
        await second.close()
