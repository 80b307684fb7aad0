"""Probes of a rehearsal: each target is asked at its interval, and answers what the file says, in simulated time.

Implements ``Probes`` for one life of a controller. All targets of a backend are asked at once and meet the same, so
one timer does for them all; what the answers add up to is counted by the shipped code. While the controller is blind
nothing is asked, and what was said grows old.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from rollout.engine.observation import BackendKey
from rollout.failover.health import Reading
from rollout.failover.probing import Answer, Tally, counted, probe_reading
from rollout.failover.readings import fresh_seconds
from rollout.ports import Clock
from rollout.rehearsal.life import Life
from rollout.signals import ProbeAsk, Target
from rollout.spec.probe import ProbeSignal

_TIMED_OUT = "timed out"
_GOOD_STATUS = "2"


@dataclass(slots=True, eq=False)
class _Watch:
    """One ask: its targets and what each has said, and what they said together when somebody read it last."""

    ask: ProbeAsk
    fresh: float
    tallies: dict[Target, Tally] = field(default_factory=dict)
    before: Reading | None = None
    timer: asyncio.TimerHandle | None = None
    asking: bool = False


class SimulatedProbes:
    """``Probes`` in simulated time; ``met`` says what a probe of a backend meets now, None when none can be sent."""

    def __init__(self, met: Callable[[str], str | None], clock: Clock, life: Life) -> None:
        self._met = met
        self._clock = clock
        self._life = life
        self._watches: dict[ProbeAsk, _Watch] = {}
        self._listeners: list[Callable[[BackendKey], None]] = []

    def want(self, wanted: Mapping[ProbeAsk, Sequence[Target]]) -> None:
        """Probe these from now on, and no others; a target that stays keeps what was counted of it."""
        for ask in [ask for ask in self._watches if ask not in wanted]:
            gone = self._watches.pop(ask)
            if gone.timer is not None:
                gone.timer.cancel()
            self._tell(gone)
        for ask, targets in wanted.items():
            watch = self._watches.get(ask)
            if watch is None:
                fresh = fresh_seconds(stale_after=ask.stale_after, interval=ask.signal.interval)
                watch = self._watches[ask] = _Watch(ask, fresh)
                watch.timer = asyncio.get_running_loop().call_later(0, self._ask, watch)
            if tuple(targets) != tuple(watch.tallies):
                watch.tallies = {target: watch.tallies.get(target, Tally(str(target))) for target in targets}
                self._tell(watch)

    def read(self, ask: ProbeAsk) -> Reading:
        """Return what the targets say together now; Unknown of what is not wanted, or not answered yet."""
        now, watch = self._clock.now(), self._watches.get(ask)
        if watch is None:
            return probe_reading((), None, fresh=ask.stale_after, now=now)
        tallies = tuple(watch.tallies.values())
        watch.before = probe_reading(tallies, watch.before, fresh=watch.fresh, now=now, min_percent=ask.min_percent)
        return watch.before

    def subscribe(self, listener: Callable[[BackendKey], None]) -> None:
        """Call ``listener`` as soon as the health of one of a backend's targets changed, as long as the life lasts."""
        self._listeners.append(self._life.while_it_lasts(listener))

    def _ask(self, watch: _Watch) -> None:
        """Ask all targets, unless the last probes are still on their way, and plan the next time."""
        if self._life.dead or self._watches.get(watch.ask) is not watch:
            return
        loop, signal = asyncio.get_running_loop(), watch.ask.signal
        watch.timer = loop.call_later(signal.interval, self._ask, watch)
        met = self._met(watch.ask.backend.name)
        if met is None or watch.asking:
            return
        if met == "timeout":
            watch.asking = True
            loop.call_later(signal.timeout, self._answered, watch, (Answer.BAD, _TIMED_OUT))
        else:
            self._answered(watch, answer_to(signal, met))

    def _answered(self, watch: _Watch, said: tuple[Answer, str]) -> None:
        watch.asking = False
        signal, fresh, now = watch.ask.signal, watch.fresh, self._clock.now()
        before = [tally.health for tally in watch.tallies.values()]
        for target, tally in watch.tallies.items():
            watch.tallies[target] = counted(tally, *said, signal=signal, fresh=fresh, now=now)
        if before != [tally.health for tally in watch.tallies.values()]:
            self._tell(watch)

    def _tell(self, watch: _Watch) -> None:
        for listener in self._listeners:
            asyncio.get_running_loop().call_soon(listener, watch.ask.backend)


def answer_to(signal: ProbeSignal, met: str) -> tuple[Answer, str]:
    """Return what a probe comes to that meets ``met``, in the words of the shipped probes."""
    good, bad = ("SERVING", "NOT_SERVING") if signal.grpc is not None else ("open", "reset")
    if signal.http is not None:
        good, bad = "200", "500"
    match met:
        case "ok":
            return Answer.GOOD, good
        case "fail":
            return Answer.BAD, bad
        case "refused":
            return Answer.BAD, met
        case "unreachable":
            return Answer.UNSENT, "network is unreachable"
        case status:
            return (Answer.GOOD if status.startswith(_GOOD_STATUS) else Answer.BAD), status
