"""What stands around the steps of an attempt: its start and end, the gateway, workloads, hooks, who is told.

Parts of the Rollout (``rollout.spec.resource``) with no rule about one another.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from rollout.spec.base import Model, Name
from rollout.spec.quantities import Duration, Flag
from rollout.spec.traffic import Gate

Reason = Annotated[
    str,
    Field(
        min_length=1,
        max_length=64,
        pattern=r"^[A-Z][A-Za-z0-9]*$",
        json_schema_extra={
            "allowed": "the reason of a transition in CamelCase, such as Promoted, Aborted or FailedOver"
        },
    ),
]
"""A reason of a transition: one CamelCase word."""

Gates = Annotated[tuple[Gate, ...], Field(max_length=8)]


class StartMode(StrEnum):
    """What starts an attempt."""

    ON_REVISION = "OnRevision"
    ON_WORKLOAD = "OnWorkload"
    MANUAL = "Manual"


class PromotionMode(StrEnum):
    """What happens to the roles at the end."""

    SWAP = "Swap"
    COPY_TEMPLATE = "CopyTemplate"


class Promotion(Model):
    """What happens at the end of an attempt."""

    mode: PromotionMode = PromotionMode.SWAP
    """Swap: the canary becomes the stable. CopyTemplate: its pod template goes to the stable workload."""


class Gateway(Model):
    """How the gateway behaves; normally comes with its policy."""

    separate_clusters: Flag = False
    """Whether the gateway keeps one cluster per backend, so that weights are parked just above 0."""
    min_write_interval: Duration = 0.0
    """Least time between two writes that change weights only."""
    verify_route_status: Flag = True
    """Whether a step waits until the gateway says that it accepted the route."""


class Workload(Model):
    """A workload behind a backend."""

    kind: Literal["Deployment", "StatefulSet", "DaemonSet"]
    """What the workload is."""
    name: Name
    """The workload's name."""
    scale_up: Flag = False
    """Whether it is scaled up before an attempt."""
    scale_down: Flag = False
    """Whether it is scaled down after an attempt."""


class Workloads(Model):
    """The workloads behind stable and canary."""

    stable: Workload | None = None
    """The workload behind the stable backend."""
    canary: Workload | None = None
    """The workload behind the canary backend."""


class Hooks(Model):
    """Gates outside the steps: before an attempt, as each step begins, before promotion, and calls on rollback."""

    before_start: Gates = ()
    """Must agree before an attempt starts."""
    on_step: Gates = ()
    """Called once in each step when its weights are written and accepted, as for load; hold time counts from then."""
    before_promotion: Gates = ()
    """Must agree before the canary is promoted."""
    on_rollback: Gates = ()
    """Called after a rollback; their answers change nothing."""


class Notify(Model):
    """A sink, named by the operator, and the reasons it is told of (none: all)."""

    sink: Name
    """Name of a sink that the operator set up."""
    on: Annotated[tuple[Reason, ...], Field(max_length=40)] = ()
    """Reasons of transitions, such as Promoted or Aborted; none: all."""
