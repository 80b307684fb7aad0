"""Evidence: an anytime-valid test of two counts, looked at on every scrape.

An e-process: a bet against "the canary is within tolerance" whose stake is multiplied by each
tick's outcome. If the canary is within tolerance it exceeds ``1/alpha`` in at most a share
``alpha`` of all attempts, however often one looks. Used by ``rollout.analysis.streams`` (one
stream of ticks each) and ``rollout.analysis.verdicts``; it must not know checks, names or time.

The source of every number is the project's judge (``docs/explanation/judge.md``).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import exp, log, log1p
from typing import ClassVar

from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

from rollout.analysis.counters import Count, Tick

GAINS = (1.25, 1.6, 2.2, 3.5, 6.0, 12.0, 30.0, 100.0, 300.0)
"""Alternatives: how many times worse than tolerated the canary may be. Docs: "The bets"."""

OBJECTIVE_GAINS = (0.005, 0.01, 0.03, 0.07, 0.15, 0.4, 0.9)
"""Alternatives against the objective, as shares of the way from the allowed bad share to 1."""

RELIEFS = (0.02, 0.1, 0.3, 0.6)
"""Alternatives of the early pass: how many times *better* than tolerated."""

RESTART = 1 / 30
"""Chance per tick, in the mixture, that the harm begins now: finds harm that starts late."""

ATTENTIVE = 0.5
"""Share of the stake that bets from the first tick on."""

PRIOR_SPREAD = 2.0
"""Both sums of ``phi`` start here, so that a few ticks cannot move it far."""

CAP_AT_99 = 3.0
"""Largest log gain of one tick at 99 % confidence: (ln 100 + 2 ln 2) / 2, rounded up so that two ticks convict."""

CAP_AT_99_WITHOUT_PODS = 2.3
"""The same when stable's pods cannot be told apart: clumps cannot be seen, so three ticks are needed."""

OBJECTIVE_ALPHA_SHARE = 0.2
"""The bet against the objective has a fifth of alpha for itself."""

STABLE_UNHEALTHY_LIMIT = log(20)
"""Log evidence from which on stable counts as breaking its objective."""

EARLY_PASS_LIMIT = log(1 / 0.05)
"""Log evidence of safety that an early pass needs."""

EARLY_PASS_DOUBT = log(3)
"""Log evidence of harm from which on there is no early pass."""

_MOST_ALPHA = 0.5
_LEAST_ALPHA = 1e-9
_LEAST_BAD_SHARE = 1e-6
_LOG_CONTINUE = log1p(-RESTART)


@dataclass(frozen=True, slots=True)
class Evidence:
    """The state of one bet: log stakes per alternative, the log stake not yet bet, and stable's clumping sums."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    weights: tuple[float, ...]
    rest: float = log(1 - ATTENTIVE)
    spread_seen: float = PRIOR_SPREAD
    spread_expected: float = PRIOR_SPREAD


def fresh_evidence(alternatives: int = len(GAINS)) -> Evidence:
    """Return evidence before the first tick: its log evidence is 0."""
    return Evidence(weights=(log(ATTENTIVE / alternatives),) * alternatives)


def alpha_of(confidence: float) -> float:
    """Return the share of good attempts that may be aborted, for a confidence from 0 to 1 (kept in 1e-9..0.5)."""
    return min(max(1 - confidence, _LEAST_ALPHA), _MOST_ALPHA)


def cap_of(alpha: float, *, pods_known: bool) -> float:
    """Return the largest log gain of one tick: with pods known one scrape cannot convict and two can."""
    if pods_known:
        return CAP_AT_99 * log(4 / alpha) / log(400)
    return CAP_AT_99_WITHOUT_PODS * log(1 / alpha) / log(100)


def temper(evidence: Evidence) -> float:
    """Return gamma, from 0 to 1: how much errors count, less the more they clump on stable's pods."""
    phi = max(1.0, evidence.spread_seen / evidence.spread_expected)
    return 2 / (1 + phi)


def with_spread(evidence: Evidence, tick: Tick) -> Evidence:
    """Return the evidence with the tick's clumping over stable's pods added."""
    total, bad = tick.stable
    if not (bad and total and tick.stable_pods):
        return evidence
    seen, expected = evidence.spread_seen, evidence.spread_expected
    for _, pod in tick.stable_pods:
        share = pod.total / total
        seen += (pod.bad - bad * share) ** 2
        expected += bad * share * (1 - share)
    return Evidence(evidence.weights, evidence.rest, seen, expected)


def update(evidence: Evidence, tick: Tick, *, ratio: float, points_fraction: float, alpha: float) -> Evidence:
    """Return the evidence after betting on a tick that the canary is worse than ``ratio`` x stable + the points."""
    evidence = with_spread(evidence, tick)
    gains = log_gains(tick.canary, tick.stable, _alternatives(ratio, GAINS), points_fraction)
    return _bet(evidence, gains, alpha=alpha, pods_known=bool(tick.stable_pods))


def update_against_objective(evidence: Evidence, tick: Tick, *, objective: float, alpha: float) -> Evidence:
    """Return the evidence after betting on one tick that the canary breaks ``objective`` (a success share)."""
    evidence = with_spread(evidence, tick)
    return _bet(evidence, _objective_gains(tick.canary, objective), alpha=alpha, pods_known=bool(tick.stable_pods))


def log_evidence(evidence: Evidence) -> float:
    """Return the natural log of the evidence: 0 at the start, above it the more harm there is."""
    return log_sum((*evidence.weights, evidence.rest))


def log_against_objective(count: Count, objective: float) -> float:
    """Return the log evidence, of these counts alone, that the objective is broken."""
    return log_mean(_objective_gains(count, objective))


def log_safety(canary: Count, stable: Count, *, ratio: float, points_fraction: float) -> float:
    """Return the log evidence, of these counts alone, that the canary is *better* than ratio x stable + points."""
    return log_mean(log_gains(canary, stable, _alternatives(ratio, RELIEFS), points_fraction))


def log_sum(logs: tuple[float, ...]) -> float:
    """Return the log of the sum of the numbers whose logs are given."""
    top = max(logs)
    return top + log(sum([exp(value - top) for value in logs]))


def log_mean(logs: tuple[float, ...]) -> float:
    """Return the log of the mean of the numbers whose logs are given."""
    return log_sum(logs) - log(len(logs))


def log_gains(
    canary: Count, stable: Count, alternatives: tuple[tuple[float, float, float], ...], points_fraction: float
) -> tuple[float, ...]:
    """Return the log likelihood gain of each alternative; 0 where an arm has no requests."""
    nc, ec = canary
    ns, es = stable
    if not (nc and ns):
        return (0.0,) * len(alternatives)
    both, allowed = ec + es, points_fraction * nc
    gains = []
    for tolerated, rho, log_factor in alternatives:
        shrink = (tolerated * nc + ns) / (rho * nc + ns)
        gains.append(ec * log_factor + both * log(shrink) - allowed * (rho / tolerated * shrink - 1))
    return tuple(gains)


@lru_cache(maxsize=256)
def _alternatives(ratio: float, gains: tuple[float, ...]) -> tuple[tuple[float, float, float], ...]:
    return tuple((ratio, ratio * gain, log(gain)) for gain in gains)


@lru_cache(maxsize=64)
def _objective_logs(objective: float) -> tuple[tuple[float, float], ...]:
    allowed = min(max(1 - objective, _LEAST_BAD_SHARE), 1 - _LEAST_BAD_SHARE)
    shares = [allowed + (1 - allowed) * gain for gain in OBJECTIVE_GAINS]
    return tuple((log(share / allowed), log((1 - share) / (1 - allowed))) for share in shares)


def _objective_gains(count: Count, objective: float) -> tuple[float, ...]:
    good = count.total - count.bad
    return tuple([count.bad * of_bad + good * of_good for of_bad, of_good in _objective_logs(objective)])


def _bet(evidence: Evidence, gains: tuple[float, ...], *, alpha: float, pods_known: bool) -> Evidence:
    gamma = temper(evidence) if pods_known else 1.0
    cap = _cap(alpha, pods_known)
    joining = evidence.rest + _log_restart(len(gains))
    weights = []
    for weight, gain in zip(evidence.weights, gains, strict=True):
        high, low = (weight, joining) if weight > joining else (joining, weight)
        weights.append(high + log1p(exp(low - high)) + min(gamma * gain, cap))
    return Evidence(tuple(weights), evidence.rest + _LOG_CONTINUE, evidence.spread_seen, evidence.spread_expected)


@lru_cache(maxsize=64)
def _cap(alpha: float, pods_known: bool) -> float:  # noqa: FBT001 - a cache of a keyword-only function
    return cap_of(alpha, pods_known=pods_known)


@lru_cache(maxsize=8)
def _log_restart(alternatives: int) -> float:
    return log(RESTART / alternatives)
