"""Guards: small functions that give a finding or nothing; the first that speaks is the verdict.

Their order is the precedence Fail, Hold, Continue, Pass. Called by ``rollout.analysis.judge`` once all
new ticks are counted. Dry runs are not in sight here. A guard must not know another guard.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import log

from rollout.analysis import sentences
from rollout.analysis.bets import Bet
from rollout.analysis.counters import Count
from rollout.analysis.evidence import (
    EARLY_PASS_DOUBT,
    EARLY_PASS_LIMIT,
    OBJECTIVE_ALPHA_SHARE,
    STABLE_UNHEALTHY_LIMIT,
    alpha_of,
    log_against_objective,
    log_evidence,
    log_safety,
    log_sum,
)
from rollout.analysis.gaps import gap_in_counts, gap_in_query, impossible
from rollout.analysis.looks import Finding, Look, Verdict
from rollout.analysis.reasons import Reason
from rollout.analysis.state import JudgeState, Stream
from rollout.analysis.streams import has_nothing_to_compare, is_warming_up
from rollout.analysis.thresholds import is_broken
from rollout.spec.analysis import Analysis, OnNoDataThen, QueryCheck

EARLY_ERRORS = 0.005
"""An early pass shows that the next weight adds at most this share of failed requests to all traffic."""

EARLY_SLOWNESS = 0.02
"""The same for slow requests."""

_NOTHING = Stream()


@dataclass(frozen=True, slots=True)
class Case:
    """What the guards look at: the state with this look counted in, and the bets that are not dry runs.

    ``logs`` is the log evidence of every stream (dry runs too) by its key.
    """

    analysis: Analysis
    state: JudgeState
    look: Look
    bets: tuple[Bet, ...]
    logs: Mapping[str, float]

    def stream(self, bet: Bet) -> Stream:
        """Return what is known of a bet (nothing, at first)."""
        return self.state.streams.get(bet.key, _NOTHING)

    @property
    def staked(self) -> tuple[Bet, ...]:
        """Return the bets that are judged by evidence."""
        return tuple(bet for bet in self.bets if bet.is_staked)

    @property
    def alpha(self) -> float:
        """Return the share of good attempts that may be aborted."""
        return alpha_of(self.analysis.confidence)


def parts_of_evidence(case: Case) -> list[tuple[float, Bet]]:
    """Return each staked bet with the log of its part in the combined evidence (its share times its evidence)."""
    return [(log(bet.share) + case.logs.get(bet.key, 0.0), bet) for bet in case.staked]


def combined(parts: list[tuple[float, Bet]]) -> float:
    """Return the log of the combined evidence, the weighted mean of all."""
    return log_sum(tuple([part for part, _ in parts]))


def loudest(parts: list[tuple[float, Bet]]) -> Bet:
    """Return the bet with the largest part."""
    return max(parts, key=lambda part: part[0])[1]


def convicted(case: Case) -> Finding | None:
    """Fail when the weighted mean of all evidence reaches 1/alpha; the loudest bet gives the reason."""
    parts = parts_of_evidence(case)
    if not parts or combined(parts) < log(1 / case.alpha):
        return None
    bet = loudest(parts)
    reason = Reason.EVIDENCE_OF_ERRORS if bet.of_errors else Reason.EVIDENCE_OF_SLOWNESS
    sentence = sentences.worse_than_tolerated(bet, case.stream(bet).attempt, alpha=case.alpha)
    return Finding(Verdict.FAIL, reason, sentence, bet.check.name)


def convicted_by_objective(case: Case) -> Finding | None:
    """Fail on the objective alone while stable is nothing to compare with (guard 6), unless stable breaks it too."""
    if not has_nothing_to_compare(case.look) or stable_unhealthy(case) is not None:
        return None
    alpha = case.alpha * OBJECTIVE_ALPHA_SHARE
    for bet in case.staked:
        stream = case.stream(bet)
        if stream.objective is not None and log_evidence(stream.objective) >= log(1 / alpha):
            sentence = sentences.worse_than_objective(bet, stream.attempt, case.analysis, alpha=alpha)
            return Finding(Verdict.FAIL, Reason.EVIDENCE_OF_ERRORS, sentence, bet.check.name)
    return None


def threshold_broken(case: Case) -> Finding | None:
    """Fail when a value was beyond its limit as often in a row as asked."""
    return next(_broken_thresholds(case), None)


def _broken_thresholds(case: Case) -> Iterator[Finding]:
    rules = [(bet.check, bet.key, sentences.subject(bet)) for bet in case.bets if not bet.by_evidence]
    queries = [(check, check.name, check.name) for check in case.analysis.checks if isinstance(check, QueryCheck)]
    for rule, key, what in (*rules, *queries):
        breaches = case.state.breaches.get(key)
        if breaches is not None and not rule.dry_run and is_broken(breaches, rule):
            sentence = sentences.beyond_limit(rule, breaches, what)
            yield Finding(Verdict.FAIL, Reason.THRESHOLD_BROKEN, sentence, rule.name)


def without_data_too_long(case: Case) -> Finding | None:
    """Fail when that is asked for: no data all the time for ``onNoData.hold``, and the source was asked just now."""
    rule, since, look = case.analysis.on_no_data, case.state.no_data_since, case.look
    asked = look.batch is not None or look.source_problem is not None
    if rule.then is not OnNoDataThen.ABORT or rule.hold is None or since is None or not asked:
        return None
    gap = without_data(case)
    if gap is None or look.now - since < rule.hold:
        return None
    return Finding(Verdict.FAIL, Reason.NO_DATA, sentences.for_too_long(case.analysis, gap.sentence))


def impossible_numbers(case: Case) -> Finding | None:
    """Hold while the last tick contradicts itself."""
    return next(filter(None, (impossible(bet, case.state) for bet in case.bets)), None)


def without_data(case: Case) -> Finding | None:
    """Hold while a check has no fresh samples, or a query no value."""
    queries = [check for check in case.analysis.checks if isinstance(check, QueryCheck) and not check.dry_run]
    in_counts = (gap_in_counts(bet, case.state, case.look) for bet in case.bets)
    in_queries = (gap_in_query(check, case.state, case.look) for check in queries)
    return next((gap for gaps in (in_counts, in_queries) for gap in gaps if gap is not None), None)


def stable_unhealthy(case: Case) -> Finding | None:
    """Hold while stable itself broke its errors objective in the last ticks (guard 3)."""
    for bet in case.bets:
        recent = case.stream(bet).recent_stable if bet.of_errors else ()
        count = Count(sum(total for total, _ in recent), sum(bad for _, bad in recent))
        if not count.bad:
            continue
        if log_against_objective(count, case.analysis.objective) >= STABLE_UNHEALTHY_LIMIT:
            return Finding(Verdict.HOLD, Reason.STABLE_UNHEALTHY, sentences.stable_unhealthy(recent, case.analysis))
    return None


def too_few_requests(case: Case) -> Finding | None:
    """Go on, but never past a step, while the canary has had too few requests (guard 5)."""
    enough = case.state.canary_requests >= case.analysis.min_requests
    if enough or case.look.canary_share <= 0 or not case.bets:
        return None
    return Finding(Verdict.CONTINUE, Reason.TOO_FEW_REQUESTS, sentences.too_few_requests(case.analysis, case.state))


def only_warming_up(case: Case) -> Finding | None:
    """Go on while latency is all there is to judge, and it is not judged yet."""
    waiting = [
        not bet.of_errors and is_warming_up(case.stream(bet), case.analysis, at=case.look.now) for bet in case.bets
    ]
    if not (waiting and all(waiting)):
        return None
    return Finding(Verdict.CONTINUE, Reason.WARMING_UP, sentences.warming_up(case.analysis))


def passed_early(case: Case) -> Finding | None:
    """Pass when the step's requests already show that the next weight does little harm, where that is asked for."""
    if not (case.analysis.early_pass and case.look.may_pass_early and case.staked):
        return None
    doubt = combined(parts_of_evidence(case))
    if doubt >= EARLY_PASS_DOUBT or any(_safety(case, bet) < EARLY_PASS_LIMIT for bet in case.staked):
        return None
    return Finding(Verdict.PASS, Reason.EARLY_PASS, f"{_tolerated(case)}, and safe at the next weight")


def _safety(case: Case, bet: Bet) -> float:
    step = case.stream(bet).step
    allowed = EARLY_ERRORS if bet.of_errors else EARLY_SLOWNESS
    return log_safety(
        Count(step.canary_total, step.canary_bad),
        Count(step.stable_total, step.stable_bad),
        ratio=bet.ratio,
        points_fraction=allowed / max(case.look.next_share, allowed),
    )


def within_tolerance(case: Case) -> Finding:
    """Go on: nothing speaks for harm."""
    return Finding(Verdict.CONTINUE, Reason.WITHIN_TOLERANCE, _tolerated(case))


def _tolerated(case: Case) -> str:
    parts = parts_of_evidence(case)
    if not parts:
        return "nothing is beyond its limits"
    bet = loudest(parts)
    return sentences.within_tolerance(bet, case.stream(bet).attempt)


GUARDS: tuple[Callable[[Case], Finding | None], ...] = (
    convicted,
    convicted_by_objective,
    threshold_broken,
    without_data_too_long,
    impossible_numbers,
    without_data,
    stable_unhealthy,
    too_few_requests,
    only_warming_up,
    passed_early,
)
"""In order of precedence; ``within_tolerance`` is what is left."""
