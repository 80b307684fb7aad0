"""Reports: what each check says by itself, dry runs too.

Called by ``rollout.analysis.judge`` for status, API and people. A report tells; it decides nothing.
"""

from __future__ import annotations

from math import log

from rollout.analysis import sentences
from rollout.analysis.bets import Bet
from rollout.analysis.evidence import log_mean
from rollout.analysis.gaps import gap_in_counts, gap_in_query, impossible
from rollout.analysis.guards import Case
from rollout.analysis.looks import CheckReport, Finding, Verdict
from rollout.analysis.reasons import Reason
from rollout.analysis.streams import is_warming_up
from rollout.analysis.thresholds import Breaches, is_broken
from rollout.spec.analysis import ErrorsCheck, QueryCheck, SlowerThanCheck, ThresholdRule

_NONE = Breaches()


def reports_of(case: Case, bets: tuple[Bet, ...], verdict: Finding) -> tuple[CheckReport, ...]:
    """Return one report for each check of the analysis, in order; ``bets`` are all, dry runs too.

    A check that is the reason for ``verdict`` says so itself.
    """
    found = []
    for check in case.analysis.checks:
        if isinstance(check, QueryCheck):
            found.append(_of_query(case, check))
        else:
            found.append(_of_counts(case, check, tuple(bet for bet in bets if bet.check.name == check.name), verdict))
    return tuple(found)


def _of_query(case: Case, check: QueryCheck) -> CheckReport:
    gap = gap_in_query(check, case.state, case.look)
    finding = gap or _by_threshold(check, case.state.breaches.get(check.name, _NONE), check.name)
    return CheckReport(
        name=check.name,
        kind=check.kind,
        verdict=finding.verdict,
        reason=finding.reason,
        sentence=finding.sentence,
        log_evidence=0.0,
        limit=0.0,
        canary_bad=0,
        canary_total=0,
        stable_bad=0,
        stable_total=0,
        dry_run=check.dry_run,
    )


def _by_threshold(rule: ThresholdRule, breaches: Breaches, what: str) -> Finding:
    if is_broken(breaches, rule):
        return Finding(Verdict.FAIL, Reason.THRESHOLD_BROKEN, sentences.beyond_limit(rule, breaches, what))
    return Finding(Verdict.CONTINUE, Reason.WITHIN_TOLERANCE, sentences.of_value(rule, breaches, what))


def _of_counts(
    case: Case, check: ErrorsCheck | SlowerThanCheck, bets: tuple[Bet, ...], verdict: Finding
) -> CheckReport:
    bet = max(bets, key=lambda bet: _loudness(case, bet))
    arms = case.stream(bet).attempt
    evidence, limit = 0.0, 0.0
    if bet.by_evidence:
        evidence = log_mean(tuple([case.logs.get(each.key, 0.0) for each in bets]))
        stake = sum(each.share for each in bets) or 1.0
        limit = log(1 / (case.alpha * stake))
    finding = _standing(case, bet, is_beyond=evidence >= limit > 0)
    if verdict.check == check.name:
        finding = verdict
    return CheckReport(
        name=check.name,
        kind=check.kind,
        verdict=finding.verdict,
        reason=finding.reason,
        sentence=finding.sentence,
        log_evidence=evidence,
        limit=limit,
        canary_bad=arms.canary_bad,
        canary_total=arms.canary_total,
        stable_bad=arms.stable_bad,
        stable_total=arms.stable_total,
        dry_run=check.dry_run,
    )


def _loudness(case: Case, bet: Bet) -> float:
    if bet.by_evidence:
        return case.logs.get(bet.key, 0.0)
    return float(case.state.breaches.get(bet.key, _NONE).in_a_row)


def _standing(case: Case, bet: Bet, *, is_beyond: bool) -> Finding:
    """Return where this bet stands by itself."""
    stream = case.stream(bet)
    if is_beyond:
        reason = Reason.EVIDENCE_OF_ERRORS if bet.of_errors else Reason.EVIDENCE_OF_SLOWNESS
        return Finding(Verdict.FAIL, reason, sentences.worse_than_tolerated(bet, stream.attempt, alpha=case.alpha))
    gap = impossible(bet, case.state) or gap_in_counts(bet, case.state, case.look)
    if gap is not None:
        return gap
    if not bet.of_errors and is_warming_up(stream, case.analysis, at=case.look.now):
        return Finding(Verdict.CONTINUE, Reason.WARMING_UP, sentences.warming_up(case.analysis))
    if not bet.by_evidence:
        return _by_threshold(bet.check, case.state.breaches.get(bet.key, _NONE), sentences.subject(bet))
    return Finding(Verdict.CONTINUE, Reason.WITHIN_TOLERANCE, sentences.within_tolerance(bet, stream.attempt))
