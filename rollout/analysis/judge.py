"""The judge: is the canary worse than stable?

``judge`` is called by the engine in every pass, with what was measured since; it is total (never
raises on numbers, whatever they are) and pure: time is a value in the ``Look``. It says a verdict, a
reason and one sentence, and hands back the state for the next look. It must not know phases, steps
or what is done about a verdict.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rollout.analysis.reasons import MEANINGS, Reason
from rollout.analysis.samples import Batch
from rollout.analysis.state import JudgeState, begin_attempt, begin_step, samples_wanted_since, weights_changed
from rollout.spec.analysis import Analysis

__all__ = [
    "CheckReport",
    "JudgeState",
    "Judgement",
    "Look",
    "Verdict",
    "begin_attempt",
    "begin_step",
    "judge",
    "samples_wanted_since",
    "weights_changed",
]


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
    canary's share in the next step, for the early pass.
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


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What one check says, for status, API and people.

    ``log_evidence`` is the check's own, ``limit`` the log evidence that convicts (both 0 for
    thresholds). The counts are the attempt's, of the bound that speaks loudest.
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


def judge(analysis: Analysis, state: JudgeState, look: Look) -> Judgement:
    """Return the judgement of one look. With ``checks: []`` it is Pass, AnalysisOff, and the state stays as it is."""
    return Judgement(state, Verdict.PASS, Reason.ANALYSIS_OFF, MEANINGS[Reason.ANALYSIS_OFF], ())
