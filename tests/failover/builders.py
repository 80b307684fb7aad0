"""Builders: a world of three backends with readings, and a driver that runs passes over it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from rollout.failover.decide import FailoverDecision, decide_failover
from rollout.failover.health import Health, Reading, Signal, continued
from rollout.failover.seen import BackendSeen, Calendar, Order, Seen
from rollout.failover.shares import Shares
from rollout.failover.state import FailoverState
from rollout.failover.status import from_status, to_status
from rollout.failover.table import Action, Stage
from rollout.spec.failover import Failover

NOW = 1_800_000_000.0
V1, V2, DR, FAR = "checkout-v1", "checkout-v2", "checkout-dr", "checkout-far"
UP, DOWN, LOST = Health.HEALTHY, Health.UNHEALTHY, Health.UNKNOWN
ENDPOINTS, PROBE, METRICS = Signal


def settings(**fields: object) -> Failover:
    """Return settings as a manifest would give them; endpoints are the signal where none is named."""
    return Failover.model_validate({"signals": {"endpoints": {}}, **fields})


def reading(
    health: Health, signal: Signal = ENDPOINTS, *, at: float = NOW, part: tuple[int, int] = (0, 0), text: str = ""
) -> Reading:
    """Return what a signal says, fresh for 30 seconds."""
    return Reading(signal, health, at, at, 30.0, text or str(health), healthy=part[0], total=part[1])


@dataclass
class World:
    """Backends and their health as the controller would keep it, and a state that goes from pass to pass."""

    settings: Failover = field(default_factory=settings)
    backups: tuple[str, ...] = (DR,)
    now: float = NOW
    state: FailoverState = field(default_factory=FailoverState)
    known: dict[tuple[str, Signal], Reading] = field(default_factory=dict)
    resting: set[str] = field(default_factory=set)
    extra: dict[str, Any] = field(default_factory=dict)
    blind: bool = False
    told: list[str] = field(default_factory=list)
    writes: list[tuple[float, Shares]] = field(default_factory=list)
    last: FailoverDecision | None = None

    def __post_init__(self) -> None:
        """Have all backends well."""
        for name in (V1, *self.backups):
            self.set(name, UP)

    def set(self, name: str, health: Health, signal: Signal = ENDPOINTS, *, part: tuple[int, int] = (0, 0)) -> None:
        """Have a signal say this of a backend from now on."""
        new = reading(health, signal, at=self.now, part=part)
        self.known[name, signal] = continued(new, self.known.get((name, signal)))

    def ready(self, name: str, healthy: int, total: int = 3) -> None:
        """Have so many of the backend's targets be well."""
        self.set(name, UP if healthy else DOWN, part=(healthy, total))

    def backend(self, name: str) -> BackendSeen:
        """Return what is seen of a backend."""
        readings = tuple(reading for (of, _), reading in self.known.items() if of == name)
        return BackendSeen(name, readings, name in self.resting)

    def seen(self, order: Order | None = None) -> Seen:
        """Return what a pass sees now; what the signals know stands still while they are blind."""
        if not self.blind:
            self.known = {key: replace(one, seen_at=self.now) for key, one in self.known.items()}
        return Seen(self.backend(V1), tuple(map(self.backend, self.backups)), order=order, **self.extra)

    def step(self, seconds: float = 0.0, order: Order | None = None) -> FailoverDecision:
        """Let time go on, run one pass, and keep what it decides by way of the status."""
        self.now += seconds
        before = self.state.shares
        decision = decide_failover(self.settings, self.state, self.seen(order), self.now)
        written = from_status(to_status(decision.state))
        assert written == decision.state
        self.state, self.last = written, decision
        self.told += [change.reason for change in decision.changes]
        if decision.shares != before:
            self.writes.append((self.now, decision.shares))
        return decision

    def run(self, seconds: float) -> None:
        """Run passes whenever the decision asks for one, and every second, until so much time has gone."""
        until = self.now + seconds
        self.step()
        while self.now < until:
            due = self.last.next_at if self.last is not None and self.last.next_at is not None else until
            self.step(max(0.001, min(due, self.now + 1.0, until) - self.now))

    def order(self, action: Action, to: str = "", epoch: int | None = None) -> tuple[bool, str]:
        """Give a command; return whether it was done, and the reason."""
        answer = self.step(order=Order(action, to, epoch, by="jo")).answer
        assert answer is not None
        return answer.done, answer.reason

    def calendar(self, calendar: Calendar) -> None:
        """Have the calendar say this."""
        self.extra["calendar"] = calendar

    @property
    def stage(self) -> Stage:
        """Return where failover stands."""
        return self.state.stage

    def is_in(self, stage: Stage) -> bool:
        """Return whether failover stands there."""
        return self.state.stage is stage

    @property
    def shares(self) -> dict[str, int]:
        """Return what the backups have."""
        return dict(self.state.shares)


def failed_over(**fields: object) -> World:
    """Return a world whose primary went down and whose first backup has all, with the primary up again."""
    world = World(settings(**fields), backups=(DR, FAR))
    world.set(V1, DOWN)
    world.run(3)
    assert world.shares == {DR: 100}
    world.set(V1, UP)
    return world
