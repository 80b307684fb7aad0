"""What moves traffic to a backup: the whole shape is read, so that a manifest can be checked.

Every value has its default here and nowhere else. What must hold between fields is said in
``rollout.spec.failover_rules``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from rollout.spec.base import Model
from rollout.spec.cron import Cron, TimeZone
from rollout.spec.probe import ProbeSignal
from rollout.spec.quantities import Duration, Flag, Fraction, Number, Percent, PositiveDuration, Whole


class FailoverMode(StrEnum):
    """Who decides: the controller, a person, or nobody (only watched)."""

    AUTO = "Auto"
    PROPOSE = "Propose"
    OBSERVE = "Observe"


class Strategy(StrEnum):
    """All at once, or by Envoy's priority formula."""

    SWITCH = "Switch"
    SPILL = "Spill"


class AllUnhealthy(StrEnum):
    """What is done when no backend is healthy; never all zero."""

    HOLD = "Hold"
    PREFER_PRIMARY = "PreferPrimary"
    SPREAD = "Spread"


class OnExceed(StrEnum):
    """What is done when failovers come too often."""

    LATCH = "Latch"


class FailbackMode(StrEnum):
    """Whether the way back is automatic or waits for a person."""

    AUTO = "Auto"
    MANUAL = "Manual"


class EndpointsSignal(Model):
    """Health by ready endpoints: at least ``min_ready_percent`` of them."""

    min_ready_percent: Percent = 1
    """Least share of ready endpoints in percent."""


class MetricsSignal(Model):
    """Health by the share of bad requests over a window."""

    fail_above: Fraction = 0.2
    """Share of bad requests above which it is Unhealthy."""
    recover_below: Fraction = 0.05
    """Share of bad requests below which it is Healthy again."""
    window: PositiveDuration = 60.0
    """Time that is looked back."""
    min_samples: Annotated[Whole, Field(ge=1, le=1_000_000)] = 50
    """Requests needed for a judgement."""


Combine = Annotated[
    str,
    Field(
        pattern=r"^(AnyFails|AllFail|Quorum\([1-3]\))$",
        json_schema_extra={"allowed": "AnyFails, AllFail, Quorum(1), Quorum(2) or Quorum(3)"},
    ),
]
"""How the votes of the signals are combined."""


class Signals(Model):
    """The signals that are listened to, and how they are combined.

    ``combine`` is ``AnyFails``, ``AllFail`` or ``Quorum(n)``.
    """

    endpoints: EndpointsSignal | None = None
    """Health by ready endpoints."""
    probe: ProbeSignal | None = None
    """Health by own probes."""
    metrics: MetricsSignal | None = None
    """Health by bad requests."""
    combine: Combine = "AnyFails"
    """How signals are combined: AnyFails, AllFail or Quorum(n)."""
    stale_after: PositiveDuration = 10.0
    """Age at which evidence becomes Unknown."""


class HoldGrowth(Model):
    """How the wait before failback grows after each that broke."""

    factor: Annotated[Number, Field(ge=1, le=100)] = 2.0
    """Times the last wait."""
    max: Duration = 1800.0
    """Longest wait."""


class Failback(Model):
    """The way back to a more preferred backend."""

    mode: FailbackMode = FailbackMode.AUTO
    """Who decides."""
    stable_for: Duration = 120.0
    """How long the primary must be healthy."""
    steps: Annotated[tuple[Percent, ...], Field(min_length=1, max_length=20)] = (10, 50, 100)
    """Weights of the way back."""
    step_interval: Duration = 30.0
    """Time between two steps."""
    hold_growth: HoldGrowth = HoldGrowth()
    """How the wait grows after a failback that broke."""
    windows: Annotated[tuple[Cron, ...], Field(max_length=20)] = ()
    """Cron expressions of the minutes in which failback may begin; none: always."""


class Damping(Model):
    """Limits against flapping."""

    cooldown: Duration = 60.0
    """Least time between two moves."""
    max_failovers: Annotated[Whole, Field(ge=1, le=1000)] = 3
    """Failovers within ``per`` that latch."""
    per: PositiveDuration = 600.0
    """Window in which failovers are counted."""
    on_exceed: OnExceed = OnExceed.LATCH
    """What is done when there are too many."""


class FleetLimit(Model):
    """How many primaries at once may fail over before the observer itself is suspected."""

    max_percent: Percent = 30
    """Share of primaries that may fail over at once."""
    within: Duration = 60.0
    """Time within which it counts or must be seen."""
    at_least: Annotated[Whole, Field(ge=1)] = 5
    """Fewer primaries than this never count as too many."""


class Drill(Model):
    """A failover for practice; ``schedule`` and ``blocked_windows`` are cron expressions of five fields."""

    schedule: Cron
    """When it begins, as a cron expression of five fields."""
    percent: Percent = 10
    """Weight given to the backup."""
    duration: PositiveDuration = 300.0
    """How long the drill takes."""
    blocked_windows: Annotated[tuple[Cron, ...], Field(max_length=20)] = ()
    """Cron expressions of the minutes in which no drill begins."""


class Verify(Model):
    """Whether and how soon the gateway must be seen to follow."""

    route_status: Flag = True
    """Whether the route's status is looked at."""
    within: Duration = 10.0
    """Time within which it counts or must be seen."""


class Failover(Model):
    """What moves traffic to a backup, and back."""

    mode: FailoverMode = FailoverMode.AUTO
    """Who decides."""
    signals: Signals = Signals()
    """What health is read from."""
    strategy: Strategy = Strategy.SWITCH
    """All at once, or by Envoy's priority formula."""
    overprovisioning: Annotated[Whole, Field(ge=100, le=1000)] = 140
    """Overprovisioning factor of Spill in percent."""
    hold_off: Duration = 15.0
    """How long a partial loss must last, for Spill."""
    standby_weight: Annotated[Whole, Field(ge=0, le=50)] = 0
    """Weight of an idle backup in percent."""
    confirm_for: Duration = 2.0
    """How long the primary must stay down before a move."""
    all_unhealthy: AllUnhealthy = AllUnhealthy.HOLD
    """What is done when no backend is healthy."""
    ramp_up: Annotated[tuple[Percent, ...], Field(max_length=20)] = ()
    """Weights of the way to a cold backup."""
    failback: Failback = Failback()
    """The way back."""
    damping: Damping = Damping()
    """Limits against flapping."""
    fleet_limit: FleetLimit | None = None
    """Limit on failovers at once; needs two signals."""
    drill: Drill | None = None
    """A failover for practice."""
    time_zone: TimeZone = "UTC"
    """Time zone of all cron expressions here, by its IANA name."""
    verify: Verify = Verify()
    """Whether and how soon the gateway must be seen to follow."""
