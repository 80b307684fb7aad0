"""What a rehearsal file says: a Rollout, the world around it, and what happens when.

The shape only, field by field; ``rollout.rehearsal.rules`` has what needs more than one field, and
``rollout.rehearsal.reading`` the file itself. The format is fixed: ``docs/reference/rehearsal.md``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from rollout.rehearsal.backend import Backend, BackendChange
from rollout.spec.base import Model, Name, Text
from rollout.spec.quantities import Duration, Flag, Number, PositiveDuration, Whole

MOST_EVENTS = 10_000


class Source(StrEnum):
    """How the metrics source does."""

    UP = "up"
    DOWN = "down"
    SLOW = "slow"
    EMPTY = "empty"
    NAN = "nan"


class ApiMode(StrEnum):
    """How the store and the routes do."""

    UP = "up"
    DOWN = "down"
    CONFLICT = "conflict"


class Fate(StrEnum):
    """What befalls the controller."""

    RESTART = "restart"
    KILL = "kill"
    BLIND = "blind"
    SEEING = "seeing"


class SwitchMode(StrEnum):
    """How the operator's switch stands."""

    AUTO = "auto"
    STOPPED = "stopped"


class GateMode(StrEnum):
    """What a gate answers: 200, 403, or 500 to each try."""

    AGREE = "agree"
    REFUSE = "refuse"
    FAIL = "fail"


class TrafficFields(Model):
    """What comes from outside: requests, evenly over the routes."""

    rps: Annotated[Number, Field(ge=0, le=1_000_000)] = 100.0
    """Requests per second, all routes together."""


class RouteEdit(Model):
    """What somebody else does to a route; what is absent stays."""

    name: Name
    """The route's name."""
    kind: Literal["HTTPRoute", "GRPCRoute", "EnvoyRoute"] | None = None
    """The kind, where routes of different kinds share a name."""
    namespace: Name | None = None
    """The namespace, where routes of different namespaces share a name."""
    weights: dict[Name, Annotated[Whole, Field(ge=0, le=1_000_000)]] | None = None
    """New weights by backend, in the rules that the Rollout owns."""
    accepted: Flag | Literal["pending"] | None = None
    """Whether the gateway serves the route as it stands; ``pending`` is not yet."""
    exists: Flag | None = None
    """Whether the route is there; one that comes back has all weight on stable."""


class Event(BackendChange):
    """One thing that happens. With ``command``, every other field is an argument of the command."""

    model_config = ConfigDict(
        frozen=True, extra="allow", alias_generator=to_camel, populate_by_name=True, use_attribute_docstrings=True
    )

    at: Duration
    """When, from the start."""
    command: Text | None = None
    """What a person orders."""
    reason: Text | None = None
    """Why the person orders it."""
    backend: Name | None = None
    """The backend that changes."""
    prometheus: Source | None = None
    """How the metrics source does from now on."""
    route: RouteEdit | None = None
    """What somebody else does to a route."""
    controller: Fate | None = None
    """What befalls the controller."""
    api: ApiMode | None = None
    """How the store and the routes do from now on."""
    traffic: TrafficFields | None = None
    """The traffic from now on."""
    queries: dict[Name, Number] | None = None
    """New answers of Query checks, by check name."""
    gates: dict[Name, GateMode] | None = None
    """New answers of gates, by gate name."""
    spec: dict[str, object] | None = None
    """Fields laid over the Rollout's spec, as an edit of the manifest."""
    annotations: dict[Text, str] | None = None
    """Annotations laid over those of the manifest."""
    policy: dict[str, object] | None = None
    """A policy manifest that is made or replaced."""
    failover: SwitchMode | None = None
    """How the operator's switch for all automatic failover stands from now on."""
    delete: Flag | None = None
    """Whether the Rollout is deleted."""
    status: Literal["lost"] | None = None
    """The status is gone, as when a Rollout is restored without it; the controller then starts anew."""

    @property
    def kind(self) -> str:
        """Return which of ``KINDS`` it is."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @property
    def arguments(self) -> dict[str, object]:
        """Return the arguments of the command: every field that is not one of ours."""
        return dict(self.model_extra or {})


KINDS = (
    "command",
    "backend",
    "prometheus",
    "route",
    "controller",
    "api",
    "traffic",
    "queries",
    "gates",
    "spec",
    "annotations",
    "policy",
    "failover",
    "delete",
    "status",
)
"""The fields of an event that say what kind it is; each event has one of them."""


class Scenario(Model):
    """A rehearsal file."""

    rollout: dict[str, object]
    """The manifest of a Rollout, or ``file``: its path, seen from this file."""
    policies: Annotated[tuple[dict[str, object] | str, ...], Field(max_length=100)] = ()
    """Manifests of policies, or paths of files with them."""
    seed: Annotated[Whole, Field(ge=0)] = 0
    """What chance is drawn from."""
    until: PositiveDuration = 1800.0
    """How long the rehearsal lasts."""
    scrape: PositiveDuration = 10.0
    """How often new samples appear."""
    traffic: TrafficFields = TrafficFields()
    """The traffic at the start."""
    backends: Annotated[dict[Name, Backend], Field(max_length=100)] = Field(default_factory=dict)
    """Each backend's behaviour at the start."""
    queries: dict[Name, Number] = Field(default_factory=dict)
    """What Query checks measure, by check name; one that is absent has no answer."""
    events: Annotated[tuple[Event, ...], Field(max_length=MOST_EVENTS)] = ()
    """What happens, in order of time."""
