"""The judge's sentences: what was counted, and what it means, for people.

Used by ``rollout.analysis.guards`` and ``rollout.analysis.reports``. Words and numbers only; it must not
decide anything.
"""

from __future__ import annotations

from collections.abc import Sequence

from rollout.analysis.bets import Bet
from rollout.analysis.looks import Look
from rollout.analysis.state import Arms, JudgeState
from rollout.analysis.thresholds import Breaches
from rollout.spec.analysis import Analysis, ThresholdRule
from rollout.spec.quantities import format_duration, format_fraction

_PERCENT = 100


def counted(bet: Bet, arms: Arms) -> str:
    """Return what was counted, such as ``canary failed 8 of 137 requests (5.84%), stable 2 of 2849 (0.07%)``."""
    canary, stable = _part(arms.canary_bad, arms.canary_total), _part(arms.stable_bad, arms.stable_total)
    if bet.of_errors:
        return f"canary failed {canary[0]} requests{canary[1]}, stable {stable[0]}{stable[1]}"
    return f"canary answered {canary[0]} requests slower than {bet.bound}{canary[1]}, stable {stable[0]}{stable[1]}"


def worse_than_tolerated(bet: Bet, arms: Arms, *, alpha: float) -> str:
    """Return why the canary is worse than tolerated, and how seldom a tolerable one would look so (share ``alpha``)."""
    tolerance = f"{bet.ratio:g}x stable + {round(_PERCENT * bet.points_fraction, 9):g} points"
    return f"{counted(bet, arms)}; a version within your tolerance ({tolerance}) {_would(alpha)}"


def worse_than_objective(bet: Bet, arms: Arms, analysis: Analysis, *, alpha: float) -> str:
    """Return why the canary breaks the objective, and how seldom one that meets it would look so (share ``alpha``)."""
    objective = format_fraction(analysis.objective)
    return f"{counted(bet, arms)}; a version that meets your objective ({objective} success) {_would(alpha)}"


def within_tolerance(bet: Bet, arms: Arms) -> str:
    """Return what was counted, and that it is tolerable, or not yet enough to say that it is not."""
    tolerated = bet.ratio * _share(arms.stable_bad, arms.stable_total) + bet.points_fraction
    if _share(arms.canary_bad, arms.canary_total) > tolerated:
        return f"{counted(bet, arms)}: not enough yet to say that it is beyond your tolerance"
    return f"{counted(bet, arms)}: within your tolerance"


def beyond_limit(rule: ThresholdRule, breaches: Breaches, what: str) -> str:
    """Return which value was beyond which limit, and how often in a row."""
    times = f", {breaches.in_a_row} times in a row" if breaches.in_a_row > 1 else ""
    return f"{what} is {_value(breaches)}, {_limit(rule, breaches.value or 0.0)}{times}"


def of_value(rule: ThresholdRule, breaches: Breaches, what: str) -> str:
    """Return the last value of a threshold that is not broken (as often as it must be)."""
    if breaches.value is None:
        return f"{what} has no value yet"
    if breaches.in_a_row:
        limit = _limit(rule, breaches.value)
        return f"{what} is {_value(breaches)}, {limit}, {breaches.in_a_row} of {rule.failures} times in a row"
    return f"{what} is {_value(breaches)}: within its limits"


def subject(bet: Bet) -> str:
    """Return what a threshold on counts looks at."""
    what = f"requests slower than {bet.bound}" if bet.bound else "failed requests"
    return f"the canary's percentage of {what}"


def too_few_requests(analysis: Analysis, state: JudgeState) -> str:
    """Return how many requests the canary has had of those that it needs."""
    return (
        f"canary has had {state.canary_requests} of the {analysis.min_requests} requests that it needs to pass a step"
    )


def stable_unhealthy(recent: Sequence[tuple[int, int]], analysis: Analysis) -> str:
    """Return how badly stable does."""
    total, bad = sum(total for total, _ in recent), sum(bad for _, bad in recent)
    found = " of ".join(_part(bad, total)[:1]) + _part(bad, total)[1]
    objective = format_fraction(analysis.objective)
    return f"stable itself failed {found} requests lately, more than its objective ({objective} success) allows"


def warming_up(analysis: Analysis) -> str:
    """Return that latency is not judged yet."""
    return f"latency is judged from {format_duration(analysis.warm_up)} after the canary's first traffic"


def not_told_apart(bet: Bet, labels: str, look: Look) -> str:
    """Return which labels no series has, and what that may come from."""
    return (
        f"no series has {labels} for {look.canary}, nor the like for {look.stable} (check {bet.check.name}): the"
        " gateway keeps no counters for each backend (Envoy Gateway needs mergeBackends), or Prometheus does not"
        " scrape it or does not add the labels of the policy"
    )


def for_too_long(analysis: Analysis, sentence: str) -> str:
    """Return the sentence of a hold without data that has lasted too long."""
    return f"no data for {format_duration(analysis.on_no_data.hold or 0.0)}: {sentence}"


def _share(bad: int, total: int) -> float:
    return bad / total if total else 0.0


def _part(bad: int, total: int) -> tuple[str, str]:
    share = f" ({_PERCENT * bad / total:.2f}%)" if total else ""
    return f"{bad} of {total}", share


def _would(alpha: float) -> str:
    return f"would ever look this bad in at most 1 of {round(1 / alpha)} rollouts"


def _value(breaches: Breaches) -> str:
    return f"{breaches.value:.6g}"


def _limit(rule: ThresholdRule, value: float) -> str:
    if rule.fail_above is not None and value > rule.fail_above:
        return f"above {rule.fail_above:g}"
    return f"below {rule.fail_below:g}"
