"""The vitals: what every signal says of the backends that failover looks at, kept fresh for all Rollouts together.

Equal asks are one, however many Rollouts use a backend, so there is one reading, with one moment since when it says so.
Endpoints and probes come from what adapters keep fresh, requests from ``rollout.controller.counting``; a pass only
reads. What the readings mean is ``rollout.failover``'s.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from rollout.controller.counting import Counting, MetricsAsk
from rollout.controller.entry import Entry
from rollout.controller.fleet import Fleet
from rollout.controller.freshness import Freshness
from rollout.controller.outside import Options, Ports
from rollout.controller.watches import Asks, EndpointsAsk, Watch, watch_of
from rollout.engine.decide import Decision
from rollout.engine.observation import BackendKey, FailoverSeen
from rollout.engine.state import State
from rollout.failover.health import Reading, Signal, aged
from rollout.failover.readings import endpoints_reading
from rollout.failover.reasons import Reason
from rollout.failover.seen import BackendSeen
from rollout.failover.state import FailoverState
from rollout.ports import Key, StoredRollout
from rollout.signals import ProbeAsk
from rollout.spec.resource import Rollout

MAINTENANCE = "rollout.dev/maintenance"
"""The annotation that names backends which are scaled to zero on purpose, with commas between them."""

PAUSE_EACH_SECONDS = 0.0001
"""So long for each ask nothing else is said of what to probe: to say it takes a twentieth of that."""

NO_TEMPLATES = "how requests are counted stands in a policy, which is not known while the Rollout is invalid"

Ask = EndpointsAsk | ProbeAsk | MetricsAsk


@dataclass(frozen=True, slots=True)
class _Known:
    """The watch of a Rollout, and what it was made from: as long as that is the very same, so is the watch."""

    rollout: Rollout | None
    state: State
    watch: Watch

    def is_of(self, rollout: Rollout | None, state: State) -> bool:
        """Return whether a watch made from these would be no other."""
        parts = ("tiers", "owned", "failover", "stable", "canary")
        return self.rollout is rollout and all(getattr(self.state, part) is getattr(state, part) for part in parts)


class Vitals:
    """Readings of backends for the Rollouts that are kept here; ``stop`` at the end."""

    def __init__(
        self,
        ports: Ports,
        options: Options,
        *,
        tell: Callable[[Iterable[BackendKey]], None],
        wake: Callable[[Iterable[Key]], None],
    ) -> None:
        """Read from ``ports``; ``tell`` hears of backends whose metrics say something else now.

        ``wake`` hears of Rollouts for which something has become old, or known again.
        """
        self._ports = ports
        self._calendar_of = options.calendar_of
        self._counting = Counting(ports.measurements, ports.clock, cadence_seconds=options.cadence_seconds, tell=tell)
        self._freshness = Freshness(self._all_readings, ports.clock, wake)
        self._known: dict[Key, _Known] = {}
        self._who: defaultdict[Ask, set[Key]] = defaultdict(set)
        self._endpoints: dict[EndpointsAsk, Reading | None] = {}
        self._counted: defaultdict[BackendKey, set[EndpointsAsk]] = defaultdict(set)
        self._probed: defaultdict[BackendKey, set[ProbeAsk]] = defaultdict(set)
        self._aiming = False
        self._aim_at = 0.0
        self.fleet = Fleet()
        self._stopped = False

    def stop(self) -> None:
        """Ask for nothing any more; what is probed ends with who sends the probes."""
        self._stopped = True
        self._counting.stop()
        self._freshness.stop()

    def keys(self) -> tuple[Key, ...]:
        """Return the Rollouts with failover."""
        return tuple(self._known)

    def of(self, keys: Iterable[Key]) -> tuple[Key, ...]:
        """Return those of the Rollouts that have failover."""
        return tuple(key for key in keys if key in self._known)

    def keep(self, entry: Entry, rollout: Rollout | None) -> None:
        """Keep fresh what the failover of this Rollout (None: it is invalid) needs now; nothing when it has none."""
        key, state, before = entry.key, entry.state or State(), self._known.get(entry.key)
        if before is not None and before.is_of(rollout, state):
            return
        watch = watch_of(rollout, state, namespace=key.namespace, before=before.watch if before is not None else None)
        if watch is None:
            self.drop(key)
            return
        self._known[key] = _Known(rollout, state, watch)
        self._ask(key, set(_asks(before.watch)) if before is not None else set(), set(_asks(watch)))
        self.fleet.watch(key, watch.primary, max(state.failover.failovers, default=0.0))
        self._note_waiting(key, state.failover)

    def drop(self, key: Key) -> None:
        """Keep nothing more for this Rollout."""
        known = self._known.pop(key, None)
        self._freshness.drop(key)
        if known is not None:
            self._ask(key, set(_asks(known.watch)), set())
            self.fleet.drop(key)

    def decided(self, entry: Entry, decision: Decision) -> None:
        """Take note of a failover in the moment of its decision, before another Rollout decides."""
        made = decision.state.failover.failovers
        before = entry.state.failover if entry.state is not None else FailoverState()
        if not before.active and made and made[-1:] != before.failovers[-1:]:
            self.fleet.went(entry.key, made[-1])
        self._note_waiting(entry.key, decision.state.failover)

    def _note_waiting(self, key: Key, failover: FailoverState) -> None:
        waits = failover.reason == Reason.SUSPECT_OBSERVER
        self.fleet.waits(key, failover.pressing_since if waits else None)

    def heard(self, backend: BackendKey) -> None:
        """Take note that the endpoints of a backend are others: since when, and where to probe them."""
        now = self._ports.clock.now()
        for ask in self._counted.get(backend, ()):
            self._read_endpoints(ask, now)
        if backend in self._probed:
            self._aim()

    def seen(self, key: Key, stored: StoredRollout, now: float) -> FailoverSeen | None:
        """Return what is seen at ``now`` (Unix seconds) for the Rollout's failover, None where none is kept."""
        known = self._known.get(key)
        if known is None:
            return None
        watch, resting = known.watch, resting_in(stored.document)
        backends = {
            name: BackendSeen(name, tuple(self._readings(asks, now)), name in resting)
            for name, asks in watch.backends.items()
        }
        return FailoverSeen(
            backends=backends,
            calendar=self._calendar_of(watch.settings, now),
            stopped=self._ports.switch.stopped,
            crowded=self.fleet.crowd(key, watch.settings.fleet_limit, now).crowded,
            problems=tuple(dict.fromkeys(self._problems(known))),
        )

    def crowded_until(self, key: Key, now: float) -> float:
        """Return until when the Rollout's primary waits for others (Unix seconds), 0 when it need not."""
        known = self._known.get(key)
        return self.fleet.crowd(key, known.watch.settings.fleet_limit, now).until if known is not None else 0.0

    def passed(self, key: Key, seen: FailoverSeen | None) -> None:
        """Note what a pass saw: the next is due when that is something else."""
        if seen is not None and key in self._known and not self._stopped:
            self._freshness.note(key, [one for backend in seen.backends.values() for one in backend.readings])

    def _all_readings(self, key: Key) -> list[Reading] | None:
        known, now = self._known.get(key), self._ports.clock.now()
        if known is None:
            return None
        return [reading for asks in known.watch.backends.values() for reading in self._readings(asks, now)]

    def _readings(self, asks: Asks, now: float) -> Iterator[Reading]:
        if asks.endpoints is not None:
            yield self._read_endpoints(asks.endpoints, now)
        if asks.probe is not None:
            yield self._ports.probes.read(asks.probe)
        reading = self._counting.read(asks.metrics) if asks.metrics is not None else None
        if reading is not None:
            yield reading

    def _read_endpoints(self, ask: EndpointsAsk, now: float) -> Reading:
        reading = endpoints_reading(ask.signal, self._ports.health.seen(ask.backend), self._endpoints.get(ask), now)
        # Kept as it counts now: that nobody reads it for long is no silence of who tells of endpoints.
        self._endpoints[ask] = aged(reading, now)
        return reading

    def _problems(self, known: _Known) -> Iterator[str]:
        """Yield why signals cannot be had, in one sentence each."""
        if known.watch.settings.signals.metrics is None:
            return
        in_use = known.state.failover.active or known.state.stable
        for name, asks in known.watch.backends.items():
            why = self._why_uncounted(asks.metrics, in_use=name == in_use)
            if why:
                yield f"The signal {Signal.METRICS} cannot be had: {why}"

    def _why_uncounted(self, ask: MetricsAsk | None, *, in_use: bool) -> str:
        """Return why requests cannot be counted; that there are none is usual for a backend which is not in use."""
        if ask is None:
            return NO_TEMPLATES
        return self._counting.problem(ask) or (self._counting.silence(ask) if in_use else "")

    def _ask(self, key: Key, before: set[Ask], after: set[Ask]) -> None:
        """Let the Rollout ask this instead of what it asked before."""
        for ask in after - before:
            if not self._who[ask]:
                self._begin(ask)
            self._who[ask].add(key)
        for ask in before - after:
            self._who[ask].discard(key)
            if not self._who[ask]:
                del self._who[ask]
                self._end(ask)

    def _begin(self, ask: Ask) -> None:
        match ask:
            case EndpointsAsk():
                self._counted[ask.backend].add(ask)
            case ProbeAsk():
                self._probed[ask.backend].add(ask)
                self._aim()
            case MetricsAsk():
                self._counting.want(ask)

    def _end(self, ask: Ask) -> None:
        match ask:
            case EndpointsAsk():
                self._endpoints.pop(ask, None)
                _discard(self._counted, ask.backend, ask)
            case ProbeAsk():
                _discard(self._probed, ask.backend, ask)
                self._aim()
            case MetricsAsk():
                self._counting.leave(ask)

    def _aim(self) -> None:
        """Say what is to be probed: at once, for all of one turn of the loop together; where it is much, not always."""
        if not self._aiming:
            self._aiming = True
            loop = asyncio.get_running_loop()
            loop.call_at(max(loop.time(), self._aim_at), self._aimed)

    def _aimed(self) -> None:
        self._aiming = False
        if self._stopped:
            return  # who sends the probes may be closed by now
        asks = [ask for asked in self._probed.values() for ask in asked]
        self._aim_at = asyncio.get_running_loop().time() + PAUSE_EACH_SECONDS * len(asks)
        self._ports.probes.want({ask: self._ports.health.targets(ask.backend) for ask in asks})


def resting_in(document: Mapping[str, object]) -> frozenset[str]:
    """Return the backends that the manifest says are scaled to zero on purpose."""
    metadata = document.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, Mapping) else None
    text = annotations.get(MAINTENANCE) if isinstance(annotations, Mapping) else None
    names = text.split(",") if isinstance(text, str) else []
    return frozenset(name.strip() for name in names if name.strip())


Of = TypeVar("Of", EndpointsAsk, ProbeAsk)


def _discard(asked: dict[BackendKey, set[Of]], backend: BackendKey, ask: Of) -> None:
    """Take away what nobody asks of the backend any more."""
    asked[backend].discard(ask)
    if not asked[backend]:
        del asked[backend]


def _asks(watch: Watch) -> Iterator[Ask]:
    for asks in watch.backends.values():
        yield from (ask for ask in (asks.endpoints, asks.probe, asks.metrics) if ask is not None)
