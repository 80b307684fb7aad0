"""What the API answers of failover: where it stands, what the signals say of each backend, what it waits for.

As ``rollout.api.models`` in all else, which has these in its answers.
"""

from __future__ import annotations

from rollout.api.shapes import Answer, MissingView


class FailingItem(Answer):
    """Where failover stood at a transition."""

    phase: str
    active: str
    """The backup that carried the traffic; empty: none."""
    epoch: int
    """The number of the failover."""


class SignalView(Answer):
    """What one signal says of one backend."""

    signal: str
    """One of endpoints, probe and metrics."""
    health: str
    """Healthy, Unhealthy or Unknown; Unknown, too, when its evidence is too old."""
    since: float
    """Since when it says so."""
    age_seconds: float
    """How old its evidence is."""
    evidence: str


class BackendHealthView(Answer):
    """What all signals say of one backend together."""

    role: str
    """One of stable, canary and backup."""
    health: str
    """Healthy, Unhealthy or Unknown, as `signals.combine` has it."""
    since: float
    """Since when, 0 where that is not known."""
    resting: bool
    """Whether it is scaled to zero on purpose."""
    share: int | None
    """Its share of the traffic in percent as failover has it; None for a canary, which shares in that of stable."""
    signals: list[SignalView]


class JourneyView(Answer):
    """A way from one backend to another in steps."""

    back: bool
    """Whether it is a failback; else a cold backup gets its traffic in parts."""
    target: str
    """Where it leads."""
    step: int
    """1-based."""
    steps: list[int]
    """How much of the way each step goes, in percent."""


class DrillView(Answer):
    """The last drill."""

    id: str
    at: float
    """When it ended, or was skipped."""
    result: str
    """One of SUCCEEDED, FAILED, ABORTED and SKIPPED."""
    why: str


class DampingView(Answer):
    """How many failovers count against the limit."""

    counted: int
    most: int
    """So many latch."""
    per_seconds: float


class FailoverView(Answer):
    """Where failover stands right now."""

    phase: str
    """One of Normal, Confirming, FailedOver, FailingBack, Latched and Drill."""
    active: str
    """The backup that carries the traffic, or most of it; empty: the primary does."""
    epoch: int
    """The number of the last failover or proposal; commands name it."""
    since: float
    """Since when it is in this phase; 0 where it always was."""
    reason: str
    message: str
    """One sentence: why it is where it is."""
    mode: str
    strategy: str
    proposed: bool
    """Whether a failover with this number waits for an approval."""
    away_since: float | None
    """Since when traffic is away from the primary; None while it is not."""
    cause: list[str]
    """The signals that moved the traffic away."""
    ready: bool
    """Whether traffic would move if the primary went down now."""
    ready_reason: str
    ready_message: str
    journey: JourneyView | None
    damping: DampingView
    drilling: str | None
    """The id of the drill that is under way."""
    last_drill: DrillView | None
    next_drill_at: float | None
    backends: dict[str, BackendHealthView]
    """In order of preference. Without signals where this replica does not look."""
    missing: list[MissingView]
    """What it waits for before its next move."""
    commands: list[str]
    """The commands that are legal in this phase; each may still be refused with a reason."""
