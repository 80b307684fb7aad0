"""The judge: is the canary worse than stable?

``judge`` is called by the engine in every pass, with what was measured since; it is total (never
raises on numbers, whatever they are) and pure: time is a value in the ``Look``. It says a verdict, a
reason and one sentence, and hands back the state for the next look: the very same one where nothing
was new. It must not know phases, steps or what is done about a verdict.
"""

from __future__ import annotations

from dataclasses import replace

from rollout.analysis.bets import bets_of
from rollout.analysis.evidence import log_evidence
from rollout.analysis.guards import GUARDS, Case, within_tolerance, without_data
from rollout.analysis.looks import CheckReport, Finding, Judgement, Look, Verdict
from rollout.analysis.reasons import Reason
from rollout.analysis.reports import reports_of
from rollout.analysis.state import JudgeState, begin_attempt, begin_step, samples_wanted_since, weights_changed
from rollout.analysis.streams import advanced
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


def judge(analysis: Analysis, state: JudgeState, look: Look) -> Judgement:
    """Return the judgement of one look. With ``checks: []`` it is Pass, AnalysisOff, and the state stays as it is."""
    if not analysis.checks:
        return Judgement(state, Verdict.PASS, Reason.ANALYSIS_OFF, "no checks are asked for", ())
    bets = bets_of(analysis)
    judged = tuple([bet for bet in bets if not bet.check.dry_run])
    state = advanced(analysis, state, look, bets)
    logs = {key: log_evidence(stream.evidence) for key, stream in state.streams.items()}
    case = _with_gap(Case(analysis, state, look, judged, logs))
    finding = _first_of(case)
    reports = reports_of(case, bets, finding)
    return Judgement(case.state, finding.verdict, finding.reason, finding.sentence, reports)


def _with_gap(case: Case) -> Case:
    """Return the case whose state knows since when there has been no data."""
    is_known = case.state.no_data_since is not None
    if (without_data(case) is not None) is is_known:
        return case
    since = None if is_known else case.look.now
    return replace(case, state=replace(case.state, no_data_since=since))


def _first_of(case: Case) -> Finding:
    for guard in GUARDS:
        finding = guard(case)
        if finding is not None:
            return finding
    return within_tolerance(case)
