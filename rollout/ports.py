"""The outside world as Protocols: one for each thing that the controller needs.

An adapter implements one of them; ``rollout.bootstrap`` joins them. For each there is a fake
that passes the same contract tests (``tests/contracts``). Reads are synchronous and come from a
cache that the adapter keeps fresh by itself; everything that goes out is a coroutine with a
time limit. Adapters raise only ``rollout.errors``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from rollout.analysis.samples import Batch
from rollout.engine.hooks import GateAnswer
from rollout.engine.observation import BackendKey, Command, RouteKey, RouteView, RuleWeights, WorkloadKey, WorkloadView
from rollout.errors import Problem
from rollout.spec.metrics import MetricTemplates
from rollout.spec.resource import Gate, PolicyRef


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """Which Rollout: namespace and name."""

    namespace: str
    name: str

    def __str__(self) -> str:
        """Return ``namespace/name``."""
        return f"{self.namespace}/{self.name}"


PolicyKey = tuple[str, str, str]
"""Kind, namespace (empty for a ClusterRolloutPolicy) and name of a policy."""


@dataclass(frozen=True, slots=True)
class StoredRollout:
    """A Rollout as the store has it.

    ``document`` is the manifest as written (not yet checked); ``status`` the last recorded one
    (empty when new); ``version`` is compared on a record and changes with every record, command or
    change of the manifest; ``generation`` changes with the manifest only. ``problems`` are those
    of reading the manifest. ``samples`` is what ``checkpoint`` kept last. ``created_at`` is Unix seconds
    (0: not known). ``uid`` tells one life of a name from the next where the platform gives one.
    """

    key: Key
    document: Mapping[str, object]
    status: Mapping[str, object]
    version: str
    generation: int
    command: Command | None = None
    deleting: bool = False
    problems: tuple[Problem, ...] = ()
    samples: Mapping[str, object] = field(default_factory=dict)
    created_at: float = 0.0
    uid: str = ""


class RolloutStore(Protocol):
    """Intent and state: manifests, policies, statuses, waiting commands."""

    def keys(self) -> Iterable[Key]:
        """Return the keys of all Rollouts."""
        ...

    def read(self, key: Key) -> StoredRollout | None:
        """Return the Rollout from the cache, or None when there is none."""
        ...

    def policy(self, ref: PolicyRef, namespace: str) -> Mapping[str, object] | None:
        """Return the policy's document, or None when there is none."""
        ...

    async def record(self, key: Key, *, status: Mapping[str, object], expected: str) -> str:
        """Write the status if the stored version is ``expected``; return the new version.

        A waiting command whose id is in ``status["handledCommands"]`` is taken away in the same
        write. New entries of ``status["transitions"]`` are appended to the history, once by number.

        Raises:
            ConflictError: the version is another one.
            NotOursError: the Rollout is gone.
            Unavailable: the store cannot be written now.
        """
        ...

    async def checkpoint(self, key: Key, *, judge: Mapping[str, object], samples: Mapping[str, object]) -> None:
        """Keep the judge's state between records, for a source that cannot be asked again; else do nothing."""
        ...

    async def remove(self, key: Key) -> None:
        """Take away a Rollout that is ``deleting`` and has been finished.

        Raises:
            ConflictError: it is not ``deleting`` any more.
        """
        ...

    def subscribe(self, listener: Callable[[Key], None]) -> None:
        """Call ``listener`` (on the loop) whenever a Rollout, its policy or its command changed."""
        ...


class IntentStore(Protocol):
    """What people and programs change: manifests, policies, commands.

    Every change raises ``Unavailable`` when the store cannot be written now.
    """

    def source_of(self, key: Key) -> str:
        """Return the file that speaks for this Rollout, empty when none does."""
        ...

    def source_of_policy(self, policy: PolicyKey) -> str:
        """Return the file that speaks for this policy, empty when none does."""
        ...

    def policies(self) -> Mapping[PolicyKey, Mapping[str, object]]:
        """Return the documents of all policies."""
        ...

    async def apply(self, document: Mapping[str, object], source: str = "", *, expected: str | None = None) -> Key:
        """Make or change a Rollout; its generation grows only if what is wanted changed.

        Raises:
            ConfigurationError: it is no Rollout, or has no usable name.
            ConflictError: its version is not ``expected`` (empty: it must not exist yet; None: whatever it is).
        """
        ...

    async def apply_policy(self, document: Mapping[str, object], source: str = "") -> None:
        """Make or change a policy.

        Raises:
            ConfigurationError: it is no policy, or has no usable name.
        """
        ...

    async def remove_policy(self, kind: str, namespace: str, name: str) -> None:
        """Take a policy away; its Rollouts then say that it is missing."""
        ...

    async def mark_deleting(self, key: Key) -> None:
        """Say that the Rollout is to go: the controller finishes it, then removes it.

        Raises:
            NotOursError: it is gone.
        """
        ...

    async def command(self, key: Key, command: Command) -> None:
        """Leave a command for the controller; one with the id of the waiting or of a handled one changes nothing.

        Raises:
            ConflictError: another command waits; only abort replaces it.
            NotOursError: the Rollout is gone.
        """
        ...


@dataclass(frozen=True, slots=True)
class Recorded:
    """A recorded transition of a Rollout, as the status has it.

    ``sequence`` (from 1) numbers the transitions of all Rollouts in the order in which they were
    recorded; it outlives restarts and never comes again. What a gap means ``Journal.may_miss`` says.
    """

    sequence: int
    key: Key
    transition: Mapping[str, object]


class Journal(Protocol):
    """The recorded transitions of all Rollouts; both ways to read them raise ``Unavailable`` when they cannot be."""

    @property
    def last(self) -> int:
        """Return the sequence of the last recorded transition, 0 before the first."""
        ...

    async def history(self, key: Key, *, limit: int = 100, before: int | None = None) -> Sequence[Mapping[str, object]]:
        """Return transitions of the Rollout's last life, newest first, those numbered below ``before``."""
        ...

    async def recorded(self, *, after: int, limit: int = 1000) -> Sequence[Recorded]:
        """Return the transitions of all Rollouts after this sequence, oldest first; trimmed ones are left out."""
        ...

    def may_miss(self, *, after: int, before: int) -> bool:
        """Return whether ``recorded`` may lack a transition that was numbered between these two."""
        ...

    def follow(self, listener: Callable[[Recorded], None]) -> Callable[[], None]:
        """Call ``listener`` (on the loop) with each transition once it is recorded, in order; return what ends that."""
        ...


class Verb(StrEnum):
    """What somebody wants to do with Rollouts, in the words of Kubernetes' access rules."""

    GET = "get"
    LIST = "list"
    UPDATE = "update"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a name for logs and ``by``, and the roles that the platform gave."""

    name: str
    roles: tuple[str, ...] = ()


class Access(Protocol):
    """Who may do what; ``Unavailable`` is raised when it cannot be found out now."""

    async def identify(self, token: str) -> Caller | None:
        """Return whose bearer token this is; None for one that is unknown, revoked or expired."""
        ...

    async def may(self, caller: Caller, verb: Verb, namespace: str) -> bool:
        """Return whether the caller may do this in the namespace (empty: in all)."""
        ...


class Elector(Protocol):
    """Which Rollouts this replica acts for, so that no two replicas act for one."""

    def holds(self, key: Key) -> bool:
        """Return whether this replica may act for the Rollout at this very moment, by the monotonic clock.

        It is False from our own deadline on, which comes before anybody else may act, whatever the loop did meanwhile.
        """
        ...

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` (on the loop) after each loss and each gain; a loss is told before it is regained."""
        ...


class RouteTable(Protocol):
    """The routes whose weights are owned."""

    def read(self, key: RouteKey) -> RouteView | None:
        """Return the route from the cache, or None when it does not exist."""
        ...

    def explain(self, key: RouteKey) -> str:
        """Return why the route is not as it should be, empty when it is; Unavailable: not known yet if there is one."""
        ...

    async def write(self, key: RouteKey, rules: Sequence[RuleWeights], *, expected: str) -> RouteView:
        """Write these weights and nothing else, if the route's version is ``expected``; return it as it is then.

        Raises:
            ConflictError: the route changed since; the cache then holds the newer one.
            NotOursError: the route, the rule or a ref is gone.
            UpdateRefused: the gateway refused it; what was there before is back.
            Unavailable: it could not be written, or not be seen to be taken, in time.
        """
        ...

    def subscribe(self, listener: Callable[[RouteKey], None]) -> None:
        """Call ``listener`` (on the loop) whenever a route or its acceptance changed."""
        ...


class Workloads(Protocol):
    """The workloads behind backends: what their pods run, and how many there are."""

    def read(self, key: WorkloadKey) -> WorkloadView | None:
        """Return the workload from the cache, or None when it does not exist or has not been seen yet."""
        ...

    def explain(self, key: WorkloadKey) -> str:
        """Return why the workload cannot be seen, empty when nothing speaks against that."""
        ...

    async def copy_template(
        self, source: WorkloadKey, target: WorkloadKey, *, template: str, expected: str
    ) -> WorkloadView:
        """Give ``target`` the pod template of ``source``; return ``target`` as it is then, with the same ``template``.

        Labels come along, but those that the target's selector names stay, and the source's selector's do not come.

        Raises:
            ConflictError: the target's version is not ``expected``, or the source's template not ``template`` any more.
            NotOursError: one of them is gone.
            UpdateRefused: the platform refused it.
            Unavailable: it could not be written in time.
        """
        ...

    async def scale(self, key: WorkloadKey, replicas: int, *, expected: str) -> WorkloadView:
        """Let the workload have so many pods (0 or more), if its version is ``expected``; return it as it is then.

        Raises:
            ConflictError, NotOursError, UpdateRefused, Unavailable: as ``copy_template``; a DaemonSet is refused.
        """
        ...

    def subscribe(self, listener: Callable[[WorkloadKey], None]) -> None:
        """Call ``listener`` (on the loop) whenever a workload or the state of its pods changed."""
        ...


@dataclass(frozen=True, slots=True)
class Ask:
    """What one Rollout wants to know of its two backends.

    ``since`` (Unix seconds): samples from then on are wanted, with one sample before it for each
    series; at most an hour. ``bounds`` are seconds. ``queries`` are (check name, expression with
    placeholders filled in). ``checkpoint`` is what a source handed out for ``RolloutStore.checkpoint``.
    ``apart``: not of an attempt; what a source remembers of the backends for others is left alone.
    """

    namespace: str
    route: str
    canary: BackendKey
    stable: BackendKey
    templates: MetricTemplates | None
    errors: bool
    bounds: tuple[float, ...]
    queries: tuple[tuple[str, str], ...]
    since: float
    checkpoint: Mapping[str, object] = field(default_factory=dict)
    apart: bool = False


class Measurements(Protocol):
    """The source of counters."""

    @property
    def replays(self) -> bool:
        """Return whether past samples can be asked for again (Prometheus can, Envoy's admin endpoint cannot)."""
        ...

    async def measure(self, ask: Ask) -> Batch:
        """Return raw samples of both backends; asks that come together may share one query.

        Raises:
            Unavailable: the source cannot be reached, or answered with an error of its own.
            SourceTimeout: it did not answer in time.
            PermanentError: it refused the question.
        """
        ...

    def checkpoint(self, ask: Ask) -> Mapping[str, object]:
        """Return what must be kept to go on after a restart (empty when ``replays``)."""
        ...


@dataclass(frozen=True, slots=True)
class GateCall:
    """A call of a gate: what it is told, under an id by which it knows the same call when that comes again."""

    id: str
    gate: Gate
    body: Mapping[str, object]


class Gates(Protocol):
    """Calls to URLs that must agree."""

    async def ask(self, call: GateCall) -> GateAnswer:
        """Call the gate, with as many retries as it says, within a bound of time.

        An answer other than 2xx and a forbidden host are a "no" with its reason. A timeout, a fault of the connection
        and what we lack ourselves are told apart from that by ``fault``. No error is raised for any of them.
        """
        ...


class Clock(Protocol):
    """Time."""

    def now(self) -> float:
        """Return Unix time in seconds."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        ...
