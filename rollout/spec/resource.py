"""The Rollout and its policies: routes, two backends and backups, steps, and how the canary is judged.

Field by field the shape that people write; defaults stand here and nowhere else. Checks that
need more than one field are in ``rollout.spec.admission``, the joining of a Rollout and its policy
in ``rollout.spec.merge``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from rollout.spec.analysis import Analysis
from rollout.spec.base import API_VERSION, ApiVersion, Metadata, Model, Name, ShortText
from rollout.spec.failover import Failover
from rollout.spec.lifecycle import (
    Gateway,
    Hooks,
    Notify,
    Promotion,
    PromotionMode,
    StartMode,
    Workload,
    Workloads,
)
from rollout.spec.metrics import MetricTemplates
from rollout.spec.quantities import Flag, PositiveDuration, Whole
from rollout.spec.traffic import BackendRef, Backends, Gate, Ramp, RouteKind, RouteRef, Step, Weight

__all__ = [
    "BackendRef",
    "Backends",
    "DriftMode",
    "Gate",
    "Gateway",
    "Hooks",
    "Notify",
    "OnDelete",
    "PolicyRef",
    "PolicySpec",
    "Promotion",
    "PromotionMode",
    "Ramp",
    "Rollout",
    "RolloutPolicy",
    "RolloutSpec",
    "RouteKind",
    "RouteRef",
    "StartMode",
    "Step",
    "Weight",
    "Workload",
    "Workloads",
]

Steps = Annotated[tuple[Step, ...], Field(max_length=100)]
Notifies = Annotated[tuple[Notify, ...], Field(max_length=20)]


class DriftMode(StrEnum):
    """What is done about a foreign change of our weights."""

    CORRECT = "Correct"
    PAUSE = "Pause"
    IGNORE = "Ignore"


class OnDelete(StrEnum):
    """What becomes of the weights when the Rollout is deleted."""

    RESTORE = "Restore"
    LEAVE = "Leave"


class PolicyRef(Model):
    """The policy that gives defaults."""

    kind: Literal["RolloutPolicy", "ClusterRolloutPolicy"]
    """A policy of the Rollout's namespace, or one for all."""
    name: Name
    """The policy's name."""


class PolicySpec(Model):
    """What a policy may give: defaults, and the metric templates that only a policy has."""

    steps: Steps | None = None
    """Steps for Rollouts that have neither steps nor ramp."""
    ramp: Ramp | None = None
    """A ramp for Rollouts that have neither steps nor ramp."""
    analysis: Analysis | None = None
    """How canaries are judged."""
    failover: Failover | None = None
    """What moves traffic to a backup."""
    promotion: Promotion | None = None
    """What happens at the end of an attempt."""
    gateway: Gateway | None = None
    """How the gateway behaves."""
    notify: Notifies | None = None
    """Who is told of what."""
    metrics: MetricTemplates | None = None
    """Where the counters of a backend are."""


class RolloutSpec(Model):
    """Everything that is wanted of one Rollout, policy merged in."""

    policy: PolicyRef | None = None
    """The policy that gives defaults; what stands in the Rollout wins."""
    routes: Annotated[tuple[RouteRef, ...], Field(min_length=1, max_length=64)]
    """The routes whose weights are owned; all get the same."""
    backends: Backends
    """The backends by role when the Rollout is new."""
    start: StartMode = StartMode.ON_REVISION
    """What starts an attempt."""
    revision: ShortText | None = None
    """What the canary runs; the first one seen is a baseline and starts nothing."""
    steps: Steps = ()
    """The weights of an attempt, one after the other; steps or ramp."""
    ramp: Ramp | None = None
    """Steps by equal amounts; steps or ramp."""
    analysis: Analysis = Analysis()
    """How the canary is judged."""
    promotion: Promotion = Promotion()
    """What happens at the end of an attempt."""
    failover: Failover | None = None
    """What moves traffic to a backup."""
    gateway: Gateway = Gateway()
    """How the gateway behaves."""
    precision: Annotated[Whole, Field(ge=2, le=1_000_000)] = 100
    """What our weights sum to, where the route does not say."""
    drift: DriftMode = DriftMode.CORRECT
    """What is done about a foreign change of our weights."""
    on_delete: OnDelete = OnDelete.RESTORE
    """What becomes of the weights when the Rollout is deleted."""
    progress_deadline: PositiveDuration = 600.0
    """How long a canary may take to become ready."""
    workloads: Workloads = Workloads()
    """The workloads behind stable and canary."""
    hooks: Hooks = Hooks()
    """Gates outside the steps."""
    notify: Notifies = ()
    """Who is told of what."""
    suspend: Flag = False
    """Whether nothing at all is written."""
    metrics: MetricTemplates | None = None
    """From the policy only; a Rollout cannot give it."""


class Rollout(Model):
    """The resource: who it is and what is wanted. Its status is the engine's."""

    api_version: ApiVersion = API_VERSION
    """The version of this shape."""
    kind: Literal["Rollout"]
    """What it is."""
    metadata: Metadata
    """Who it is."""
    spec: RolloutSpec
    """What is wanted."""


class RolloutPolicy(Model):
    """Defaults for the Rollouts of one namespace, or (``ClusterRolloutPolicy``) of all."""

    api_version: ApiVersion = API_VERSION
    """The version of this shape."""
    kind: Literal["RolloutPolicy", "ClusterRolloutPolicy"]
    """For one namespace, or for all."""
    metadata: Metadata
    """Who it is."""
    spec: PolicySpec
    """The defaults it gives."""
