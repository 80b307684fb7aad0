"""The controller: lets passes run when they are due, one at a time for each Rollout, many at once.

A pass is observe, decide, record, act, tell. An event (a command, a route, an endpoint, a
measurement, a timer) is only a reason to run one soon; a pass looks at everything. Of several replicas each acts only
for the Rollouts that its elector holds; what it loses it drops, what it gains it begins anew from the store.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import structlog

from rollout.controller.agenda import Agenda
from rollout.controller.backoff import LONGEST_BACKOFF_SECONDS, QUICK_TRIES, backoff, longest_after, record_wait
from rollout.controller.beside import Beside
from rollout.controller.catalog import Catalog, Resolved
from rollout.controller.entry import NEVER, Entry, answers_more, failover_rank, is_pressing, number_of
from rollout.controller.lanes import Lanes
from rollout.controller.links import Links
from rollout.controller.look import Look, look_at
from rollout.controller.measure import SPREAD_SECONDS, UNEXPECTED
from rollout.controller.memory import Settling
from rollout.controller.mirror import Mirror
from rollout.controller.observe import Observer
from rollout.controller.outside import Counts, Options, Ports
from rollout.controller.passes import Passes, Told
from rollout.controller.turns import Turns
from rollout.controller.vitals import Vitals
from rollout.engine.decide import Decision, wants
from rollout.engine.observation import BackendKey, Observation
from rollout.engine.state import State
from rollout.engine.status import from_status
from rollout.errors import ConflictError, LeaseLost, NotOursError, Problem, RolloutError
from rollout.meters import Meters, timed
from rollout.ports import Key
from rollout.spec.resource import Rollout

log = structlog.get_logger(__name__)

LONGEST_START_SPREAD_SECONDS = 2.0
"""The first passes after a start are spread over at most this time; a few Rollouts are all looked at at once."""

STOP_SECONDS = 3.0

__all__ = ["Controller", "Options", "Ports"]


class Controller:
    """Runs the passes of all Rollouts in the store until it is cancelled."""

    def __init__(self, ports: Ports, options: Options | None = None, meters: Meters | None = None) -> None:
        """Join the ports; nothing runs before ``run``. Passes are counted in ``meters``."""
        self._ports = ports
        self._options = options = options or Options()
        self._meters = meters or Meters()
        self.counts = Counts()
        self._catalog = Catalog(ports.store, options.built_in_policy, options.abilities)
        self._vitals = Vitals(
            ports, options, tell=self._wake_failover, wake=lambda keys: self._wake_all(keys, pressing=True)
        )
        self._observer = Observer(
            ports.routes,
            ports.health,
            ports.workloads,
            cadence_seconds=options.cadence_seconds,
            failover_of=self._vitals.seen,
            notices=ports.notices,
        )
        self._entries: dict[Key, Entry] = {}
        self._links = Links()
        self._agenda = Agenda()
        self._lanes = Lanes()
        self._tasks: set[asyncio.Task[None]] = set()
        turns = Turns(self._spawn, self.wake, self._due_in, self._may, lambda: len(self._entries))
        self._beside = Beside(ports, options, self.counts, turns)
        self._passes = Passes(
            ports.store,
            ports.routes,
            ports.measurements,
            ports.clock,
            may=self._may,
            decided=self._vitals.decided,
        )
        self._mirror = Mirror(ports.store, self._catalog, ports.clock)
        self._passes.listeners.append(self._mirror.made)
        self._session = 0.0
        self._running = False
        self._settling = Settling()

    def subscribe(self, listener: Callable[[Told], None], *, elsewhere: bool = False) -> None:
        """Call ``listener`` with every transition that was made and what became of every command.

        ``elsewhere``: also with those of other replicas, as soon as the store has them; each is told once.
        """
        (self._mirror if elsewhere else self._passes).listeners.append(listener)

    def acts_for(self, key: Key) -> bool:
        """Return whether this replica acts for the Rollout."""
        return self._ports.elector.holds(key)

    def state(self, key: Key) -> State | None:
        """Return where the Rollout stands right now, with live numbers.

        None when it has not been seen yet, or another replica acts for it: what is known then is in the store.
        """
        entry = self._entries.get(key)
        return entry.state if entry is not None else None

    def states(self) -> list[tuple[Key, State]]:
        """Return where each Rollout stands for which this replica acts; may be called beside the loop."""
        return [(key, entry.state) for key, entry in self._entries.copy().items() if entry.state is not None]

    def effective(self, key: Key) -> Rollout | None:
        """Return what the Rollout effectively wants; None when it is invalid or has not been seen yet."""
        entry = self._entries.get(key)
        if entry is not None or self.acts_for(key):
            return entry.resolved.rollout if entry is not None and entry.resolved is not None else None
        stored = self._ports.store.read(key)
        return self._mirror.resolved(stored).rollout if stored is not None else None

    def look(self, key: Key) -> Look | None:
        """Return where the Rollout stands and what it waits for, from caches; None when there is none."""
        stored = self._ports.store.read(key)
        if stored is None:
            return None
        entry, now = self._entries.get(key), self._ports.clock.now()
        if entry is None or entry.uid != stored.uid:
            entry = Entry(key, self._session)
        if entry.resolved is None and not self.acts_for(key):
            entry.resolved = self._mirror.resolved(stored)
        resolved = self._observer.confined(self._catalog.resolve(stored, entry.resolved), key.namespace)
        return look_at(self._observer, entry, stored, resolved, now=now, session=entry.session)

    def lacking(self, rollout: Rollout) -> tuple[Problem, ...]:
        """Return what a Rollout asks for and this runtime does not have."""
        return self._catalog.lacking(rollout)

    def wake(self, key: Key) -> None:
        """Let a pass of this Rollout be due now, if it is ours to act for."""
        if self._running and self.acts_for(key):
            self._entry(key).pass_at = 0.0
            self._agenda.put(key, self._ports.clock.monotonic())

    async def run(self) -> None:
        """Run passes until cancelled; what is in the middle of a pass then may finish it (at most 3 s)."""
        self._session, self._running = self._ports.clock.now(), True
        self._mirror.begin()
        self._ports.store.subscribe(self._changed)
        self._ports.routes.subscribe(lambda route: self._wake_all(self._links.of_route(route)))
        self._ports.health.subscribe(self._endpoints_changed)
        self._ports.probes.subscribe(lambda backend: self._wake_failover((backend,)))
        self._ports.switch.subscribe(lambda: self._wake_all(self._vitals.keys(), pressing=True))
        self._ports.workloads.subscribe(lambda workload: self._wake_all(self._links.of_workload(workload)))
        self._ports.elector.subscribe(self._elected)
        self._begin_anew()
        try:
            while True:
                await self._agenda.wait(self._ports.clock.monotonic())
                self._begin_due()
                self._settling.look(rollouts=len(self._entries), passes=self.counts.passes)
        finally:
            self._running = False
            self._vitals.stop()
            await self._stop()

    async def _stop(self) -> None:
        beside = [
            task for entry in self._entries.values() for task in (entry.measuring, *entry.asking.values()) if task
        ]
        for task in beside:
            task.cancel()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=STOP_SECONDS)
            for task in late:
                task.cancel()
        await asyncio.gather(*beside, *self._tasks, return_exceptions=True)

    def _begin_anew(self) -> None:
        """Let the first passes of Rollouts be due that are ours and have no entry yet."""
        known = tuple(self._ports.store.keys())
        keys = sorted((key for key in known if key not in self._entries and self.acts_for(key)), key=self._rank)
        began = self._ports.clock.monotonic()
        spread = min(LONGEST_START_SPREAD_SECONDS / max(1, len(keys)), SPREAD_SECONDS)
        for place, key in enumerate(keys):
            self._agenda.put(key, began + spread * place)

    def _rank(self, key: Key) -> int:
        stored = self._ports.store.read(key)
        return failover_rank(stored.status) if stored is not None else 0

    def _elected(self) -> None:
        """Drop what is not ours any more, in the middle of whatever it does, and begin with what has become ours."""
        self._session = self._ports.clock.now()
        for entry in [entry for key, entry in self._entries.items() if not self.acts_for(key)]:
            if entry.passing is not None:
                entry.passing.cancel()
            entry.stop()
            self._forget(entry)
        if self._running:
            self._begin_anew()

    def _may(self, entry: Entry) -> bool:
        """Return whether the Rollout is ours, and the entry the one of now: what was lost and gained has another."""
        return self._entries.get(entry.key) is entry and self.acts_for(entry.key)

    def _changed(self, key: Key) -> None:
        stored = self._ports.store.read(key)
        if not self.acts_for(key) or stored is None:
            self._mirror.look(key)
        self._wake_all((key,), pressing=stored is not None and stored.command is not None)

    def _endpoints_changed(self, backend: BackendKey) -> None:
        if self._running:
            self._vitals.heard(backend)
            self._wake_all(self._links.of_backend(backend), pressing=True)

    def _wake_failover(self, backends: Iterable[BackendKey]) -> None:
        """Wake those whose failover looks at these backends: a signal says something else."""
        for backend in backends:
            self._wake_all(self._vitals.of(self._links.of_backend(backend)), pressing=True)

    def _wake_all(self, keys: Iterable[Key], *, pressing: bool = False) -> None:
        """Wake them; ``pressing``: for what may take weight away, so that even a pass which waits hurries."""
        for key in keys:
            self.wake(key)
            if pressing and (entry := self._entries.get(key)) is not None:
                entry.pressing = True
                entry.hurry.set()
                self._lanes.hurry(key)

    def _entry(self, key: Key) -> Entry:
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = Entry(key, self._session)
        return entry

    def _begin_due(self) -> None:
        now = self._ports.clock.monotonic()
        for due, key in self._agenda.pop(now):
            if not self.acts_for(key):
                continue
            self.counts.latest_seconds = max(self.counts.latest_seconds, now - due)
            entry = self._entry(key)
            if entry.measure_at <= now:
                self._beside.begin_measuring(entry)
            if entry.pass_at > now:
                self._agenda.put(key, min(entry.pass_at, entry.measure_at))
            elif entry.busy:
                entry.again = True
            else:
                entry.busy, entry.pass_at = True, NEVER
                self._meters.began(now - due)
                entry.passing = self._spawn(self._one_pass(entry))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _one_pass(self, entry: Entry) -> None:
        try:
            async with self._lanes.place(entry.key, urgent=is_pressing(entry, self._ports.store)):
                entry.pressing = False
                entry.hurry.clear()
                await timed(self._pass(entry), self._meters.passed)
            entry.failures = 0
        except NotOursError:
            self._forget(entry)
        except LeaseLost as lost:
            log.info("pass ended", rollout=str(entry.key), why=str(lost))
        except ConflictError:
            if not entry.proven:
                entry.state = None  # what it was read from was old
            self._fail(entry, "")
        except RolloutError as error:
            self._fail(entry, str(error), longest_after(error, entry.state))
        except Exception:
            log.exception("pass failed", rollout=str(entry.key))
            self._fail(entry, UNEXPECTED)
        finally:
            entry.busy = False
            if entry.again:
                entry.again = False
                self.wake(entry.key)

    def _fail(self, entry: Entry, why: str, longest: float = LONGEST_BACKOFF_SECONDS) -> None:
        self.counts.failures += 1
        entry.failures += 1
        if not why and entry.failures <= QUICK_TRIES:
            self._due_in(entry, 0.0)
            return
        wait = backoff(entry.failures, self._options.chance(), longest=longest)
        log.warning(
            "pass failed", rollout=str(entry.key), why=why or "others keep writing", again_in_seconds=round(wait, 3)
        )
        self._due_in(entry, wait)

    def _due_in(self, entry: Entry, seconds: float) -> None:
        entry.pass_at = min(entry.pass_at, self._ports.clock.monotonic() + max(0.0, seconds))
        self._agenda.put(entry.key, min(entry.pass_at, entry.measure_at))

    async def _pass(self, entry: Entry) -> None:
        stored = self._ports.store.read(entry.key)
        if stored is None:
            self._forget(entry)
            return
        self.counts.passes += 1
        entry.uid = entry.uid or stored.uid
        if entry.uid != stored.uid:
            self._begin_another(entry)
            return
        if entry.state is None or number_of(stored.status) > entry.recorded or answers_more(stored.status, entry.state):
            entry.state, entry.recorded = from_status(stored.status) or State(), number_of(stored.status)
            self._mirror.look(entry.key)
        resolved = self._resolved(entry, self._catalog.resolve(stored, entry.resolved))
        resolved = self._observer.confined(resolved, entry.key.namespace)
        self._observer.wait_for_routes(entry, resolved)
        self._vitals.keep(entry, resolved.rollout)
        seen = self._observer.observe(entry, stored, resolved, now=self._ports.clock.now(), session=entry.session)
        seen = self._observer.with_telling(seen, stored, resolved.rollout, entry.state)
        decision, failure = await self._passes.run(entry, stored, resolved.rollout, seen)
        self._passes.check(entry)
        self._plan(entry, resolved, seen, decision)
        if failure is not None:
            raise failure
        if decision.writes:
            self._due_in(entry, 0.0)
        if decision.finished:
            await self._ports.store.remove(entry.key)
            self._forget(entry)

    def _resolved(self, entry: Entry, resolved: Resolved) -> Resolved:
        if resolved is not entry.resolved:
            entry.resolved = resolved
            self._links.link(entry)
        return resolved

    def _begin_another(self, entry: Entry) -> None:
        """Let go of a Rollout that is gone, with all that is under way for it; one with its name was made since."""
        entry.stop()
        self._forget(entry)
        self.wake(entry.key)

    def _forget(self, entry: Entry) -> None:
        if self._entries.get(entry.key) is entry:
            self._links.unlink(entry)
            self._vitals.drop(entry.key)
            del self._entries[entry.key]

    def _plan(self, entry: Entry, resolved: Resolved, seen: Observation, decision: Decision) -> None:
        """Let the next pass and the next measurement be due when they should."""
        wanted = wants(resolved.rollout, entry.state or State(), seen)
        self._beside.plan(entry, wanted, decision)
        if entry.unrecorded:
            self._due_in(entry, record_wait(entry.unrecorded, self._options.chance(), refused=entry.refused))
        if decision.next_at is not None:
            self._due_in(entry, decision.next_at - seen.now)
        self._vitals.passed(entry.key, seen.failover)
        if seen.failover is not None and seen.failover.crowded:
            self._due_in(entry, self._vitals.crowded_until(entry.key, seen.now) - seen.now)
        self._agenda.put(entry.key, min(entry.pass_at, entry.measure_at))
