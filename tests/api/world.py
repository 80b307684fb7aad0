"""The API as a client meets it: a controller over fakes, the application, and a server on a free port.

Time is the machine's: what is awaited comes within milliseconds. Routes, endpoints and counters are those of
``tests.fakes``; the store is one of them, too, or a real one.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol

import aiohttp
from yarl import URL

from rollout.api.app import ApiOptions, create_app
from rollout.api.connections import Limits
from rollout.api.server import ServerOptions, serving
from rollout.api.service import Service
from rollout.clock import SystemClock
from rollout.controller.catalog import Abilities
from rollout.controller.controller import Controller, Options, Ports
from rollout.controller.gauges import RolloutGauges
from rollout.controller.metered import count_told, metered
from rollout.controller.switch import OperatorSwitch
from rollout.engine.observation import BackendKey, Endpoints, RouteKey
from rollout.engine.state import State
from rollout.engine.table import Phase
from rollout.meters import Meters
from rollout.ports import IntentStore, Journal, Key, RolloutStore
from rollout.settings.address import Address
from rollout.spec.resource import RouteKind
from tests.fakes.access import FakeAccess
from tests.fakes.gates import FakeGates
from tests.fakes.health import FakeBackendHealth
from tests.fakes.measurements import FakeMeasurements
from tests.fakes.routes import FakeRouteTable
from tests.fakes.sinks import FakeDesk
from tests.fakes.store import FakeStore
from tests.fakes.switch import FakeSwitch
from tests.waiting import until

OPERATOR, VIEWER, NOBODY = "token-of-olga-0", "token-of-victor-1", "token-of-nora-2"
"""Tokens: one may do everything, one may look, and one has no role."""

WEB = Key("shop", "web")
V1, V2 = "web-v1", "web-v2"
NO_LIMITS = {"rate_per_second": 100_000, "burst": 100_000, "failures_per_minute": 100_000}


class Store(RolloutStore, IntentStore, Journal, Protocol):
    """A store as the service needs it: three ports in one."""


def known_callers() -> FakeAccess:
    """Return who may do what: those of the three tokens."""
    access = FakeAccess(SystemClock())
    made = [access.create(name, role) for name, role in (("olga", "operator"), ("victor", "viewer"), ("nora", "none"))]
    assert made == [OPERATOR, VIEWER, NOBODY]
    return access


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: its status, headers and content."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever JSON has
        """Return the content as JSON."""
        return json.loads(self.content)


@dataclass
class World:
    """Everything around one service, running."""

    service: Service
    store: Store
    access: FakeAccess
    routes: FakeRouteTable
    health: FakeBackendHealth
    measurements: FakeMeasurements
    switch: FakeSwitch
    port: int
    session: aiohttp.ClientSession
    token: str = OPERATOR

    @property
    def faults(self) -> FakeStore:
        """Return the store as one whose writes can be made to fail."""
        assert isinstance(self.store, FakeStore)
        return self.store

    @property
    def url(self) -> str:
        """Return where the server is."""
        return f"http://127.0.0.1:{self.port}"

    async def ask(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        **given: Any,  # noqa: ANN401 - what the client takes
    ) -> Reply:
        """Ask the server, as the operator unless another token is given (empty: without one); path as it stands."""
        known = self.token if token is None else token
        sent = {**({"Authorization": f"Bearer {known}"} if known else {}), **(headers or {})}
        url = URL(f"{self.url}{path}", encoded=True)
        async with self.session.request(method, url, headers=sent, allow_redirects=False, **given) as response:
            return Reply(response.status, response.headers, await response.read())

    async def apply(self, key: Key = WEB, **spec: object) -> Reply:
        """Apply the manifest of a sound Rollout whose route and endpoints are there."""
        self.furnish(key)
        return await self.ask("PUT", f"/api/v1/rollouts/{key.namespace}/{key.name}", json=manifest(key, **spec))

    def furnish(self, key: Key = WEB) -> None:
        """Put the route and the endpoints of a Rollout there."""
        furnish(self.routes, self.health, key)

    async def standing(self, key: Key = WEB, **spec: object) -> None:
        """Apply a Rollout and wait until the controller has seen it and knows its roles."""
        reply = await self.apply(key, **spec)
        assert reply.status in {200, 201}, reply.content
        await until(lambda: self.state(key).stable)

    async def under_way(self, key: Key = WEB, **spec: object) -> None:
        """Let a Rollout be in the first step of an attempt."""
        await self.standing(key, **spec)
        reply = await self.command("start", key=key, revision="2")
        assert reply.status == 200, reply.content
        await until(lambda: self.state(key).step == 1)

    async def command(self, action: str, *, key: Key = WEB, wait: str = "5", **given: object) -> Reply:
        """Give a command."""
        path = f"/api/v1/rollouts/{key.namespace}/{key.name}/commands?wait={wait}"
        return await self.ask("POST", path, json={"action": action, **given})

    def state(self, key: Key = WEB) -> State:
        """Return where the Rollout stands; at the beginning before the first look."""
        return self.service.controller.state(key) or State()

    async def until_phase(self, phase: Phase, key: Key = WEB) -> None:
        """Wait until the Rollout is in this phase."""
        await until(lambda: self.state(key).phase is phase)


def furnish(routes: FakeRouteTable, health: FakeBackendHealth, key: Key) -> None:
    """Put the route of a Rollout there, unless it is, and ready endpoints of both backends."""
    names, route = (f"{key.name}-v1", f"{key.name}-v2"), RouteKey("EnvoyRoute", key.namespace, key.name)
    if routes.read(route) is None:
        routes.put(route, {names[0]: 100, names[1]: 0})
    for name in names:
        health.put(BackendKey(key.namespace, name), Endpoints(ready=2, total=2))


def manifest(key: Key = WEB, **spec: object) -> dict[str, object]:
    """Return the manifest of a sound Rollout without checks, ``spec`` laid over its spec; None takes a field away."""
    whole: dict[str, object] = {
        "routes": [{"kind": "EnvoyRoute", "name": key.name}],
        "backends": {"stable": {"name": f"{key.name}-v1"}, "canary": {"name": f"{key.name}-v2"}},
        "steps": [{"weight": 10, "hold": "1h"}, {"weight": 50, "hold": "1h"}],
        "revision": "1",
        "analysis": {"checks": []},
        **spec,
    }
    kept = {name: value for name, value in whole.items() if value is not None}
    return {
        "apiVersion": "rollout.dev/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": key.name, "namespace": key.namespace},
        "spec": kept,
    }


def options(**given: Any) -> ApiOptions:  # noqa: ANN401 - what the options take
    """Return options without limits of how often somebody may ask, unless some are given."""
    return ApiOptions(**{**NO_LIMITS, **given})


@asynccontextmanager
async def world(
    store: Store | None = None,
    *,
    given: ApiOptions | None = None,
    controlling: bool = True,
    ready: str = "",
    stopped: bool = False,
    desk: FakeDesk | None = None,
    **fields: Any,  # noqa: ANN401 - what the service has
) -> AsyncIterator[World]:
    """Serve the API over ``store`` as long as the context is open; without ``controlling``, no controller runs.

    ``stopped`` is the setting of failover, ``desk`` has the sinks; ``fields`` lie over the service. The route
    and the endpoints of ``WEB`` are there from the beginning.
    """
    clock = SystemClock()
    kept: Store = FakeStore(clock) if store is None else store
    access, routes, health, measurements = known_callers(), FakeRouteTable(), FakeBackendHealth(), FakeMeasurements()
    furnish(routes, health, WEB)
    record = FakeSwitch()
    switch = OperatorSwitch(record, clock, by_setting=stopped)
    ports = Ports(kept, routes, health, measurements, FakeGates(), clock, switch=switch)
    abilities = Abilities(frozenset({RouteKind.ENVOY_ROUTE}))
    meters = Meters()
    controller = Controller(metered(ports, meters), Options(cadence_seconds=0.2, abilities=abilities), meters)
    controller.subscribe(count_told(meters))
    meters.registry.register(RolloutGauges(controller.states))
    service = Service(kept, kept, kept, controller, access, clock, meters, "envoy", lambda: ready, switch)
    service = replace(service, **{**({} if desk is None else {"sinks": desk}), **fields})
    limits = given or options()
    running = asyncio.create_task(controller.run()) if controlling else None
    server = ServerOptions(Address("127.0.0.1", 0), Limits(connections=500))
    try:
        async with (
            serving(create_app(service, limits), server, limits.streams.closing) as listening,
            aiohttp.ClientSession() as session,
        ):
            port = listening.address.port
            yield World(service, kept, access, routes, health, measurements, record, port, session)
    finally:
        if running is not None:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
