"""The kubernetes runtime: one cluster seen through reflectors, and a controller that acts where a Lease lets it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from rollout.bootstrap.running import Desk, Runtime, Work, gating, listen, of_prometheus, operators_switch, probing
from rollout.bootstrap.telling import with_sinks
from rollout.clock import SystemClock
from rollout.controller.almanac import Almanac
from rollout.controller.calendar import Calendar
from rollout.controller.catalog import Abilities
from rollout.controller.controller import Controller, Options, Ports
from rollout.controller.passes import Told
from rollout.controller.switch import OperatorSwitch
from rollout.kube.access import KubeAccess
from rollout.kube.api import KubeApi
from rollout.kube.config import configuration
from rollout.kube.elector import ElectorOptions, LeaseElector
from rollout.kube.endpoints import KubeEndpoints
from rollout.kube.events import EventRecorder
from rollout.kube.notices import of_refusal, of_switch, of_transition
from rollout.kube.references import routes_named
from rollout.kube.reflector import Reflector
from rollout.kube.resources import Document
from rollout.kube.routes import KubeRouteTable
from rollout.kube.store import KubeStore
from rollout.kube.switch import KubeSwitch
from rollout.kube.warm import Warmer
from rollout.kube.workloads import KubeWorkloads
from rollout.meters import Meters
from rollout.ports import Key, Measurements
from rollout.prometheus.absent import WHY, NoPrometheus
from rollout.settings.table import ServeSettings, masked
from rollout.signals import Position
from rollout.spec.built_in import cluster_policy
from rollout.spec.resource import RouteKind

ROUTES = frozenset({RouteKind.HTTP_ROUTE, RouteKind.GRPC_ROUTE})
POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
DEFAULT_NAMESPACE = "default"


@dataclass(frozen=True, slots=True)
class Cluster:
    """The adapters of one cluster, started."""

    api: KubeApi
    store: KubeStore
    routes: KubeRouteTable
    endpoints: KubeEndpoints
    workloads: KubeWorkloads
    elector: LeaseElector
    switch: KubeSwitch
    chance: Callable[[], float]

    def watches(self) -> tuple[Reflector, ...]:
        """Return every reflector."""
        return (
            *self.store.watches(),
            *self.routes.watches(),
            *self.endpoints.watches(),
            *self.workloads.watches(),
        )

    def stale(self) -> str:
        """Return one sentence that names the caches that are empty yet, or old, or why no Lease can be had; or none."""
        unread = [f"{watch.resource.plural}{f' ({watch.problem})' * bool(watch.problem)}" for watch in self._unread()]
        if unread:
            return f"not read from the API server yet: {', '.join(unread)}"
        old = [watch.resource.plural for watch in self.watches() if not watch.fresh]
        return f"not heard of the API server for too long about: {', '.join(old)}" if old else self.elector.trouble

    def _unread(self) -> tuple[Reflector, ...]:
        return tuple(watch for watch in self.watches() if not watch.synced)

    async def begin(self) -> None:
        """Compete for Leases once everything is known: what is not looks as if it did not exist."""
        await asyncio.gather(*(watch.answered() for watch in self.watches()))
        await self.elector.start()


@asynccontextmanager
async def kubernetes_runtime(settings: ServeSettings, source: Measurements | None = None) -> AsyncIterator[Runtime]:
    """Run the controller and its API on a cluster as long as the context is open; ``source`` instead of Prometheus.

    Every cache is synced and the API's address is ours before the first pass; until then ``/readyz`` says what is not
    known, and no Lease is taken. At the end the API goes first, then the
    controller, then the Lease is given back, then the watches end.

    Raises:
        RolloutError: the cluster, a file or an address cannot be used; the sentence says which and why.
    """
    async with AsyncExitStack() as stack:
        meters = Meters()
        cluster = await _open(settings, meters, stack)
        switch = operators_switch(cluster.switch, settings)
        counters = source or _measurements(settings, meters, stack)
        ports = await _ports(settings, cluster, counters, meters=meters, stack=stack)
        ports = await with_sinks(replace(ports, switch=switch), settings.sinks, meters)
        options = Options(
            settings.tick_seconds, cluster_policy(), Abilities(ROUTES, workloads=True), calendar_of=Almanac()
        )
        work = Work.of(ports, options, meters)
        work.first = cluster.begin
        meters.shards_are(lambda: len(cluster.elector.shards), of=settings.shards)
        recorder = EventRecorder(
            cluster.api, ports.clock, instance=settings.replica, chance=cluster.chance, count_lost=meters.event_lost
        )
        stack.push_async_callback(recorder.aclose)
        await recorder.start()
        work.controller.subscribe(partial(_tell, recorder, cluster))
        switch.subscribe(partial(_tell_of_switch, recorder, cluster, switch))
        done = work.start(stack)
        calendar = _calendar(work.controller, cluster.store)
        calendar.start()
        stack.callback(calendar.stop)
        url, parts = "", {done}
        if settings.address is not None:
            store, access = cluster.store, KubeAccess(cluster.api, ports.clock)
            desk = Desk(store, store, store.journal, access, "kubernetes", switch, cluster.stale)
            url, listening = await listen(desk, work, settings, address=settings.address, stack=stack)
            parts.add(listening)
        work.begun.set()
        source_name = str(masked(settings.prometheus)) if settings.prometheus else WHY
        yield Runtime(cluster.store, work.controller, meters, done, url, frozenset(parts), source_name)


async def _ports(
    settings: ServeSettings, cluster: Cluster, counters: Measurements, *, meters: Meters, stack: AsyncExitStack
) -> Ports:
    return Ports(
        store=cluster.store,
        routes=cluster.routes,
        health=cluster.endpoints,
        measurements=counters,
        gates=await gating(settings, stack),
        clock=SystemClock(),
        workloads=cluster.workloads,
        elector=cluster.elector,
        probes=await probing(settings, meters, stack),
    )


async def _open(settings: ServeSettings, meters: Meters, stack: AsyncExitStack) -> Cluster:
    """Open the cluster and wait for what is there: Rollouts first, since they say which routes stay in memory."""
    clock, chance, namespace = SystemClock(), random.SystemRandom().random, settings.watch_namespace or ""
    found = await configuration(settings.kubeconfig, settings.kube_context or "")
    api = KubeApi(found, chance, count=partial(meters.asked, "kubernetes"))
    stack.push_async_callback(api.aclose)
    routes = KubeRouteTable(api, clock, chance=chance, namespace=namespace)
    rooms = _Rooms(routes)
    store = KubeStore(api, clock, chance=chance, namespace=namespace, prepare=rooms.prepare)
    endpoints = KubeEndpoints(api, clock, chance=chance, namespace=namespace)
    workloads = KubeWorkloads(api, clock, chance=chance, namespace=namespace)
    switch = KubeSwitch(api, clock, chance=chance, namespace=_lease_namespace(settings))
    store.subscribe(lambda key: rooms.left(key) if store.read(key) is None else None)
    for part in (store, routes, endpoints, workloads, switch, Warmer(api)):
        stack.push_async_callback(part.aclose)
        await part.start()
    rooms.open = True
    leases = KubeApi(found, chance, count=partial(meters.asked, "kubernetes"))  # a renewal waits for nobody's writes
    stack.push_async_callback(leases.aclose)
    options = ElectorOptions(
        _lease_namespace(settings), settings.replica, settings.lease_seconds, settings.shards, watched=namespace
    )
    elector = LeaseElector(leases, clock, options, chance=chance)
    stack.push_async_callback(elector.aclose)
    return Cluster(api, store, routes, endpoints, workloads, elector, switch, chance)


@dataclass(slots=True)
class _Rooms:
    """Keeps the routes in memory that Rollouts name; those of the first list come with the routes' own first list."""

    routes: KubeRouteTable
    open: bool = False

    async def prepare(self, key: Key, document: Document) -> None:
        """Let the routes of a Rollout be in memory before anybody hears of it."""
        named = routes_named(document)
        self.routes.refer(key, named)
        if self.open:
            await self.routes.fetch(named)

    def left(self, key: Key) -> None:
        """Let go of the routes of a Rollout that is gone."""
        self.routes.refer(key, ())


def _tell(recorder: EventRecorder, cluster: Cluster, told: Told) -> None:
    """Let an event be sent of what was done here, though the Lease may have gone during its write.

    What another replica did is told by that one. Of a Rollout that is gone nothing is told: events need its uid.
    """
    stored = cluster.store.read(told.key)
    if stored is None:
        return
    uid = stored.uid
    if told.transition is not None:
        recorder.tell(of_transition(told.key, uid, told.transition))
    if told.handled is not None and not told.handled.done:
        recorder.tell(of_refusal(told.key, uid, told.handled, at=told.at))


def _tell_of_switch(recorder: EventRecorder, cluster: Cluster, switch: OperatorSwitch) -> None:
    """Let one replica send an event of how the switch was turned."""
    key, standing = cluster.switch.key, switch.standing()
    if standing.position is not None and standing.position != Position() and cluster.elector.holds(key):
        recorder.tell(of_switch(key, cluster.switch.uid, standing.position, standing.message))


def _lease_namespace(settings: ServeSettings) -> str:
    if settings.lease_namespace:
        return settings.lease_namespace
    try:
        return POD_NAMESPACE.read_text(encoding="utf-8").strip() or DEFAULT_NAMESPACE
    except OSError:
        return DEFAULT_NAMESPACE  # not in a pod


def _measurements(settings: ServeSettings, meters: Meters, stack: AsyncExitStack) -> Measurements:
    if settings.prometheus is None:
        return NoPrometheus()
    return of_prometheus(settings, settings.prometheus, meters, stack)


def _calendar(controller: Controller, store: KubeStore) -> Calendar:
    def resync() -> None:
        for key in list(store.keys()):
            controller.wake(key)

    return Calendar(resync=resync)
