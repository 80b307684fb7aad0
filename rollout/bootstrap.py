"""The only place that joins ports and adapters: what the envoy runtime is made of, started and stopped in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import structlog

from rollout.api.app import ApiOptions, create_app
from rollout.api.connections import Limits, make_room
from rollout.api.server import ServerOptions, serving
from rollout.api.service import Service
from rollout.api.streams import StreamOptions
from rollout.api.tls import TlsFiles
from rollout.clock import SystemClock
from rollout.controller.calendar import Calendar
from rollout.controller.catalog import Abilities
from rollout.controller.controller import Controller, Options, Ports
from rollout.controller.gauges import RolloutGauges
from rollout.controller.metered import count_told, metered
from rollout.controller.readiness import Readiness
from rollout.envoy.admin import AdminClient
from rollout.envoy.health import EnvoyBackendHealth
from rollout.envoy.measurements import EnvoyMeasurements
from rollout.envoy.routes import EnvoyRouteTable, RouteTableOptions
from rollout.gates.http import HttpGates
from rollout.manifests.folder import ManifestFolder
from rollout.meters import Meters
from rollout.ports import Measurements
from rollout.prometheus.client import PrometheusClient
from rollout.prometheus.measurements import PrometheusMeasurements
from rollout.settings.address import Address
from rollout.settings.table import ServeSettings
from rollout.spec.resource import RouteKind
from rollout.sqlite.store import SqliteStore
from rollout.tokens.file import TokenFile
from rollout.tokens.roles import Role

log = structlog.get_logger(__name__)

KEPT_TRANSITIONS = 1000
"""How many transitions of a Rollout the history keeps."""

OTHER_CONNECTIONS = 256
"""How many connections there may be beside those of event streams."""

FIRST = "first"
"""The name of the token that is made when there is no file of tokens."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """A running envoy runtime: its store, its routes, its controller, and where its API is (empty: off).

    ``done`` is the controller at work; ``parts`` are all that must not end by themselves. ``first_token`` is the token
    that was just made since there was none, to be shown once.
    """

    store: SqliteStore
    routes: EnvoyRouteTable
    controller: Controller
    meters: Meters
    done: asyncio.Task[None]
    url: str = ""
    parts: frozenset[asyncio.Task[None]] = frozenset()
    first_token: str = field(default="", repr=False)


@asynccontextmanager
async def envoy_runtime(settings: ServeSettings) -> AsyncIterator[Runtime]:
    """Run the controller and its API beside a plain Envoy as long as the context is open.

    Everything is open and read once before the first pass: the store, the route files, the manifests, and the API's
    address is ours. At the end the API goes first, then the controller, then what it stands on.

    Raises:
        RolloutError: a file, a folder, an address or the database cannot be used; the sentence says which and why.
    """
    async with AsyncExitStack() as stack:
        store = await SqliteStore.open(settings.database)
        stack.push_async_callback(store.close)
        meters = Meters()
        ports, routes = await _ports(settings, store, meters, stack)
        await _follow_manifests(settings.manifests, store, stack)
        options = Options(settings.tick_seconds, abilities=Abilities(frozenset({RouteKind.ENVOY_ROUTE})))
        controller, begun = Controller(metered(ports, meters), options, meters), asyncio.Event()
        controller.subscribe(count_told(meters))
        meters.registry.register(RolloutGauges(controller.states))
        done = asyncio.create_task(_run(controller, begun), name="the controller")
        stack.push_async_callback(_end, done)
        calendar = _calendar(controller, store)
        calendar.start()
        stack.callback(calendar.stop)
        runtime = Runtime(store, routes, controller, meters, done, parts=frozenset({done}))
        if settings.address is not None:
            runtime = await _with_api(runtime, settings, settings.address, stack)
        begun.set()
        yield runtime


async def _ports(
    settings: ServeSettings, store: SqliteStore, meters: Meters, stack: AsyncExitStack
) -> tuple[Ports, EnvoyRouteTable]:
    """Open the outside world beside the store."""
    clock, admin = SystemClock(), AdminClient(settings.admin, count=partial(meters.asked, "envoy"))
    stack.push_async_callback(admin.aclose)
    routes = EnvoyRouteTable(admin, clock, RouteTableOptions(files=settings.rds, staging=settings.staging))
    await routes.start()
    stack.push_async_callback(routes.aclose)
    health = EnvoyBackendHealth(admin, poll_seconds=min(1.0, settings.tick_seconds))
    await health.start()
    stack.push_async_callback(health.aclose)
    measurements = _measurements(settings, admin, meters, stack)
    gates = await stack.enter_async_context(HttpGates(frozenset(host.lower() for host in settings.gate_hosts)))
    return Ports(store, routes, health, measurements, gates, clock), routes


async def _run(controller: Controller, begun: asyncio.Event) -> None:
    """Let the controller work once all that may fail at the start has not."""
    await begun.wait()
    await controller.run()


async def _with_api(runtime: Runtime, settings: ServeSettings, address: Address, stack: AsyncExitStack) -> Runtime:
    """Let the API of ``runtime`` take requests; it has the address before anything else is done."""
    clock, closing, tokens = SystemClock(), asyncio.Event(), settings.tokens_file
    access = TokenFile(tokens, clock)
    readiness = Readiness(runtime.controller, runtime.store, clock, closing)
    service = Service(
        store=runtime.store,
        intents=runtime.store,
        journal=runtime.store,
        controller=runtime.controller,
        access=access,
        clock=clock,
        meters=runtime.meters,
        runtime="envoy",
        ready=readiness.why_not,
    )
    streams = StreamOptions(closing, most_streams=settings.streams)
    app = create_app(service, ApiOptions(settings.rate_per_second, settings.rate_burst, streams=streams))
    limits = Limits(connections=settings.streams + OTHER_CONNECTIONS)
    make_room(limits.connections)
    options = ServerOptions(address, limits, _tls(settings))
    listening = await stack.enter_async_context(serving(app, options, closing))
    first = (
        "" if await asyncio.to_thread(tokens.exists) else await asyncio.to_thread(access.create, FIRST, Role.OPERATOR)
    )
    parts = runtime.parts | {listening.done}
    return replace(runtime, url=listening.url, parts=parts, first_token=first)


def _tls(settings: ServeSettings) -> TlsFiles | None:
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    return TlsFiles(settings.tls_certificate, settings.tls_key, settings.tls_client_ca)


async def _follow_manifests(folder: Path | None, store: SqliteStore, stack: AsyncExitStack) -> None:
    if folder is not None:
        manifests = ManifestFolder(folder, store)
        await manifests.start()
        stack.push_async_callback(manifests.aclose)


def _measurements(settings: ServeSettings, admin: AdminClient, meters: Meters, stack: AsyncExitStack) -> Measurements:
    if settings.prometheus is None:
        return EnvoyMeasurements(admin, SystemClock())
    client = PrometheusClient(
        settings.prometheus,
        token_file=settings.prometheus_token_file,
        ca_file=settings.prometheus_ca_file,
        count=partial(meters.asked, "prometheus"),
    )
    stack.callback(client.close)
    return PrometheusMeasurements(client, SystemClock())


def _calendar(controller: Controller, store: SqliteStore) -> Calendar:
    def resync() -> None:
        for key in list(store.keys()):
            controller.wake(key)

    async def trim() -> None:
        log.info("history trimmed", transitions=await store.trim_history(KEPT_TRANSITIONS))

    return Calendar(resync=resync, trim=trim)


async def _end(done: asyncio.Task[None]) -> None:
    done.cancel()
    await asyncio.gather(done, return_exceptions=True)
