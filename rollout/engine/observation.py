"""What one pass knows of the world, as values; time is one of them.

Filled by ``rollout.controller.observe`` from the caches of the adapters, read by
``rollout.engine.decide``. Nothing here knows where a value came from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from rollout.analysis.samples import Batch
from rollout.engine.hooks import GateAnswer, GateKey
from rollout.failover.seen import BackendSeen, Calendar


@dataclass(frozen=True, slots=True)
class RouteKey:
    """Which route: its kind (``HTTPRoute``, ``GRPCRoute``, ``EnvoyRoute``), namespace and name."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """Return ``Kind namespace/name``, as messages name a route."""
        return f"{self.kind} {self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class BackendKey:
    """Which backend: namespace, name and port (0 where the name alone says it)."""

    namespace: str
    name: str
    port: int = 0


class Acceptance(StrEnum):
    """Whether the gateway says that it serves the route as it stands."""

    ACCEPTED = "Accepted"
    PENDING = "Pending"
    REFUSED = "Refused"


@dataclass(frozen=True, slots=True)
class Ref:
    """One ``backendRef`` of a rule and its weight."""

    backend: BackendKey
    weight: int


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a route: its 0-based index, its name (empty if it has none) and its refs in order."""

    index: int
    name: str
    refs: tuple[Ref, ...]


@dataclass(frozen=True, slots=True)
class RouteView:
    """A route as last seen: its rules, the version to compare on a write, and whether the gateway serves it.

    ``changed_by`` names who changed the weights last, where the platform tells. ``written_at`` is when we did, if
    nobody else has since (whole Unix seconds, cut off; 0: the platform does not tell, or it was somebody else).
    ``open_to`` are the namespaces whose Rollouts may own its weights (``*``: all), None where nobody asks for that.
    """

    key: RouteKey
    rules: tuple[Rule, ...]
    version: str
    acceptance: Acceptance = Acceptance.ACCEPTED
    message: str = ""
    changed_by: str = ""
    written_at: float = 0.0
    open_to: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class RuleWeights:
    """The weights to write into one rule; the rule is found again by its name, else by its index."""

    index: int
    name: str
    weights: Mapping[BackendKey, int]


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The ready endpoints of a backend out of all; ``known`` is false until a first look has come."""

    ready: int
    total: int
    known: bool = True


UNKNOWN_ENDPOINTS = Endpoints(ready=0, total=0, known=False)


@dataclass(frozen=True, slots=True)
class WorkloadKey:
    """Which workload: its kind (``Deployment``, ``StatefulSet``, ``DaemonSet``), namespace and name."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """Return ``Kind namespace/name``, as messages name a workload."""
        return f"{self.kind} {self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class WorkloadView:
    """A workload as last seen; ``version`` is compared on a write.

    ``template`` (1 to 64 characters) identifies what its pods are to run: the pod template but for its
    labels, which tell the pods of one workload from those of another, so that two workloads that run the
    same have the same. ``replicas`` is how many pods are wanted, ``updated`` how many have the present
    template, ``ready`` how many of these are ready for certain (all ready ones less those that may still be
    of an older template). ``settled``: the platform has taken in the workload as it stands
    (observedGeneration caught up); before, the numbers are of an older one. ``failed`` says that the platform
    gave its rollout up (ProgressDeadlineExceeded), empty when it did not.
    """

    key: WorkloadKey
    version: str
    template: str
    replicas: int
    updated: int
    ready: int
    settled: bool = True
    failed: str = ""


@dataclass(frozen=True, slots=True)
class Command:
    """What a person or a program asks for; ``at`` is Unix time in seconds, ``by`` who asks.

    ``problem`` is one sentence about a command that cannot be read: it is refused with that.
    """

    id: str
    action: str
    args: Mapping[str, object] = field(default_factory=dict)
    at: float = 0.0
    reason: str = ""
    by: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class FailoverSeen:
    """What is seen for failover beside the endpoints.

    ``backends`` says of each backend, by name, what the signals tell; one that is missing is not known. ``calendar`` is
    what the cron expressions come to now. ``stopped`` is one sentence, while the operator stops all automatic failover
    (empty: nobody does). ``crowded``: more primaries are down than may fail over at once. ``problems`` say which
    signals cannot be had at all, in one sentence each.
    """

    backends: Mapping[str, BackendSeen]
    calendar: Calendar = field(default_factory=Calendar)
    stopped: str = ""
    crowded: bool = False
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a sink was told of a Rollout: up to the transition of this ``number``, which is not told again.

    ``thread`` (at most 128 characters, empty: none) is the sink's own name of what belongs together there, as the first
    message of ``attempt`` that later ones answer to. ``at`` is when it was told last (Unix seconds, 0: never),
    ``problem`` one clause of at most 200 characters about why it cannot be told more now (empty: nothing speaks
    against it).
    """

    sink: str
    number: int
    at: float = 0.0
    thread: str = ""
    attempt: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Telling:
    """Who is to be told of the Rollout, and how far each has been told as of now.

    ``sinks`` are named in order, each once; ``told`` has those of them that were told of anything since this replica
    acts for the Rollout. ``due``: what is recorded of it is so old that it must be recorded now.
    """

    sinks: tuple[str, ...]
    told: Mapping[str, Cursor] = field(default_factory=dict)
    due: bool = False


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything that a pass has seen.

    ``now`` and ``session_started_at`` (when this controller began to run) are Unix seconds.
    ``routes`` has every route of the spec, None where it does not exist. ``problems`` say why the
    spec cannot be used (it is then None in ``decide``). ``gates`` holds the answers to what the
    last pass wanted to be asked. ``source_problem`` is the (reason, message) of a
    metrics source that failed. ``workloads`` has the workload of each backend that the spec names one for, by
    the backend's name (not by role, which changes), None where it does not exist. ``write_problem`` says why the
    last write failed, ``order_problem`` why the last order to a workload did; empty when it did not.
    ``failover`` is None where nobody looks, as for a Rollout without it; ``telling`` where nobody is told anything.
    """

    now: float
    session_started_at: float
    cadence_seconds: float
    routes: Mapping[RouteKey, RouteView | None]
    endpoints: Mapping[str, Endpoints]
    batch: Batch | None = None
    source_problem: tuple[str, str] | None = None
    gates: Mapping[GateKey, GateAnswer] = field(default_factory=dict)
    command: Command | None = None
    problems: tuple[str, ...] = ()
    deleting: bool = False
    generation: int = 0
    workloads: Mapping[str, WorkloadView | None] = field(default_factory=dict)
    write_problem: str = ""
    order_problem: str = ""
    failover: FailoverSeen | None = None
    telling: Telling | None = None
