"""The controller: lets passes run when they are due, one at a time for each Rollout, many at once.

A pass is observe, decide, record, act, tell. An event (a command, a route, an endpoint, a
measurement, a timer) is only a reason to run one soon; a pass looks at everything.
"""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import structlog

from rollout.analysis.reasons import Reason as Verdicts
from rollout.controller import measure
from rollout.controller.agenda import Agenda
from rollout.controller.catalog import Abilities, Catalog, Resolved
from rollout.controller.entry import NEVER, Entry, answers_more
from rollout.controller.look import Look, look_at
from rollout.controller.memory import Settling
from rollout.controller.observe import Observer, backends_of, routes_of
from rollout.controller.passes import Passes, Told
from rollout.engine.decide import Decision, wants
from rollout.engine.observation import BackendKey, GateAnswer, Observation, RouteKey
from rollout.engine.state import State
from rollout.engine.status import from_status
from rollout.engine.table import Phase
from rollout.errors import ConflictError, NotOursError, Problem, RolloutError
from rollout.meters import Meters, timed
from rollout.ports import Ask, BackendHealth, Clock, Gates, Key, Measurements, RolloutStore, RouteTable
from rollout.spec.built_in import built_in_policy
from rollout.spec.resource import Gate, Rollout

log = structlog.get_logger(__name__)

LONGEST_BACKOFF_SECONDS = 4.0
FIRST_BACKOFF_SECONDS = 0.1
QUICK_TRIES = 3
"""How many conflicts in a row are tried again at once."""

LONGEST_START_SPREAD_SECONDS = 2.0
"""The first passes after a start are spread over at most this time; a few Rollouts are all looked at at once."""

UNRECORDED_SECONDS = 2.0
"""How soon a record is tried again that failed although its weights were written."""

UNEXPECTED = "an unexpected error; see the log"

STOP_SECONDS = 3.0
SPREAD_SECONDS = 0.001
"""How much time each Rollout gets for its look, on average, before others look."""

MOST_SPREAD_PART = 0.9
"""The looks are spread over at most this part of the cadence."""


@dataclass(frozen=True, slots=True)
class Ports:
    """The outside world of one controller."""

    store: RolloutStore
    routes: RouteTable
    health: BackendHealth
    measurements: Measurements
    gates: Gates
    clock: Clock


@dataclass(frozen=True, slots=True)
class Options:
    """How the controller works: how often it looks at counters, and what the runtime brings along.

    ``chance`` gives numbers from 0 to 1, for the jitter of waits after a failure.
    """

    cadence_seconds: float = 10.0
    built_in_policy: Mapping[str, object] = field(default_factory=built_in_policy)
    abilities: Abilities = field(default_factory=Abilities)
    chance: Callable[[], float] = random.random


@dataclass(slots=True)
class Counts:
    """What the controller counts of itself: passes, failures, and how late passes began (seconds)."""

    passes: int = 0
    failures: int = 0
    latest_seconds: float = 0.0


class Controller:
    """Runs the passes of all Rollouts in the store until it is cancelled."""

    def __init__(self, ports: Ports, options: Options = Options(), meters: Meters | None = None) -> None:
        """Join the ports; nothing runs before ``run``. Passes are counted in ``meters``."""
        self._ports = ports
        self._options = options
        self._meters = meters or Meters()
        self._catalog = Catalog(ports.store, options.built_in_policy, options.abilities)
        self._observer = Observer(ports.routes, ports.health, cadence_seconds=options.cadence_seconds)
        self._entries: dict[Key, Entry] = {}
        self._by_route: defaultdict[RouteKey, set[Key]] = defaultdict(set)
        self._by_backend: defaultdict[BackendKey, set[Key]] = defaultdict(set)
        self._agenda = Agenda()
        self._tasks: set[asyncio.Task[None]] = set()
        self._passes = Passes(ports.store, ports.routes, ports.measurements, ports.clock)
        self._session = 0.0
        self._running = False
        self._settling = Settling()
        self.counts = Counts()

    def subscribe(self, listener: Callable[[Told], None]) -> None:
        """Call ``listener`` with every transition that was made and what became of every command."""
        self._passes.listeners.append(listener)

    def state(self, key: Key) -> State | None:
        """Return where the Rollout stands right now, with live numbers, or None when it has not been seen yet."""
        entry = self._entries.get(key)
        return entry.state if entry is not None else None

    def states(self) -> list[tuple[Key, State]]:
        """Return where each Rollout stands that has been seen; may be called beside the loop."""
        return [(key, entry.state) for key, entry in self._entries.copy().items() if entry.state is not None]

    def effective(self, key: Key) -> Rollout | None:
        """Return what the Rollout effectively wants; None when it is invalid or has not been seen yet."""
        entry = self._entries.get(key)
        return entry.resolved.rollout if entry is not None and entry.resolved is not None else None

    def look(self, key: Key) -> Look | None:
        """Return where the Rollout stands and what it waits for, from caches; None when there is none."""
        stored = self._ports.store.read(key)
        if stored is None:
            return None
        entry = self._entries.get(key) or Entry(key)
        resolved, now = self._catalog.resolve(stored, entry.resolved), self._ports.clock.now()
        return look_at(self._observer, entry, stored, resolved, now=now, session=self._session)

    def lacking(self, rollout: Rollout) -> tuple[Problem, ...]:
        """Return what a Rollout asks for and this runtime does not have."""
        return self._catalog.lacking(rollout)

    def wake(self, key: Key) -> None:
        """Let a pass of this Rollout be due now."""
        if self._running:
            self._entry(key).pass_at = 0.0
            self._agenda.put(key, self._ports.clock.monotonic())

    async def run(self) -> None:
        """Run passes until cancelled; what is in the middle of a pass then may finish it (at most 3 s)."""
        self._session, self._running = self._ports.clock.now(), True
        self._ports.store.subscribe(self.wake)
        self._ports.routes.subscribe(lambda route: self._wake_all(self._by_route.get(route, set())))
        self._ports.health.subscribe(lambda backend: self._wake_all(self._by_backend.get(backend, set())))
        keys = list(self._ports.store.keys())
        began = self._ports.clock.monotonic()
        spread = min(LONGEST_START_SPREAD_SECONDS / max(1, len(keys)), SPREAD_SECONDS)
        for place, key in enumerate(keys):
            self._agenda.put(key, began + spread * place)
        try:
            while True:
                await self._agenda.wait(self._ports.clock.monotonic())
                self._begin_due()
                self._settling.look(rollouts=len(self._entries), passes=self.counts.passes)
        finally:
            self._running = False
            await self._stop()

    async def _stop(self) -> None:
        beside = [
            task for entry in self._entries.values() for task in (entry.measuring, entry.asking) if task is not None
        ]
        for task in beside:
            task.cancel()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=STOP_SECONDS)
            for task in late:
                task.cancel()
        await asyncio.gather(*beside, *self._tasks, return_exceptions=True)

    def _wake_all(self, keys: set[Key]) -> None:
        for key in keys:
            self.wake(key)

    def _entry(self, key: Key) -> Entry:
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = Entry(key)
        return entry

    def _begin_due(self) -> None:
        now = self._ports.clock.monotonic()
        for due, key in self._agenda.pop(now):
            self.counts.latest_seconds = max(self.counts.latest_seconds, now - due)
            entry = self._entry(key)
            if entry.measure_at <= now:
                self._begin_measuring(entry)
            if entry.pass_at > now:
                self._agenda.put(key, min(entry.pass_at, entry.measure_at))
            elif entry.busy:
                entry.again = True
            else:
                entry.busy, entry.pass_at = True, NEVER
                self._meters.began(now - due)
                self._spawn(self._one_pass(entry))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _one_pass(self, entry: Entry) -> None:
        try:
            await timed(self._pass(entry), self._meters.passed)
            entry.failures = 0
        except NotOursError:
            self._forget(entry)
        except ConflictError:
            self._fail(entry, "")
        except RolloutError as error:
            self._fail(entry, str(error))
        except Exception:
            log.exception("pass failed", rollout=str(entry.key))
            self._fail(entry, UNEXPECTED)
        finally:
            entry.busy = False
            if entry.again:
                entry.again = False
                self.wake(entry.key)

    def _fail(self, entry: Entry, why: str) -> None:
        self.counts.failures += 1
        entry.failures += 1
        if not why and entry.failures <= QUICK_TRIES:
            self._due_in(entry, 0.0)
            return
        backoff = min(LONGEST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2 ** min(entry.failures, 10))
        wait = backoff * (0.5 + self._options.chance() / 2)
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
        if entry.state is None or _number(stored.status) > entry.recorded or answers_more(stored.status, entry.state):
            entry.state, entry.recorded = from_status(stored.status) or State(), _number(stored.status)
        resolved = self._resolved(entry, self._catalog.resolve(stored, entry.resolved))
        seen = self._observer.observe(entry, stored, resolved, now=self._ports.clock.now(), session=self._session)
        decision, failure = await self._passes.run(entry, stored, resolved.rollout, seen)
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
            self._unlink(entry)
            entry.resolved = resolved
            spec, state = resolved.rollout.spec if resolved.rollout else None, entry.state or State()
            entry.routes = routes_of(spec, state, entry.key.namespace)
            entry.backends = backends_of(spec, state, entry.key.namespace)
            for route in entry.routes:
                self._by_route[route].add(entry.key)
            for backend in entry.backends:
                self._by_backend[backend].add(entry.key)
        return resolved

    def _unlink(self, entry: Entry) -> None:
        for route in entry.routes:
            self._by_route[route].discard(entry.key)
        for backend in entry.backends:
            self._by_backend[backend].discard(entry.key)

    def _forget(self, entry: Entry) -> None:
        self._unlink(entry)
        self._entries.pop(entry.key, None)

    def _plan(self, entry: Entry, resolved: Resolved, seen: Observation, decision: Decision) -> None:
        """Let the next pass and the next measurement be due when they should."""
        wanted = wants(resolved.rollout, entry.state or State(), seen)
        if decision.transitions or not wanted.gates:
            entry.gates = {}  # an agreement is for now; what else holds may last for hours
        self._plan_measurement(entry, wanted=wanted.measurement)
        self._plan_gates(entry, wanted.gates)
        rollback = resolved.rollout.spec.hooks.on_rollback if resolved.rollout is not None else ()
        if rollback and any(told.phase is Phase.ABORTING for told in decision.transitions):
            self._spawn(self._tell_gates(entry, rollback))
        if entry.unrecorded:
            self._due_in(entry, UNRECORDED_SECONDS)
        if decision.next_at is not None:
            self._due_in(entry, decision.next_at - seen.now)
        self._agenda.put(entry.key, min(entry.pass_at, entry.measure_at))

    def _plan_measurement(self, entry: Entry, *, wanted: bool) -> None:
        if not wanted:
            entry.measure_at = NEVER
        elif entry.measure_at == NEVER and entry.measuring is None:
            entry.measure_at = self._ports.clock.monotonic()

    def _plan_gates(self, entry: Entry, gates: tuple[Gate, ...]) -> None:
        if not gates or entry.asking is not None:
            return
        wait = entry.gates_at - self._ports.clock.monotonic()
        if wait <= 0:
            entry.asking = self._spawn(self._ask_gates(entry, gates))
        else:
            self._due_in(entry, wait)

    def _begin_measuring(self, entry: Entry) -> None:
        entry.measure_at = NEVER
        resolved, state = entry.resolved, entry.state
        if entry.measuring is None and resolved is not None and resolved.rollout is not None and state is not None:
            stored = self._ports.store.read(entry.key)
            checkpoint = stored.samples if stored is not None and entry.ask is None else {}
            ask = measure.ask_for(resolved.rollout, state, checkpoint)
            entry.measuring = self._spawn(self._measure(entry, ask))

    async def _measure(self, entry: Entry, ask: Ask) -> None:
        try:
            await measure.measure(self._ports.measurements, entry, ask)
        except Exception:
            log.exception("measurement failed", rollout=str(entry.key))
            self.counts.failures += 1
            entry.source_problem = (Verdicts.SOURCE_DOWN, UNEXPECTED)
        finally:
            entry.measuring = None
        cadence = self._options.cadence_seconds
        aligned = self._ports.measurements.replays and entry.source_problem is None
        again, now, later = cadence, self._ports.clock.now(), self._spread(entry.key)
        if aligned:
            again = measure.next_look_after(entry.batch, now, cadence, later)
        entry.measure_at = self._ports.clock.monotonic() + again
        self.wake(entry.key)

    def _spread(self, key: Key) -> float:
        """Return how much later than others this Rollout looks, so that many do not look at one moment."""
        longest = min(MOST_SPREAD_PART * self._options.cadence_seconds, SPREAD_SECONDS * (len(self._entries) - 1))
        return longest * (crc32(str(key).encode()) % 1000) / 1000

    async def _ask_gates(self, entry: Entry, gates: tuple[Gate, ...]) -> None:
        try:
            entry.gates = await self._answers(entry, gates)
        finally:
            entry.asking = None
        entry.gates_at = self._ports.clock.monotonic() + self._options.cadence_seconds
        self.wake(entry.key)

    async def _tell_gates(self, entry: Entry, gates: tuple[Gate, ...]) -> None:
        for name, answer in (await self._answers(entry, gates)).items():
            log.info(
                "rollback hook called", rollout=str(entry.key), gate=name, agrees=answer.agrees, answer=answer.message
            )

    async def _answers(self, entry: Entry, gates: tuple[Gate, ...]) -> Mapping[str, GateAnswer]:
        try:
            return await measure.ask_gates(self._ports.gates, gates, self._gate_body(entry))
        except Exception:
            log.exception("gate failed", rollout=str(entry.key))
            self.counts.failures += 1
            return {gate.name: GateAnswer(agrees=False, message=UNEXPECTED) for gate in gates}

    def _gate_body(self, entry: Entry) -> dict[str, object]:
        state = entry.state or State()
        who = {"namespace": entry.key.namespace, "name": entry.key.name}
        where = {"phase": state.phase.value, "attempt": state.attempt, "step": state.step, "revision": state.revision}
        return {**who, **where, "weight": state.share, "reason": state.reason, "message": state.message}


def _number(status: Mapping[str, object]) -> int:
    transitions = status.get("transitions")
    last = transitions[-1] if isinstance(transitions, list) and transitions else None
    number = last.get("number") if isinstance(last, Mapping) else None
    return number if isinstance(number, int) else 0
