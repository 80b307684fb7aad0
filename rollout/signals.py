"""What failover sees, and who is told, as Protocols: endpoints, answers to our own probes, the switch, sinks.

Beside ``rollout.ports``, and by the same rules: reads come from what an adapter keeps fresh by itself, a listener is
called on the loop. What the readings mean together is ``rollout.failover``'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from rollout.engine.observation import BackendKey, Cursor, Endpoints, Telling
from rollout.engine.state import State
from rollout.failover.health import Reading
from rollout.failover.readings import EndpointsSeen
from rollout.failover.seen import Calendar
from rollout.ports import Key, StoredRollout
from rollout.spec.failover import Failover
from rollout.spec.probe import ProbeSignal
from rollout.spec.resource import Rollout


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """One endpoint of a backend: an IP address (or a name that must be looked up) and a port (0: not known)."""

    address: str
    port: int

    def __str__(self) -> str:
        """Return ``address:port``, an IPv6 address in brackets."""
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


class BackendHealth(Protocol):
    """The endpoints behind backends."""

    def endpoints(self, backend: BackendKey) -> Endpoints:
        """Return the ready endpoints from the cache (``known`` false when not seen yet, or not any more)."""
        ...

    def seen(self, backend: BackendKey) -> EndpointsSeen:
        """Return the ready endpoints as ``endpoints`` does, and when that was last heard, whatever its age."""
        ...

    def targets(self, backend: BackendKey) -> tuple[Target, ...]:
        """Return where the endpoints are, ready or not, in order and each once, as last seen (empty before)."""
        ...

    def missing(self, backend: BackendKey) -> str:
        """Return one sentence when it is known that there is no such backend, empty otherwise."""
        ...

    def subscribe(self, listener: Callable[[BackendKey], None]) -> None:
        """Call ``listener`` (on the loop) whenever a backend's endpoints or targets changed, or it came or went."""
        ...


@dataclass(frozen=True, slots=True)
class ProbeAsk:
    """What is asked of a backend's targets; equal asks are one, however many routes use the backend.

    ``stale_after`` is in seconds, ``min_percent`` the least share of targets that must be well.
    """

    backend: BackendKey
    signal: ProbeSignal = field(hash=False)  # backends tell asks apart well enough, and thousands are looked up at once
    stale_after: float = 10.0
    min_percent: int = 1


class Probes(Protocol):
    """Own questions to every target of a backend, also where no traffic goes."""

    def want(self, wanted: Mapping[ProbeAsk, Sequence[Target]]) -> None:
        """Probe these from now on, and no others; a target that stays keeps what was counted of it."""
        ...

    def read(self, ask: ProbeAsk) -> Reading:
        """Return what the targets say together now; Unknown of what is not wanted, or not answered yet."""
        ...

    def subscribe(self, listener: Callable[[BackendKey], None]) -> None:
        """Call ``listener`` (on the loop) as soon as the health of one of a backend's targets changed."""
        ...


class Switch(Protocol):
    """The operator's switch, which stops all automatic failover at once."""

    @property
    def stopped(self) -> str:
        """Return one sentence that says who stopped it, when and why; empty: it is not stopped."""
        ...

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` (on the loop) after each change of ``stopped``."""
        ...


@dataclass(frozen=True, slots=True)
class Position:
    """How the operator's switch was turned last: to stop all automatic failover or to let it be; by whom, when, why.

    ``by`` is empty where nobody knows, or nobody has turned it yet; ``at`` is Unix seconds (0: not known).
    """

    stopped: bool = False
    by: str = ""
    at: float = 0.0
    reason: str = ""


class SwitchRecord(Protocol):
    """Where the position of the operator's switch is kept, one for all replicas; it outlives them."""

    def read(self) -> Position:
        """Return the position as last known, whatever its age; before anybody turned it, nothing is stopped.

        Raises:
            Unavailable: it was not read yet, so that nobody knows.
        """
        ...

    async def turn(self, position: Position) -> None:
        """Keep this position from now on; it is known here when this returns, and to all replicas within a second.

        Raises:
            Unavailable: it cannot be kept now.
            NotAllowedError: the platform does not let us.
        """
        ...

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` (on the loop) after each change, the first reading included."""
        ...


CalendarOf = Callable[[Failover, float], Calendar]
"""From failover's settings and a time (Unix seconds) to what its cron expressions come to at that time."""


class Notices(Protocol):
    """Those who are told of transitions: sinks that the operator named."""

    def telling(self, stored: StoredRollout, rollout: Rollout | None, state: State) -> Telling | None:
        """Return who is to be told of the Rollout and how far each was; asked once in each pass, from memory.

        None: nobody is. Without a ``rollout`` (its spec is invalid) they are those of ``state.notified``.
        """
        ...


@dataclass(frozen=True, slots=True)
class SinkStanding:
    """How it goes with a sink since this replica started; times are Unix seconds (0: never).

    ``kind`` is what it is, ``delivered`` and ``failed`` count messages and tries, ``folded`` transitions that were told
    as a number only, ``passed_over`` messages that the sink never took. ``pending`` Rollouts have something that it was
    not told; ``lag_seconds`` is the age of the oldest of that. ``problem`` is why the last try failed (empty: it did
    not), ``closed_until`` until when nothing is tried, ``quiet`` whether it is left alone by its calendar.
    """

    name: str
    kind: str
    delivered: int = 0
    failed: int = 0
    folded: int = 0
    passed_over: int = 0
    pending: int = 0
    lag_seconds: float = 0.0
    delivered_at: float = 0.0
    problem: str = ""
    problem_at: float = 0.0
    closed_until: float = 0.0
    quiet: bool = False


class NoticeDesk(Protocol):
    """What people ask of the sinks."""

    def standings(self) -> tuple[SinkStanding, ...]:
        """Return how it goes with each sink, in the order of the file; may be called beside the loop."""
        ...

    def told(self, key: Key) -> tuple[Cursor, ...]:
        """Return how far each sink was told of the Rollout; newer, perhaps, than its status (empty: not known here)."""
        ...

    async def trial(self, sink: str, *, by: str) -> None:
        """Send the sink a message that says it is a trial, and by whom it was asked for; try once.

        Raises:
            NotOursError: there is no such sink.
            TemporaryError, PermanentError: it was not delivered; the sentence says why, and no secret.
        """
        ...
