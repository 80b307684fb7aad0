"""The words of the judge: what it is asked in a look, and what it answers.

Made by the engine (``Look``) and by ``rollout.analysis.judge`` (the answers); values only.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rollout.analysis.samples import Batch
from rollout.analysis.state import JudgeState


class Verdict(StrEnum):
    """What the evidence adds up to. Where several apply: Fail, Hold, Continue, Pass, in this order."""

    PASS = "Pass"
    CONTINUE = "Continue"
    HOLD = "Hold"
    FAIL = "Fail"


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the measurements.

    ``now`` is Unix seconds. ``batch`` is None when nothing was asked in this pass;
    ``source_problem`` is the (reason, message) of a source that failed. ``canary`` and ``stable`` are
    the backend names in the batch. ``canary_share`` and ``stable_share`` (0 to 1) are of the weights in
    force. ``may_pass_early`` says that the least hold time is over; ``next_share`` (0 to 1) is the
    canary's share in the next step, for the early pass. ``watched_since`` (Unix seconds) is when this
    controller began to look: before that, samples were not missing but not asked for.
    """

    now: float
    batch: Batch | None
    canary: str
    stable: str
    canary_share: float
    stable_share: float
    cadence_seconds: float
    source_problem: tuple[str, str] | None = None
    may_pass_early: bool = False
    next_share: float = 1.0
    watched_since: float = 0.0


@dataclass(frozen=True, slots=True)
class Finding:
    """A verdict, its reason (a ``Reason``, or one that the source gave), one sentence, and the check that speaks."""

    verdict: Verdict
    reason: str
    sentence: str
    check: str = ""


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What one check says, for status, API and people.

    ``log_evidence`` is the check's own, ``limit`` the log evidence that convicts it when it stands alone
    (both 0 for thresholds). The counts are the attempt's, of the bound that speaks loudest.
    """

    name: str
    kind: str
    verdict: Verdict
    reason: str
    sentence: str
    log_evidence: float
    limit: float
    canary_bad: int
    canary_total: int
    stable_bad: int
    stable_total: int
    dry_run: bool


@dataclass(frozen=True, slots=True)
class Judgement:
    """The answer to a look: the state to keep, and the verdict with its reason and sentence."""

    state: JudgeState
    verdict: Verdict
    reason: str
    message: str
    reports: tuple[CheckReport, ...]
