"""The state of one Rollout: everything that must survive a restart, as one frozen value.

``rollout.engine.status`` turns it into the status of the resource and back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from rollout.analysis.judge import CheckReport, JudgeState, Verdict
from rollout.engine.hooks import Fault, GateKey
from rollout.engine.observation import BackendKey, Cursor, RouteKey
from rollout.engine.table import Phase
from rollout.failover.state import FailoverState
from rollout.failover.table import Stage
from rollout.spec.failover import Failover
from rollout.spec.resource import Gateway

Weights = tuple[tuple[str, int], ...]
"""(backend name, weight) in the order of the spec: stable, canary, backups as first named."""

MOST_TRANSITIONS = 20
"""So many transitions stay in any case."""

MOST_UNTOLD = 100
"""So many transitions stay at most, while a sink has not been told of them."""

MOST_HANDLED = 20


@dataclass(frozen=True, slots=True)
class Failing:
    """Where failover stood at a transition: its phase, the backup that had the traffic (empty: none), its number."""

    phase: Stage
    active: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Transition:
    """A numbered change of phase, step, roles or failover; ``at`` is Unix seconds, ``step`` 1-based (0: none).

    ``failover`` is where that stood then, None where the Rollout has none; ``attempt`` the attempt's number (0: none
    yet, or not known).
    """

    number: int
    at: float
    phase: Phase
    step: int
    weights: Weights
    reason: str
    message: str
    failover: Failing | None = None
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class Handled:
    """What became of a command: done, or refused with why."""

    id: str
    action: str
    done: bool
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class GateSeen:
    """What a gate or hook answered last (at most 200 characters): ``at`` is when it was asked (Unix seconds).

    ``tries`` is how many calls that took; ``fault`` is why there is no answer, where there is none.
    """

    key: GateKey
    agrees: bool
    message: str
    at: float
    tries: int = 1
    fault: Fault = Fault.NONE


@dataclass(frozen=True, slots=True)
class OwnedRule:
    """A rule whose weights are owned: its backends in order, the total that they sum to, and what was written last.

    ``acknowledged`` is empty until the first write; observed = acknowledged, other than intended,
    is an unfinished write of our own and not drift.
    """

    route: RouteKey
    index: int
    name: str
    total: int
    backends: tuple[BackendKey, ...]
    alone: bool
    acknowledged: Weights = ()


@dataclass(frozen=True, slots=True)
class Hold:
    """The hold time of a step: ``seconds`` counted up to ``since``; from then on it runs (None: it stands still)."""

    seconds: float = 0.0
    since: float | None = None

    def at(self, now: float) -> float:
        """Return the hold time counted so far, in seconds."""
        return self.seconds + (max(0.0, now - self.since) if self.since is not None else 0.0)


@dataclass(frozen=True, slots=True)
class Drift:
    """Foreign changes of our weights: when they were put back, and when the next repair may be.

    ``by`` is who made the one that is known; once it is ``put_back``, the next that is seen is another one.
    ``rival`` is who made the last one, as long as repairs are remembered.
    """

    repairs: tuple[float, ...] = ()
    next_repair_at: float = 0.0
    gap_seconds: float = 0.0
    hands_off: bool = False
    by: str = ""
    put_back: bool = False
    rival: str = ""


@dataclass(frozen=True, slots=True)
class Word:
    """What the judge said last: it stands until a new sample comes, or none has come for too long."""

    verdict: Verdict
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the last record that was needed tells: health by backend, and up to when samples were judged (0: none)."""

    ready: tuple[tuple[str, str], ...] = ()
    tick_at: float = 0.0


class Scaling(StrEnum):
    """What is left to do with the number of pods of the workload behind the canary role."""

    NONE = "None"
    UP = "Up"
    DOWN = "Down"


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition as Kubernetes has it; ``status`` is True, False or Unknown."""

    type: str
    status: str
    reason: str
    message: str
    last_transition_time: float


@dataclass(frozen=True, slots=True)
class Tiers:
    """The failover that the spec asked for when it was last valid: its settings, the backups as they are preferred."""

    settings: Failover
    backups: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class State:
    """Where one Rollout stands.

    ``share`` is the intended weight of the canary role in percent. ``stable`` and ``canary`` are
    backend names by role (empty: roles unknown). ``stable_revision`` is what stable runs,
    ``revision`` what the last attempt runs or ran. ``parked`` keeps the weightless backend of the
    pair at the floor. ``gateway`` are the last valid settings. ``writing_at`` is when the write began
    that a step waits for (0: none, or one has failed). ``unaccepted_at`` is since when the gateway has not accepted
    a route as it stands (0: it has accepted all). ``templates`` are the pod templates seen last, by
    name of the backend. ``copying_at`` is since when stable is to run what the canary runs (0: it is not),
    ``copied`` the pod template for that. ``tiers`` is the failover that is asked for (None: none),
    ``failover`` where it stands, ``frozen_at`` since when the attempt stands still for it (0: it does not).
    ``notified`` is how far each sink was told. ``gates`` are the last answers of this attempt's gates and hooks.
    """

    phase: Phase = Phase.IDLE
    reason: str = ""
    message: str = ""
    attempt: int = 0
    step: int = 0
    revision: str = ""
    stable_revision: str = ""
    previous_revision: str | None = None
    seen_revision: str | None = None
    templates: tuple[tuple[str, str], ...] = ()
    aborted_revision: str | None = None
    stable: str = ""
    canary: str = ""
    share: float = 0.0
    parked: bool = False
    owned: tuple[OwnedRule, ...] = ()
    observed: Weights = ()
    hold: Hold = Hold()
    hold_over: bool = False
    started_at: float = 0.0
    step_at: float = 0.0
    approved_step: int = 0
    undoing: bool = False
    ordered: bool = False
    copying_at: float = 0.0
    copied: str = ""
    scaling: Scaling = Scaling.NONE
    before_invalid: Phase | None = None
    steps_seen: tuple[float, ...] = ()
    judge: JudgeState | None = None
    word: Word | None = None
    looked_at: float = 0.0
    evidence: tuple[CheckReport, ...] = ()
    effective: str = "Unknown"
    drift: Drift = Drift()
    last_write_at: float = 0.0
    writing_at: float = 0.0
    unaccepted_at: float = 0.0
    gateway: Gateway = field(default_factory=Gateway)
    number: int = 0
    transitions: tuple[Transition, ...] = ()
    handled: tuple[Handled, ...] = ()
    conditions: tuple[Condition, ...] = ()
    ready: tuple[tuple[str, str], ...] = ()
    observed_generation: int = 0
    recorded: Recorded = Recorded()
    tiers: Tiers | None = None
    failover: FailoverState = field(default_factory=FailoverState)
    frozen_at: float = 0.0
    notified: tuple[Cursor, ...] = ()
    gates: tuple[GateSeen, ...] = ()
