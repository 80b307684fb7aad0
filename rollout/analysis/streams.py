"""Streams: the new ticks of a look, added to what the judge remembers.

Called by ``rollout.analysis.judge`` before anything is judged. Looking again at samples that were
counted, or at none, hands back the very same state. It must not know verdicts.
"""

from __future__ import annotations

from dataclasses import replace
from math import isfinite

from rollout.analysis.bets import Bet, primary_of
from rollout.analysis.counters import Tick, check_tick, unchecked_ticks
from rollout.analysis.evidence import (
    OBJECTIVE_ALPHA_SHARE,
    OBJECTIVE_GAINS,
    Evidence,
    alpha_of,
    fresh_evidence,
    update,
    update_against_objective,
)
from rollout.analysis.looks import Look
from rollout.analysis.samples import Batch
from rollout.analysis.state import Arms, JudgeState, Stream
from rollout.analysis.thresholds import Breaches, count_value
from rollout.errors import MeasurementError
from rollout.spec.analysis import Analysis, QueryCheck

LEAST_STABLE_SHARE = 0.02
"""With less of the traffic than this, stable is nothing to compare with (guard 6)."""

RECENT_TICKS = 3
"""So many ticks of stable tell whether it breaks its objective now (guard 3)."""

_SMOOTHING = 0.3
_NEW_LOOK = 0.5
_PERCENT = 100
_NO_STREAM = Stream()
_NO_BREACHES = Breaches()


def advanced(analysis: Analysis, state: JudgeState, look: Look, bets: tuple[Bet, ...]) -> JudgeState:
    """Return the state with everything counted that is new in the look's batch."""
    if look.batch is None:
        return state
    primary = primary_of(bets)
    before = state
    for bet in bets:
        stream = before.streams.get(bet.key, _NO_STREAM)
        for tick in _new_ticks(bet, stream, before, look):
            state = _with_tick(state, bet, tick, analysis=analysis, look=look)
            if bet is primary:
                state = _with_requests(state, tick)
    state = _with_queries(analysis, state, look.batch, look)
    return state if state is before else replace(state, last_tick_at=_judged_up_to(analysis, state, bets))


def _new_ticks(bet: Bet, stream: Stream, state: JudgeState, look: Look) -> tuple[Tick, ...]:
    counters = look.batch.counters if look.batch is not None else {}
    canary, stable = counters.get((look.canary, bet.count)), counters.get((look.stable, bet.count))
    if canary is None or stable is None:
        return ()
    after = state.began_at if stream.at is None else stream.at
    return unchecked_ticks(canary=canary, stable=stable, after=after, since=stream.since)


def _with_tick(state: JudgeState, bet: Bet, tick: Tick, *, analysis: Analysis, look: Look) -> JudgeState:
    stream = state.streams.get(bet.key, _NO_STREAM)
    try:
        check_tick(tick, canary=look.canary, stable=look.stable)
    except MeasurementError as error:
        return _with_stream(state, bet, replace(stream, at=tick.at, since=tick.since, impossible=str(error)))
    traffic_at = tick.since if stream.traffic_at is None and tick.canary.total else stream.traffic_at
    stream = replace(stream, at=tick.at, since=tick.since, traffic_at=traffic_at, impossible="")
    if not bet.of_errors and is_warming_up(stream, analysis, at=tick.at):
        return _with_stream(state, bet, stream)
    in_step = tick.covers_from >= state.step_began_at
    if bet.by_evidence:
        evidence, objective = _evidence(stream, bet, tick, analysis=analysis, look=look)
        stream = _summed(stream, tick, in_step=in_step, evidence=evidence, objective=objective)
        return _with_stream(state, bet, stream)
    stream = _summed(stream, tick, in_step=in_step, evidence=stream.evidence, objective=None)
    return _with_share(_with_stream(state, bet, stream), bet, tick)


def is_warming_up(stream: Stream, analysis: Analysis, *, at: float) -> bool:
    """Return whether at that time the canary has not had traffic for as long as ``warm_up`` (guard 4)."""
    return stream.traffic_at is None or at < stream.traffic_at + analysis.warm_up


def has_nothing_to_compare(look: Look) -> bool:
    """Return whether stable has too little of the traffic to compare with (guard 6)."""
    return look.stable_share < LEAST_STABLE_SHARE


def _summed(stream: Stream, tick: Tick, *, in_step: bool, evidence: Evidence, objective: Evidence | None) -> Stream:
    return replace(
        stream,
        attempt=_plus(stream.attempt, tick),
        step=_plus(stream.step, tick) if in_step else stream.step,
        recent_stable=(*stream.recent_stable, (tick.stable.total, tick.stable.bad))[-RECENT_TICKS:],
        evidence=evidence,
        objective=objective,
    )


def _plus(arms: Arms, tick: Tick) -> Arms:
    return Arms(
        arms.canary_total + tick.canary.total,
        arms.canary_bad + tick.canary.bad,
        arms.stable_total + tick.stable.total,
        arms.stable_bad + tick.stable.bad,
    )


def _evidence(
    stream: Stream, bet: Bet, tick: Tick, *, analysis: Analysis, look: Look
) -> tuple[Evidence, Evidence | None]:
    """Return the evidence after this tick: against stable, and against the objective where that is bet on."""
    alpha = alpha_of(analysis.confidence)
    if not has_nothing_to_compare(look):
        allowed = bet.points_fraction
        return update(stream.evidence, tick, ratio=bet.ratio, points_fraction=allowed, alpha=alpha), stream.objective
    if not bet.of_errors:
        return stream.evidence, None
    objective = update_against_objective(
        stream.objective or _fresh_against_objective(stream.evidence),
        tick,
        objective=analysis.objective,
        alpha=alpha * OBJECTIVE_ALPHA_SHARE,
    )
    return stream.evidence, objective


def _fresh_against_objective(known: Evidence) -> Evidence:
    """Return new evidence that keeps what is known of how errors clump."""
    fresh = fresh_evidence(len(OBJECTIVE_GAINS))
    return replace(fresh, spread_seen=known.spread_seen, spread_expected=known.spread_expected)


def _with_stream(state: JudgeState, bet: Bet, stream: Stream) -> JudgeState:
    return replace(state, streams={**state.streams, bet.key: stream})


def _with_share(state: JudgeState, bet: Bet, tick: Tick) -> JudgeState:
    """Count the canary's bad share of this one tick, in percent, against the check's limits; no requests, no share."""
    total, bad = tick.canary
    if not total:
        return state
    breaches = state.breaches.get(bet.key, _NO_BREACHES)
    counted = count_value(breaches, bet.check, value=_PERCENT * bad / total, at=tick.at)
    return replace(state, breaches={**state.breaches, bet.key: counted})


def _with_requests(state: JudgeState, tick: Tick) -> JudgeState:
    canary, both = tick.canary.total, tick.canary.total + tick.stable.total
    in_step, since_change = tick.covers_from >= state.step_began_at, tick.covers_from >= state.changed_at
    rate, known = both / (tick.at - tick.since), state.requests_per_second
    return replace(
        state,
        canary_requests=state.canary_requests + canary,
        step_canary_requests=state.step_canary_requests + (canary if in_step else 0),
        changed_canary=state.changed_canary + (canary if since_change else 0),
        changed_stable=state.changed_stable + (tick.stable.total if since_change else 0),
        first_traffic_at=tick.since if state.first_traffic_at is None and canary else state.first_traffic_at,
        requests_per_second=rate if known is None else known + _SMOOTHING * (rate - known),
    )


def _with_queries(analysis: Analysis, state: JudgeState, batch: Batch, look: Look) -> JudgeState:
    for check in analysis.checks:
        value = batch.queries.get(check.name)
        if not isinstance(check, QueryCheck) or value is None or not isfinite(value):
            continue
        breaches = state.breaches.get(check.name, _NO_BREACHES)
        if _is_new(breaches, look):
            counted = count_value(breaches, check, value=value, at=look.now)
            state = replace(state, breaches={**state.breaches, check.name: counted})
    return state


def _is_new(breaches: Breaches, look: Look) -> bool:
    """Return whether the value is a new sample: passes come more often than samples, and not quite evenly."""
    last = breaches.counted_at
    return last is None or look.now - last >= _NEW_LOOK * look.cadence_seconds


def _judged_up_to(analysis: Analysis, state: JudgeState, bets: tuple[Bet, ...]) -> float | None:
    """Return the time up to which every check that counts has been judged (of all, where all are dry runs)."""
    only_dry_runs = all(check.dry_run for check in analysis.checks)
    checks = [check for check in analysis.checks if isinstance(check, QueryCheck) and check.dry_run is only_dry_runs]
    times = [state.streams.get(bet.key, _NO_STREAM).at for bet in bets if bet.check.dry_run is only_dry_runs]
    times += [state.breaches.get(check.name, _NO_BREACHES).counted_at for check in checks]
    known = [time for time in times if time is not None]
    return min(known) if len(known) == len(times) else None
