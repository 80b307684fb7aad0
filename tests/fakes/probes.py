"""Probes in memory that pass the contract of `Probes`."""

from collections.abc import Callable, Mapping, Sequence

from rollout.engine.observation import BackendKey
from rollout.failover.health import Health, Reading
from rollout.failover.probing import Tally, probe_reading
from rollout.failover.readings import fresh_seconds
from rollout.ports import Clock
from rollout.signals import ProbeAsk, Target


class FakeProbes:
    """`Probes` whose targets answer what a test says, at once and `rise` or `fall` times.

    What was said ages by the clock like a real answer; `say` it again to keep it fresh.
    """

    def __init__(self, clock: Clock) -> None:
        self.wanted: dict[ProbeAsk, tuple[Target, ...]] = {}
        self._clock = clock
        self._tallies: dict[tuple[ProbeAsk, Target], Tally] = {}
        self._before: dict[ProbeAsk, Reading] = {}
        self._listeners: list[Callable[[BackendKey], None]] = []

    def want(self, wanted: Mapping[ProbeAsk, Sequence[Target]]) -> None:
        """Keep what is wanted, and forget what is not any more."""
        before, self.wanted = self.wanted, {ask: tuple(targets) for ask, targets in wanted.items()}
        pairs = {(ask, target) for ask, targets in self.wanted.items() for target in targets}
        self._tallies = {pair: self._tallies.get(pair, Tally(str(pair[1]))) for pair in sorted(pairs, key=str)}
        self._before = {ask: reading for ask, reading in self._before.items() if ask in self.wanted}
        for ask in before.keys() | self.wanted.keys():
            if before.get(ask) != self.wanted.get(ask):
                self._tell(ask.backend)

    def say(self, target: Target, health: Health, text: str = "") -> None:
        """Let the target be found so from now on, whoever asks."""
        for (ask, asked), tally in list(self._tallies.items()):
            if asked == target:
                said = text or ("200" if health is Health.HEALTHY else "503")
                self._tallies[ask, asked] = Tally(
                    str(target), health, health is Health.HEALTHY, 1, (said,), self._clock.now()
                )
                if tally.health is not health:
                    self._tell(ask.backend)

    def read(self, ask: ProbeAsk) -> Reading:
        """Return what the targets say together now."""
        now, fresh = self._clock.now(), fresh_seconds(stale_after=ask.stale_after, interval=ask.signal.interval)
        tallies = [tally for (asked, _), tally in self._tallies.items() if asked == ask]
        found = probe_reading(tallies, self._before.get(ask), fresh=fresh, now=now, min_percent=ask.min_percent)
        if ask in self.wanted:
            self._before[ask] = found
        return found

    def subscribe(self, listener: Callable[[BackendKey], None]) -> None:
        """Call `listener` on every change."""
        self._listeners.append(listener)

    def _tell(self, backend: BackendKey) -> None:
        for listener in self._listeners:
            listener(backend)
