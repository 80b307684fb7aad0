"""The port ``Probes``: every wanted target is asked at its interval, never twice at once, and what it says is counted.

Knows nothing of Rollouts and routes: whoever wants something known of a backend says how its targets are asked, and
where they are. What the counts mean is ``rollout.failover.probing``'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from rollout.engine.observation import BackendKey
from rollout.failover.health import Reading
from rollout.failover.probing import Tally, counted, probe_reading
from rollout.failover.readings import fresh_seconds
from rollout.ports import Clock
from rollout.probes.agenda import Agenda, Turn
from rollout.probes.asking import asker_for
from rollout.probes.flight import Flight
from rollout.probes.pulse import Pulse
from rollout.probes.said import Asker, Said
from rollout.probes.tls import Certificates
from rollout.signals import ProbeAsk, Target


@dataclass(slots=True)
class _Slot:
    """One target of one ask: what it has said so far, and the probe that is on its way."""

    asker: Asker
    tally: Tally
    turn: Turn | None = None
    flight: Flight | None = None


@dataclass(slots=True)
class _Watch:
    """One ask: its targets, and what they said together when somebody read it last."""

    ask: ProbeAsk
    fresh: float
    targets: tuple[Target, ...] = ()
    slots: dict[Target, _Slot] = field(default_factory=dict)
    before: Reading | None = None
    telling: bool = False


def _unheard(_seconds: float) -> None:
    """Nobody wants to know."""


class LoopProbes:
    """``Probes`` on the running loop; ``start`` before use, ``aclose`` at the end."""

    def __init__(
        self, clock: Clock, certificates: Certificates | None = None, *, late: Callable[[float], None] = _unheard
    ) -> None:
        """Take files for TLS from ``certificates``; ``late`` hears of each probe how many seconds too late it began."""
        self._clock = clock
        self._certificates = certificates or Certificates()
        self._pulse = Pulse()
        self._agenda = Agenda(late)
        self._watches: dict[ProbeAsk, _Watch] = {}
        self._listeners: list[Callable[[BackendKey], None]] = []
        self._closing: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin to watch the loop itself; what is wanted is asked from then on."""
        self._pulse.start()

    async def aclose(self) -> None:
        """End all probes and close all connections."""
        self.want({})
        self._agenda.close()
        self._pulse.stop()
        while self._closing:
            await asyncio.gather(*self._closing, return_exceptions=True)

    def subscribe(self, listener: Callable[[BackendKey], None]) -> None:
        """Call ``listener`` (on the loop) as soon as the health of one of a backend's targets changed."""
        self._listeners.append(listener)

    def want(self, wanted: Mapping[ProbeAsk, Sequence[Target]]) -> None:
        """Probe these from now on, and no others; a target that stays keeps what was counted of it."""
        for ask in [ask for ask in self._watches if ask not in wanted]:
            self._aim(self._watches.pop(ask), ())
        for ask, targets in wanted.items():
            watch = self._watches.get(ask)
            if watch is None:
                fresh = fresh_seconds(stale_after=ask.stale_after, interval=ask.signal.interval)
                watch = self._watches[ask] = _Watch(ask, fresh)
            self._aim(watch, targets)

    def read(self, ask: ProbeAsk) -> Reading:
        """Return what the targets say together now; Unknown of what is not wanted, or not answered yet."""
        now, watch = self._clock.now(), self._watches.get(ask)
        if watch is None:
            return probe_reading((), None, fresh=ask.stale_after, now=now)
        tallies = [slot.tally for slot in watch.slots.values()]
        watch.before = probe_reading(tallies, watch.before, fresh=watch.fresh, now=now, min_percent=ask.min_percent)
        return watch.before

    def _aim(self, watch: _Watch, targets: Sequence[Target]) -> None:
        """Let the ask have these targets, and tell when they are others than before."""
        if tuple(targets) == watch.targets:
            return
        watch.targets = tuple(targets)
        wanted = set(targets)
        for target in [target for target in watch.slots if target not in wanted]:
            self._end(watch.slots.pop(target))
        for target in targets:
            if target not in watch.slots:
                self._begin(watch, target)
        self._tell(watch)

    def _begin(self, watch: _Watch, target: Target) -> None:
        ask, name = watch.ask, str(target)
        slot = watch.slots[target] = _Slot(asker_for(ask.signal, target, self._certificates), Tally(name))
        slot.turn = self._agenda.add(f"{ask.backend} {name}", ask.signal.interval, partial(self._ask, watch, slot))

    def _end(self, slot: _Slot) -> None:
        if slot.turn is not None:
            slot.turn.ended = True
        flight, slot.flight = slot.flight, None
        if flight is not None:
            flight.cancel()
        task = asyncio.get_running_loop().create_task(_close(slot.asker, flight))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _ask(self, watch: _Watch, slot: _Slot) -> None:
        """Ask, unless the last probe is still on its way."""
        if slot.flight is None or slot.flight.task.done():
            land = partial(self._landed, watch, slot)
            slot.flight = Flight(slot.asker, self._pulse, timeout_seconds=watch.ask.signal.timeout, land=land)

    def _landed(self, watch: _Watch, slot: _Slot, said: Said) -> None:
        before, now = slot.tally.health, self._clock.now()
        slot.tally = counted(slot.tally, said.answer, said.text, signal=watch.ask.signal, fresh=watch.fresh, now=now)
        if slot.tally.health is not before:
            self.read(watch.ask)  # since now, and not since whoever is told comes to read: a pass is older than that
            self._tell(watch)

    def _tell(self, watch: _Watch) -> None:
        """Tell once for all that happens in one turn of the loop."""
        if not watch.telling:
            watch.telling = True
            asyncio.get_running_loop().call_soon(self._told, watch)

    def _told(self, watch: _Watch) -> None:
        watch.telling = False
        for listener in self._listeners:
            listener(watch.ask.backend)


async def _close(asker: Asker, flight: Flight | None) -> None:
    if flight is not None:
        await asyncio.gather(flight.task, return_exceptions=True)
    await asker.aclose()
