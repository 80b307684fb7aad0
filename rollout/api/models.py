"""What the API takes and answers, as models: the one place where server and command line agree.

Names are camelCase on the wire. Times are Unix seconds, durations seconds, weights whole numbers,
shares 0 to 1 unless a name says percent. An answer may grow fields; a client lets unknown ones through.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from rollout.api.failover_models import FailingItem, FailoverView
from rollout.api.shapes import Answer, MissingView, Question
from rollout.api.sink_models import NotifiedView
from rollout.engine.table import Action
from rollout.spec.base import Name, ShortText, Text
from rollout.spec.quantities import Flag

Document = dict[str, Any]
CommandId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
"""Letters, digits, ``.``, ``_`` and ``-``, at most 64; the caller chooses it, so that a repeated call does nothing."""


# ---------------------------------------------------------------- Rollouts


class Summary(Answer):
    """One Rollout in a list."""

    namespace: str
    name: str
    labels: dict[str, str]
    phase: str
    """Empty until the controller has looked at it for the first time."""
    reason: str
    message: str
    """One sentence: why it is where it is."""
    attempt: int
    step: int
    """The step of the attempt, 1-based; 0 before the first."""
    steps: int
    """How many steps the plan has; 0 while the Rollout is invalid."""
    weight: float
    """The canary's intended weight in percent."""
    stable: str
    """Which backend holds the role; empty while the roles are unknown."""
    canary: str
    revision: str
    failover: str
    """The phase of failover; Normal where there is no failover."""
    failover_reason: str = ""
    """Why it is there; empty where there is no failover."""
    active: str = ""
    """The backup that carries the traffic; empty: none."""
    created_at: float
    generation: int
    resource_version: str
    deleting: bool


class RolloutPage(Answer):
    """A page of a list."""

    items: list[Summary] | list[Document]
    """Summaries; with ``full=true`` whole resources."""
    total: int
    """How many Rollouts the filters let through."""
    next: str | None
    """What to give as ``continue`` for the next page; None on the last."""


class Applied(Answer):
    """What came of an apply."""

    outcome: Literal["created", "changed", "unchanged"]
    dry_run: bool
    resource: Document
    """As it is stored now; in a dry run: the effective one, with policy and defaults merged in."""
    warnings: list[str]
    command: CommandOutcome | None = None
    """What came of the start that was asked for with it."""


class Deleted(Answer):
    """A Rollout is being deleted: the controller finishes it first."""

    namespace: str
    name: str
    message: str


class PolicyItem(Answer):
    """A policy and the file that speaks for it (empty: it came by the API)."""

    kind: str
    namespace: str
    name: str
    source: str
    resource: Document


class PolicyList(Answer):
    """All policies."""

    items: list[PolicyItem]


# ---------------------------------------------------------------- commands


class CommandRequest(Question):
    """A command: the action, its arguments, and for whom and why."""

    action: Action
    revision: ShortText | None = None
    """For ``start``: what the canary runs; absent: ``spec.revision``."""
    full: bool | None = None
    """For ``promote``: to the end at once."""
    step: Annotated[int, Field(ge=1, le=1000)] | None = None
    """For ``approve`` without ``epoch``: the step that is approved; absent: the one that is waiting."""
    stable: Name | None = None
    """For ``adopt``: which backend holds the role."""
    to: Name | None = None
    """For ``failover``: which backup; absent: the most preferred one that is healthy."""
    epoch: Annotated[int, Field(ge=0, le=2**53 - 1)] | None = None
    """For ``failback``, and for ``approve`` of a failover: the number of the failover that is meant."""
    id: CommandId | None = None
    """Absent: one is made up. The same id again changes nothing and answers what became of it."""
    reason: Text | None = None
    """Why, for history and notifications."""


class StartRequest(Question):
    """What a program asks a start hook for."""

    namespace: Name
    rollout: Name
    """The name of the Rollout."""
    revision: ShortText
    """What the canary runs."""
    reason: Text | None = None
    """Why, for history and notifications."""


class CommandOutcome(Answer):
    """What became of a command."""

    id: str
    action: str
    state: Literal["waiting", "done", "refused"]
    reason: str
    """A constant of the list in the reference; empty while it waits."""
    message: str
    """One sentence."""


# ---------------------------------------------------------------- the operator's switch


class SwitchRequest(Question):
    """How the operator's switch is to stand."""

    stopped: Flag
    """Whether all automatic failover is stopped."""
    reason: Annotated[Text, Field(max_length=256)] | None = None
    """Why, in one sentence: shown wherever failover is seen to be stopped."""


class SwitchView(Answer):
    """How the operator's switch stands, for all Rollouts."""

    stopped: bool
    """Whether all automatic failover is stopped here, by the switch or by the setting."""
    message: str
    """One sentence: by whom, since when, and why."""
    by: str
    """Who turned the switch last; empty while nobody has, or it was not read yet."""
    since: float | None
    """When; None while nobody has, or nobody knows."""
    reason: str
    setting: Literal["auto", "stopped"]
    """The setting `failover` of the replica that answers, which stops failover there whatever the switch says."""


# ---------------------------------------------------------------- history


class TransitionItem(Answer):
    """A numbered change of phase, step, roles or failover."""

    number: int
    at: float
    phase: str
    step: int
    weights: dict[str, int]
    reason: str
    message: str
    failover: FailingItem | None = None
    """Where failover stood after it; None where there was none."""


class HistoryPage(Answer):
    """Transitions, newest first."""

    items: list[TransitionItem]
    next: int | None
    """What to give as ``before`` for older ones; None when there are none."""


class TransitionEvent(Answer):
    """The ``data`` of a server-sent event ``transition``; its ``id`` is the sequence."""

    namespace: str
    name: str
    transition: TransitionItem


# ---------------------------------------------------------------- live


class WeightsView(Answer):
    """Weights by backend."""

    intended: dict[str, int]
    observed: dict[str, int]
    effective: str
    """Whether counted requests agree with them: True, False, Unknown or Blocks."""


class HoldView(Answer):
    """The hold time of the step."""

    seconds: float
    """Counted so far."""
    of_seconds: float
    left_seconds: float
    running: bool
    """Whether it counts right now."""


class RequestsView(Answer):
    """Canary requests that were judged."""

    canary: int
    """In this attempt."""
    needed: int
    """How many an attempt needs (``analysis.minRequests``)."""
    canary_in_step: int
    needed_in_step: int
    per_second: float | None
    """Requests of both backends per second, smoothed; None before the first measurement."""


class ArmView(Answer):
    """Counts of one backend in a check."""

    bad: int
    total: int


class CheckView(Answer):
    """What one check says."""

    name: str
    kind: str
    verdict: str
    reason: str
    sentence: str
    evidence: float
    """Natural logarithm of the evidence against the canary; 0 for a threshold."""
    limit: float
    """The logarithm at which the check fails by itself; 0 for a threshold."""
    share: float
    """How far the evidence is towards the limit: 0 to 1."""
    canary: ArmView
    stable: ArmView
    dry_run: bool


class HealthView(Answer):
    """The endpoints of a backend."""

    ready: int
    total: int
    known: bool


class GateView(Answer):
    """What a gate or hook answered last."""

    hook: str
    """When it is called: beforeStart, onStep, step (as a gate of a step), beforePromotion or onRollback."""
    name: str
    attempt: int
    step: int
    """The step in which it was called, 1-based; 0: before the first, or after a rollback."""
    agrees: bool
    message: str
    """What it answered, or why there is no answer."""
    at: float
    """When it was called."""
    tries: int
    """How many calls that took."""


class Live(Answer):
    """Where a Rollout stands right now, with live numbers: what ``rollout watch`` and ``rollout why`` show."""

    namespace: str
    name: str
    at: float
    phase: str
    reason: str
    message: str
    attempt: int
    step: int
    steps: list[float]
    """The weights of the plan in percent."""
    revision: str
    stable: str
    canary: str
    weights: WeightsView
    hold: HoldView | None
    """None outside a step."""
    verdict: str | None
    """Of the whole analysis: Pass, Continue, Hold, Fail; None while nothing is judged."""
    verdict_reason: str | None
    verdict_message: str | None
    requests: RequestsView | None
    checks: list[CheckView]
    health: dict[str, HealthView]
    failover: FailoverView | None = None
    """Where failover stands; None where there is none."""
    notified: list[NotifiedView] = Field(default=[])
    """How far each sink was told of it."""
    missing: list[MissingView]
    """Everything that the next step still waits for, the most pressing first."""
    gates: list[GateView] = Field(default=[])
    """The last answers of the attempt's gates and hooks, oldest first."""
    next_step_in_seconds: float | None
    """The longest of ``missing``; None when one of them is not known, or there is no next step."""
    waiting: CommandOutcome | None
    """The command that waits to be carried out."""
    problems: list[str]
    """What is wrong with the manifest or its routes."""


# ---------------------------------------------------------------- the service


class Version(Answer):
    """What answers."""

    version: str
    runtime: str


class WhoAmI(Answer):
    """Whose token it is and what it may do."""

    name: str
    roles: list[str]


class ProblemItem(Answer):
    """One thing that is wrong with the input."""

    field: str
    message: str
    given: str = ""
    allowed: str = ""


class ProblemView(Answer):
    """A problem after RFC 9457, served as ``application/problem+json``."""

    type: str
    """A URN that names the kind of problem: ``urn:rollout:problem:...``."""
    title: str
    status: int
    detail: str
    """One sentence: what is wrong here."""
    instance: str
    """``urn:rollout:request:`` and the id of the request, as in the log."""
    reason: str | None = None
    """Of a refused command: the constant."""
    problems: list[ProblemItem] = Field(default=[])
    """Of a wrong input: everything that is wrong, at once."""
    command: CommandOutcome | None = None


Applied.model_rebuild()
