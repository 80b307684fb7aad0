"""What moves traffic to a backup: the whole shape is read, so that a manifest can be checked.

Every value has its default here and nowhere else. Whether a runtime acts on it is decided where
a Rollout is admitted (``rollout.spec.admission``).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from rollout.spec.base import Model, Text
from rollout.spec.quantities import Duration, Fraction

Percent = Annotated[int, Field(ge=1, le=100)]


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


class HttpProbe(Model):
    """An HTTP request that must answer 2xx."""

    path: Text = "/"
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    host: Text | None = None


class GrpcProbe(Model):
    """The gRPC health protocol; ``service`` is empty for the whole server."""

    service: Annotated[str, Field(max_length=253)] = ""
    port: Annotated[int, Field(ge=1, le=65535)] | None = None


class TcpProbe(Model):
    """A TCP connection that must open."""

    port: Annotated[int, Field(ge=1, le=65535)] | None = None


class ProbeSignal(Model):
    """Health by own probes: ``fall`` bad or ``rise`` good answers in a row change it."""

    http: HttpProbe | None = None
    grpc: GrpcProbe | None = None
    tcp: TcpProbe | None = None
    interval: Duration = 1.0
    timeout: Duration = 0.5
    fall: Annotated[int, Field(ge=1, le=100)] = 3
    rise: Annotated[int, Field(ge=1, le=100)] = 5


class MetricsSignal(Model):
    """Health by the share of bad requests over a window."""

    fail_above: Fraction = 0.2
    recover_below: Fraction = 0.05
    window: Duration = 60.0
    min_samples: Annotated[int, Field(ge=1, le=1_000_000)] = 50


class Signals(Model):
    """The signals that are listened to, and how they are combined.

    ``combine`` is ``AnyFails``, ``AllFail`` or ``Quorum(n)``.
    """

    endpoints: EndpointsSignal | None = None
    probe: ProbeSignal | None = None
    metrics: MetricsSignal | None = None
    combine: Annotated[str, Field(pattern=r"^(AnyFails|AllFail|Quorum\([1-3]\))$")] = "AnyFails"
    stale_after: Duration = 10.0


class HoldGrowth(Model):
    """How the wait before failback grows after each that broke."""

    factor: Annotated[float, Field(ge=1, le=100)] = 2.0
    max: Duration = 1800.0


class Failback(Model):
    """The way back to a more preferred backend."""

    mode: FailbackMode = FailbackMode.AUTO
    stable_for: Duration = 120.0
    steps: Annotated[tuple[Percent, ...], Field(min_length=1, max_length=20)] = (10, 50, 100)
    step_interval: Duration = 30.0
    hold_growth: HoldGrowth = HoldGrowth()
    windows: Annotated[tuple[Text, ...], Field(max_length=20)] = ()


class Damping(Model):
    """Limits against flapping."""

    cooldown: Duration = 60.0
    max_failovers: Annotated[int, Field(ge=1, le=1000)] = 3
    per: Duration = 600.0
    on_exceed: OnExceed = OnExceed.LATCH


class FleetLimit(Model):
    """How many primaries at once may fail over before the observer itself is suspected."""

    max_percent: Percent = 30
    within: Duration = 60.0
    at_least: Annotated[int, Field(ge=1)] = 5


class Drill(Model):
    """A failover for practice; ``schedule`` and ``blocked_windows`` are cron expressions of five fields."""

    schedule: Text
    percent: Percent = 10
    duration: Duration = 300.0
    blocked_windows: Annotated[tuple[Text, ...], Field(max_length=20)] = ()


class Verify(Model):
    """Whether and how soon the gateway must be seen to follow."""

    route_status: bool = True
    within: Duration = 10.0


class Failover(Model):
    """What moves traffic to a backup, and back."""

    mode: FailoverMode = FailoverMode.AUTO
    signals: Signals = Signals()
    strategy: Strategy = Strategy.SWITCH
    overprovisioning: Annotated[int, Field(ge=100, le=1000)] = 140
    hold_off: Duration = 15.0
    standby_weight: Annotated[int, Field(ge=0, le=50)] = 0
    confirm_for: Duration = 2.0
    all_unhealthy: AllUnhealthy = AllUnhealthy.HOLD
    ramp_up: Annotated[tuple[Percent, ...], Field(max_length=20)] = ()
    failback: Failback = Failback()
    damping: Damping = Damping()
    fleet_limit: FleetLimit | None = None
    drill: Drill | None = None
    verify: Verify = Verify()
