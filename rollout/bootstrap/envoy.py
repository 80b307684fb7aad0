"""The envoy runtime: its store, routes, health and counters, joined with the controller and started in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import structlog

from rollout.bootstrap.running import Desk, Runtime, Work, gating, listen, of_prometheus, operators_switch, probing
from rollout.bootstrap.telling import with_sinks
from rollout.clock import SystemClock
from rollout.controller.almanac import Almanac
from rollout.controller.calendar import Calendar
from rollout.controller.catalog import Abilities
from rollout.controller.controller import Controller, Options, Ports
from rollout.controller.switch import OperatorSwitch
from rollout.envoy.admin import AdminClient
from rollout.envoy.health import EnvoyBackendHealth
from rollout.envoy.measurements import EnvoyMeasurements
from rollout.envoy.routes import EnvoyRouteTable, RouteTableOptions
from rollout.manifests.folder import ManifestFolder
from rollout.meters import Meters
from rollout.ports import Measurements
from rollout.settings.table import ServeSettings, masked
from rollout.spec.resource import RouteKind
from rollout.sqlite.store import SqliteStore
from rollout.tokens.file import TokenFile
from rollout.tokens.roles import Role

log = structlog.get_logger(__name__)

KEPT_TRANSITIONS = 1000
"""How many transitions of a Rollout the history keeps."""

FIRST = "first"
"""The name of the token that is made when there is no file of tokens."""


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
        switch = operators_switch(store.switch, settings)
        ports = await _ports(settings, store, switch, meters=meters, stack=stack)
        ports = await with_sinks(ports, settings.sinks, meters)
        await _follow_manifests(settings.manifests, store, stack)
        options = Options(
            settings.tick_seconds, abilities=Abilities(frozenset({RouteKind.ENVOY_ROUTE})), calendar_of=Almanac()
        )
        work = Work.of(ports, options, meters)
        meters.shards_are(lambda: 1, of=1)  # nobody else acts for any of them
        done = work.start(stack)
        calendar = _calendar(work.controller, store)
        calendar.start()
        stack.callback(calendar.stop)
        url, first_token, parts = "", "", {done}
        if settings.address is not None:
            access = TokenFile(settings.tokens_file, ports.clock)
            desk = Desk(store, store, store, access, "envoy", switch)
            url, listening = await listen(desk, work, settings, address=settings.address, stack=stack)
            parts.add(listening)
            first_token = await _first_token(settings.tokens_file, access)
        work.begun.set()
        source = str(masked(settings.prometheus or settings.admin))
        yield Runtime(store, work.controller, meters, done, url, frozenset(parts), source, first_token)


async def _first_token(file: Path, access: TokenFile) -> str:
    """Return a token that was made now, or an empty text where there is a file of tokens."""
    if await asyncio.to_thread(file.exists):
        return ""
    return await asyncio.to_thread(access.create, FIRST, Role.OPERATOR)


async def _ports(
    settings: ServeSettings, store: SqliteStore, switch: OperatorSwitch, *, meters: Meters, stack: AsyncExitStack
) -> Ports:
    """Open the outside world beside the store."""
    clock, admin = SystemClock(), AdminClient(settings.admin, count=partial(meters.asked, "envoy"))
    stack.push_async_callback(admin.aclose)
    routes = EnvoyRouteTable(admin, clock, RouteTableOptions(files=settings.rds, staging=settings.staging))
    await routes.start()
    stack.push_async_callback(routes.aclose)
    health = EnvoyBackendHealth(admin, clock, poll_seconds=min(1.0, settings.tick_seconds))
    await health.start()
    stack.push_async_callback(health.aclose)
    measurements = _measurements(settings, admin, meters, stack)
    gates = await gating(settings, stack)
    probes = await probing(settings, meters, stack)
    return Ports(store, routes, health, measurements, gates, clock, probes=probes, switch=switch)


async def _follow_manifests(folder: Path | None, store: SqliteStore, stack: AsyncExitStack) -> None:
    if folder is not None:
        manifests = ManifestFolder(folder, store)
        await manifests.start()
        stack.push_async_callback(manifests.aclose)


def _measurements(settings: ServeSettings, admin: AdminClient, meters: Meters, stack: AsyncExitStack) -> Measurements:
    if settings.prometheus is None:
        return EnvoyMeasurements(admin, SystemClock())
    return of_prometheus(settings, settings.prometheus, meters, stack)


def _calendar(controller: Controller, store: SqliteStore) -> Calendar:
    def resync() -> None:
        for key in list(store.keys()):
            controller.wake(key)

    async def trim() -> None:
        log.info("history trimmed", transitions=await store.trim_history(KEPT_TRANSITIONS))

    return Calendar(resync=resync, trim=trim)
