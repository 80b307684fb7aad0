"""Where weight goes and by which steps: routes, backends, gates, steps and ramps.

Parts of the Rollout (``rollout.spec.resource``); nothing here looks at more than one value at a time.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, PlainValidator, WithJsonSchema

from rollout.spec.base import Model, Name, Url
from rollout.spec.quantities import BriefDuration, Duration, Flag, Number, Port, PositiveDuration, Whole

MOST_RULES = 64
RULE_ALLOWED = "the name of a rule, or its index from 0 to 63"

Weight = Annotated[Number, Field(ge=0, le=100)]
"""The canary's share of tier 0 in percent, 0 to 100; fractions are allowed."""

RampWeight = Annotated[Number, Field(gt=0, le=100)]
"""A weight or an amount of weight above 0."""


def parse_rule(value: object) -> int | str:
    """Return ``value`` if it can be the name (text) or index (0 to 63) of a rule.

    Raises:
        ValueError: it is neither.
    """
    by_index = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MOST_RULES
    by_name = isinstance(value, str) and 0 < len(value) <= 253 and value.isprintable()  # noqa: PLR2004 - as Name
    if not isinstance(value, int | str) or not (by_index or by_name):
        raise ValueError("must be the name or the index of a rule")
    return value


RuleId = Annotated[
    int | str,
    PlainValidator(parse_rule),
    WithJsonSchema(
        {
            "type": ["integer", "string"],
            "minimum": 0,
            "maximum": MOST_RULES - 1,
            "minLength": 1,
            "maxLength": 253,
            "allowed": RULE_ALLOWED,
        }
    ),
]


class RouteKind(StrEnum):
    """The kinds of routes whose weights can be owned."""

    HTTP_ROUTE = "HTTPRoute"
    GRPC_ROUTE = "GRPCRoute"
    ENVOY_ROUTE = "EnvoyRoute"


class RouteRef(Model):
    """A route whose weights are owned; ``rule`` by name or 0-based index, absent: every rule naming both backends."""

    kind: RouteKind
    """What the route is."""
    name: Name
    """The route's name."""
    namespace: Name | None = None
    """The route's namespace; absent: the Rollout's."""
    rule: RuleId | None = None
    """The rule by name or 0-based index; absent: every rule that names both backends."""


class BackendRef(Model):
    """A backend of a route; ``port`` is not needed where the name alone says it (plain Envoy)."""

    name: Name
    """The Service, or the cluster in plain Envoy."""
    port: Port | None = None
    """The port; not needed where the name alone says it (plain Envoy)."""
    namespace: Name | None = None
    """The backend's namespace; absent: the Rollout's."""


class Backends(Model):
    """The backends by role when the Rollout is new; ``backups`` in order of preference."""

    stable: BackendRef
    """What serves now."""
    canary: BackendRef | None = None
    """What is to be tried; absent: nothing is, there is only failover."""
    backups: Annotated[tuple[BackendRef, ...], Field(max_length=8)] = ()
    """Backends of a lower priority, the most preferred first."""

    @property
    def pair(self) -> tuple[BackendRef, ...]:
        """Return stable, and the canary if there is one."""
        return (self.stable,) if self.canary is None else (self.stable, self.canary)

    @property
    def names(self) -> tuple[str, str]:
        """Return the names of stable and canary; the canary's is empty where there is none."""
        return self.stable.name, self.canary.name if self.canary is not None else ""


class OnFailure(StrEnum):
    """What follows when a gate does not agree."""

    WAIT = "Wait"
    ABORT = "Abort"


class Gate(Model):
    """A URL that must answer 2xx to agree."""

    url: Url
    """Called with POST; 2xx agrees, anything else does not."""
    name: Name
    """The name in messages, unique in its list."""
    timeout: BriefDuration = 5.0
    """How long one try may take: name, connection, headers and what is read of the body."""
    retries: Annotated[Whole, Field(ge=0, le=5)] = 2
    """How often a call is tried again at once that met a time-out, a fault of the connection, 408, 425, 429 or 5xx."""
    on_failure: OnFailure = OnFailure.WAIT
    """Wait: it is asked again until it agrees. Abort: the attempt is aborted. Means nothing on rollback."""


class Step(Model):
    """A weight (percent to the canary), and what must hold before the next step."""

    weight: Weight
    """The canary's share of tier 0 in percent."""
    hold: Duration = 0.0
    """Least time at this weight, counted while the step is accepted and the verdict does not hold it."""
    min_requests: Annotated[Whole, Field(ge=0, le=1_000_000_000)] = 0
    """Requests that the canary must have answered in this step."""
    approval: Flag = False
    """Whether a person must approve before the next step."""
    gates: Annotated[tuple[Gate, ...], Field(max_length=8)] = ()
    """URLs that must agree before the next step."""


class Ramp(Model):
    """Steps by equal amounts; the last step is the end, never beyond: 20 to 50 by 20 gives 20, 40, 50."""

    start: Annotated[RampWeight, Field(alias="from")]
    """Weight of the first step."""
    end: Annotated[RampWeight, Field(alias="to")]
    """Weight of the last step, never gone beyond."""
    by: RampWeight
    """Weight added per step."""
    every: PositiveDuration
    """Hold time of each step."""
