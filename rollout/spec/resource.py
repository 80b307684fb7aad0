"""The Rollout: routes, two backends and backups, steps, and how the canary is judged.

Field by field the shape that people write; defaults stand here and nowhere else. Checks that
need more than one field, and those that need a policy, are in ``rollout.spec.admission``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from rollout.spec.analysis import Analysis
from rollout.spec.base import API_VERSION, Metadata, Model, Name, Text
from rollout.spec.failover import Failover
from rollout.spec.metrics import MetricTemplates
from rollout.spec.quantities import Duration

Weight = Annotated[float, Field(ge=0, le=100)]
"""The canary's share of tier 0 in percent, 0 to 100."""


class RouteKind(StrEnum):
    """The kinds of routes whose weights can be owned."""

    HTTP_ROUTE = "HTTPRoute"
    GRPC_ROUTE = "GRPCRoute"
    ENVOY_ROUTE = "EnvoyRoute"


class StartMode(StrEnum):
    """What starts an attempt."""

    ON_REVISION = "OnRevision"
    ON_WORKLOAD = "OnWorkload"
    MANUAL = "Manual"


class PromotionMode(StrEnum):
    """What happens to the roles at the end."""

    SWAP = "Swap"
    COPY_TEMPLATE = "CopyTemplate"


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
    name: Name


class RouteRef(Model):
    """A route whose weights are owned; ``rule`` by name or 0-based index, absent: every rule naming both backends."""

    kind: RouteKind
    name: Name
    namespace: Name | None = None
    rule: Annotated[int, Field(ge=0, le=63)] | Name | None = None


class BackendRef(Model):
    """A backend of a route; ``port`` is not needed where the name alone says it (plain Envoy)."""

    name: Name
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    namespace: Name | None = None


class Backends(Model):
    """The backends by role when the Rollout is new; ``backups`` in order of preference."""

    stable: BackendRef
    canary: BackendRef
    backups: Annotated[tuple[BackendRef, ...], Field(max_length=8)] = ()


class Gate(Model):
    """A URL that must answer 2xx to agree."""

    url: Annotated[str, Field(min_length=8, max_length=2048, pattern=r"^https?://[^\s]+$")]
    name: Name
    timeout: Duration = 5.0


class Step(Model):
    """A weight (percent to the canary), and what must hold before the next step."""

    weight: Weight
    hold: Duration = 0.0
    min_requests: Annotated[int, Field(ge=0, le=1_000_000_000)] = 0
    approval: bool = False
    gates: Annotated[tuple[Gate, ...], Field(max_length=8)] = ()


class Ramp(Model):
    """Steps from ``start`` to ``end`` by equal amounts; the last step is ``end``, never beyond."""

    start: Annotated[float, Field(gt=0, le=100, alias="from")]
    end: Annotated[float, Field(gt=0, le=100, alias="to")]
    by: Annotated[float, Field(gt=0, le=100)]
    every: Duration


class Promotion(Model):
    """What happens at the end of an attempt."""

    mode: PromotionMode = PromotionMode.SWAP


class Gateway(Model):
    """How the gateway behaves; normally comes with its policy."""

    separate_clusters: bool = False
    min_write_interval: Duration = 0.0
    verify_route_status: bool = True


class Workload(Model):
    """A workload behind a backend."""

    kind: Literal["Deployment", "StatefulSet", "DaemonSet"]
    name: Name
    scale_up: bool = False
    scale_down: bool = False


class Workloads(Model):
    """The workloads behind stable and canary."""

    stable: Workload | None = None
    canary: Workload | None = None


class Hooks(Model):
    """Gates outside the steps: before an attempt, before promotion, and calls on rollback."""

    before_start: Annotated[tuple[Gate, ...], Field(max_length=8)] = ()
    before_promotion: Annotated[tuple[Gate, ...], Field(max_length=8)] = ()
    on_rollback: Annotated[tuple[Gate, ...], Field(max_length=8)] = ()


class Notify(Model):
    """A sink, named by the operator, and the reasons it is told of (none: all)."""

    sink: Name
    on: Annotated[tuple[Text, ...], Field(max_length=40)] = ()


class PolicySpec(Model):
    """What a policy may give: defaults, and the metric templates that only a policy has."""

    steps: Annotated[tuple[Step, ...], Field(max_length=100)] | None = None
    ramp: Ramp | None = None
    analysis: Analysis | None = None
    failover: Failover | None = None
    promotion: Promotion | None = None
    gateway: Gateway | None = None
    notify: Annotated[tuple[Notify, ...], Field(max_length=20)] | None = None
    metrics: MetricTemplates | None = None


class RolloutSpec(Model):
    """Everything that is wanted of one Rollout, policy merged in."""

    policy: PolicyRef | None = None
    routes: Annotated[tuple[RouteRef, ...], Field(min_length=1, max_length=64)]
    backends: Backends
    start: StartMode = StartMode.ON_REVISION
    revision: Annotated[str, Field(min_length=1, max_length=253)] | None = None
    steps: Annotated[tuple[Step, ...], Field(max_length=100)] = ()
    ramp: Ramp | None = None
    analysis: Analysis = Analysis()
    promotion: Promotion = Promotion()
    failover: Failover | None = None
    gateway: Gateway = Gateway()
    precision: Annotated[int, Field(ge=2, le=1_000_000)] = 100
    drift: DriftMode = DriftMode.CORRECT
    on_delete: OnDelete = OnDelete.RESTORE
    progress_deadline: Duration = 600.0
    workloads: Workloads = Workloads()
    hooks: Hooks = Hooks()
    notify: Annotated[tuple[Notify, ...], Field(max_length=20)] = ()
    suspend: bool = False
    metrics: MetricTemplates | None = None


class Rollout(Model):
    """The resource: who it is and what is wanted. Its status is the engine's."""

    api_version: Literal["rollout.dev/v1alpha1"] = API_VERSION
    kind: Literal["Rollout"]
    metadata: Metadata
    spec: RolloutSpec


class RolloutPolicy(Model):
    """Defaults for the Rollouts of one namespace, or (``ClusterRolloutPolicy``) of all."""

    api_version: Literal["rollout.dev/v1alpha1"] = API_VERSION
    kind: Literal["RolloutPolicy", "ClusterRolloutPolicy"]
    metadata: Metadata
    spec: PolicySpec
