"""What both runtimes have in common: a controller at work, its API, its counters, and what serves them.

Called by ``rollout.bootstrap.envoy`` and ``rollout.bootstrap.kubernetes``, which make what these stand on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import structlog

from rollout.api.app import ApiOptions, create_app
from rollout.api.connections import Limits, make_room
from rollout.api.server import ServerOptions, serving
from rollout.api.service import Service
from rollout.api.streams import StreamOptions
from rollout.api.tls import TlsFiles
from rollout.bootstrap.telling import begin_telling, desk_of
from rollout.clock import SystemClock
from rollout.controller.controller import Controller, Options, Ports
from rollout.controller.gauges import RolloutGauges
from rollout.controller.metered import count_told, metered
from rollout.controller.readiness import Readiness
from rollout.controller.switch import OperatorSwitch
from rollout.ending import end
from rollout.errors import ConfigurationError, Problem, Unavailable
from rollout.gates.addresses import AllowList
from rollout.gates.http import HttpGates
from rollout.meters import Meters
from rollout.ports import Access, Gates, IntentStore, Journal, Measurements, RolloutStore
from rollout.probes.probes import LoopProbes
from rollout.probes.tls import Certificates
from rollout.prometheus.client import PrometheusClient
from rollout.prometheus.measurements import PrometheusMeasurements
from rollout.settings.address import Address
from rollout.settings.hooks import StartHook, read_hooks
from rollout.settings.table import FailoverSwitch, ServeSettings
from rollout.signals import Probes, SwitchRecord
from rollout.webhooks import read_secrets

log = structlog.get_logger(__name__)

OTHER_CONNECTIONS = 256
"""How many connections there may be beside those of event streams."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """A running service: its store, its controller, and where its API is (empty: off).

    ``done`` is the controller at work; ``parts`` are all that must not end by themselves. ``counters_from`` names the
    source of counters. ``first_token`` is the token that was just made since there was none, to be shown once.
    """

    store: RolloutStore
    controller: Controller
    meters: Meters
    done: asyncio.Task[None]
    url: str = ""
    parts: frozenset[asyncio.Task[None]] = frozenset()
    counters_from: str = ""
    first_token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Desk:
    """What the API stands on beside the controller; ``stale`` says which knowledge is old, empty when none is."""

    store: RolloutStore
    intents: IntentStore
    journal: Journal
    access: Access
    runtime: str
    switch: OperatorSwitch
    stale: Callable[[], str] = str


@dataclass(slots=True)
class Work:
    """A controller that waits for ``begun`` before its first pass, so that all that may fail at the start has not.

    ``first`` is awaited after that: what may take as long as it takes.
    """

    ports: Ports
    controller: Controller
    meters: Meters
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    first: Callable[[], Awaitable[None]] | None = None

    @classmethod
    def of(cls, ports: Ports, options: Options, meters: Meters) -> Work:
        """Return a controller whose doings are counted in ``meters``."""
        controller = Controller(metered(ports, meters), options, meters)
        controller.subscribe(count_told(meters))
        meters.registry.register(RolloutGauges(controller.states))
        meters.stopped_is(lambda: ports.switch.stopped)
        return cls(ports, controller, meters)

    def start(self, stack: AsyncExitStack) -> asyncio.Task[None]:
        """Let it work, and be told of, until ``stack`` is closed."""
        done = asyncio.create_task(self._run(), name="the controller")
        stack.push_async_callback(end, done)
        begin_telling(self.ports, self.controller, stack)
        return done

    async def _run(self) -> None:
        await self.begun.wait()
        if self.first is not None:
            await self.first()
        await self.controller.run()


async def listen(
    desk: Desk, work: Work, settings: ServeSettings, *, address: Address, stack: AsyncExitStack
) -> tuple[str, asyncio.Task[None]]:
    """Let the API take requests until ``stack`` is closed; return its URL and what serves it.

    Raises:
        Unavailable: the address is not free.
        ConfigurationError: the certificate cannot be used.
    """
    clock, closing = SystemClock(), asyncio.Event()
    readiness = Readiness(work.controller, desk.store, clock, closing, stale=desk.stale)
    service = Service(
        store=desk.store,
        intents=desk.intents,
        journal=desk.journal,
        controller=work.controller,
        access=desk.access,
        clock=clock,
        meters=work.meters,
        runtime=desk.runtime,
        ready=readiness.why_not,
        switch=desk.switch,
        sinks=desk_of(work.ports),
        hooks=await start_hooks(settings.hooks),
    )
    streams = StreamOptions(closing, most_streams=settings.streams)
    app = create_app(service, ApiOptions(settings.rate_per_second, settings.rate_burst, streams=streams))
    limits = Limits(connections=settings.streams + OTHER_CONNECTIONS)
    make_room(limits.connections)
    listening = await stack.enter_async_context(serving(app, ServerOptions(address, limits, _tls(settings)), closing))
    return listening.url, listening.done


def operators_switch(record: SwitchRecord, settings: ServeSettings) -> OperatorSwitch:
    """Return the switch that stops all automatic failover; the log says how it stands."""
    switch = OperatorSwitch(record, SystemClock(), by_setting=settings.failover is FailoverSwitch.STOPPED)
    switch.begin()
    return switch


def of_prometheus(settings: ServeSettings, address: str, meters: Meters, stack: AsyncExitStack) -> Measurements:
    """Return the counters of the Prometheus at ``address``."""
    client = PrometheusClient(
        address,
        token_file=settings.prometheus_token_file,
        ca_file=settings.prometheus_ca_file,
        count=partial(meters.asked, "prometheus"),
    )
    stack.callback(client.close)
    measurements = PrometheusMeasurements(client, SystemClock())
    stack.push_async_callback(measurements.aclose)
    return measurements


async def probing(settings: ServeSettings, meters: Meters, stack: AsyncExitStack) -> Probes:
    """Return probes that are sent until ``stack`` is closed; nothing is probed before somebody wants it."""
    probes = LoopProbes(SystemClock(), Certificates(settings.probe_certificates), late=meters.probe_began)
    stack.push_async_callback(probes.aclose)
    await probes.start()
    return probes


async def gating(settings: ServeSettings, stack: AsyncExitStack) -> Gates:
    """Return gates that may be called until ``stack`` is closed.

    Raises:
        ConfigurationError: calls are to be signed, and the secret cannot be used.
    """
    file = settings.gate_secret_file
    if file is not None:
        try:
            await asyncio.to_thread(read_secrets, file)
        except Unavailable as error:
            raise ConfigurationError((Problem("gate_secret_file", str(error), given=str(file)),)) from error
    gates = HttpGates(AllowList(settings.gate_hosts), SystemClock(), secret_file=file)
    return await stack.enter_async_context(gates)


async def start_hooks(path: Path | None) -> tuple[StartHook, ...]:
    """Return the hooks by which attempts are started; the log names those whose secret cannot be used yet.

    Raises:
        ConfigurationError: their file is wrong.
    """
    hooks = await asyncio.to_thread(read_hooks, path) if path is not None else ()
    for hook in hooks:
        try:
            await asyncio.to_thread(read_secrets, Path(hook.secret_file))
        except Unavailable as error:
            log.warning("a start hook cannot be used yet", hook=hook.name, file=hook.secret_file, why=str(error))
    if hooks:
        log.info("attempts may be started by hooks", file=str(path), hooks=[hook.name for hook in hooks])
    return hooks


def _tls(settings: ServeSettings) -> TlsFiles | None:
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    return TlsFiles(settings.tls_certificate, settings.tls_key, settings.tls_client_ca)
