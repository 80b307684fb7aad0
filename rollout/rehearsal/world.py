"""The simulated world of one rehearsal: traffic, backends, routes, store and metrics source, joined.

Made and moved by ``rollout.rehearsal.timeline``; the controller sees only the ports.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from rollout.engine.observation import Acceptance
from rollout.rehearsal.api import Api
from rollout.rehearsal.backend import Backend
from rollout.rehearsal.health import SimulatedGates, SimulatedHealth, SimulatedSwitch
from rollout.rehearsal.reading import Rehearsal
from rollout.rehearsal.routes import SimulatedRoutes
from rollout.rehearsal.samples import Samples
from rollout.rehearsal.scenario import ApiMode, Event, Source, SwitchMode
from rollout.rehearsal.source import SimulatedSource
from rollout.rehearsal.store import SimulatedStore
from rollout.rehearsal.traffic import Service, Traffic
from rollout.rehearsal.virtual_loop import VirtualClock

EPOCH = 4_000_000_000.0
"""Unix time in seconds at which every rehearsal begins; far from any count, so that a time can be told from it."""

LEAD_SECONDS = 1.0
"""How long the controller has been running by then: it knows the Rollout, and nothing has been counted."""


class World:
    """Everything outside the controller."""

    def __init__(self, rehearsal: Rehearsal) -> None:
        scenario, layout = rehearsal.scenario, rehearsal.layout
        self.clock = VirtualClock(asyncio.get_running_loop(), began_at=EPOCH - LEAD_SECONDS)
        self.api = Api()
        self.store = SimulatedStore(layout.rollout, rehearsal.rollout, self.api, self.clock.now)
        self.routes = SimulatedRoutes(layout, self.api, self.account)
        self.services = {
            name: Service(name, scenario.backends.get(name, Backend()), bounds=rehearsal.bounds, seed=scenario.seed)
            for name in layout.names
        }
        backends = (*layout.owned, *layout.foreign)
        self.health = SimulatedHealth(backends, lambda name: self.services[name].backend.ready, self.clock)
        self.gates = SimulatedGates()
        self.switch = SimulatedSwitch()
        self.traffic = Traffic(self.services, self.routes.in_force, rps=scenario.traffic.rps, seed=scenario.seed)
        samples = Samples(rehearsal.bounds)
        self.source = SimulatedSource(samples, self._scrape, scenario.queries)
        self.traffic.on_scrape(scenario.scrape, lambda at: self._take(samples, at))
        self._blind = False
        self._layout = layout
        self._put_off: list[Callable[[], None]] = []
        for policy in rehearsal.policies:
            self.store.add_policy(policy)

    @property
    def now(self) -> float:
        """Return the seconds from the start, negative before it."""
        return self.clock.monotonic() - LEAD_SECONDS

    def account(self) -> float:
        """Count every request up to now, and return now: called before anything changes."""
        self.traffic.run_to(self.now)
        return max(0.0, self.now)

    def _scrape(self) -> None:
        self.traffic.scrape_to(self.now)

    def _take(self, samples: Samples, at: float) -> None:
        if self.source.scraping:
            samples.take(EPOCH + at, self.services)

    @property
    def sees(self) -> bool:
        """Return whether the controller sees what there is."""
        return not self._blind

    def go_blind(self, *, knowing: bool) -> None:
        """Let the controller's caches and signals stand still; without ``knowing`` they are empty."""
        self.account()
        self._blind = True
        self.routes.freeze(knowing=knowing)
        self.health.freeze(knowing=knowing)
        self.source.freeze(self.clock.now())

    def see(self) -> None:
        """Let the controller see again what there is."""
        self._blind = False
        self.routes.thaw()
        self.health.thaw()
        self.source.thaw()

    def probe(self, backend: str) -> str | None:
        """Return what a probe of the backend meets now, None when the controller sends none."""
        return None if self._blind else self.services[backend].backend.probe

    def apply(self, event: Event) -> None:
        """Let ``event`` happen, whatever it is but a fate of the controller."""
        self.account()
        happen = getattr(self, f"_on_{event.kind}")
        if event.kind in _THROUGH_API and self.api.down:
            self._put_off.append(lambda: happen(event))
        else:
            happen(event)

    def _on_command(self, event: Event) -> None:
        self.store.order(str(event.command), event.arguments, event.reason or "")

    def _on_backend(self, event: Event) -> None:
        name = str(event.backend)
        self.services[name].change(event.applied_to(self.services[name].backend))
        self.health.changed(name)

    def _on_prometheus(self, event: Event) -> None:
        self.source.mode = event.prometheus or Source.UP

    def _on_traffic(self, event: Event) -> None:
        self.traffic.rps = event.traffic.rps if event.traffic else self.traffic.rps

    def _on_queries(self, event: Event) -> None:
        self.source.queries.update(event.queries or {})

    def _on_gates(self, event: Event) -> None:
        self.gates.modes.update(event.gates or {})

    def _on_spec(self, event: Event) -> None:
        self.store.edit(event.spec or {})

    def _on_annotations(self, event: Event) -> None:
        self.store.annotate(event.annotations or {})

    def _on_failover(self, event: Event) -> None:
        self.switch.turn(stopped=event.failover is SwitchMode.STOPPED)

    def _on_policy(self, event: Event) -> None:
        self.store.add_policy(event.policy or {})

    def _on_delete(self, _: Event) -> None:
        self.store.delete()

    def _on_api(self, event: Event) -> None:
        was_down = self.api.down
        self.api.turn(event.api or ApiMode.UP)
        if was_down and not self.api.down:
            put_off, self._put_off = self._put_off, []
            for happen in put_off:
                happen()
            self.store.came_back()

    def _on_route(self, event: Event) -> None:
        edit = event.route
        if edit is None:
            return
        key = self._layout.find(edit.name, kind=edit.kind, namespace=edit.namespace)[0]
        if edit.exists is not None:
            self.routes.exist(key, there=edit.exists)
        if edit.accepted is not None:
            self.routes.accept(key, _ACCEPTANCE[edit.accepted])
        if edit.weights is not None:
            self.routes.edit(key, edit.weights)


_THROUGH_API = ("route", "spec", "annotations", "policy", "failover", "delete")
"""What people do through the API, so that it waits while the API is down (commands wait in the store)."""

_ACCEPTANCE = {True: Acceptance.ACCEPTED, False: Acceptance.REFUSED, "pending": Acceptance.PENDING}
