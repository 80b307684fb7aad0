"""Missing knowledge: no samples, NaN, a source that is down, numbers that cannot be true. Each is a reason to hold.

Used by ``rollout.analysis.guards`` and ``rollout.analysis.reports``. Too few requests is not a gap. It
must not know what the numbers say.
"""

from __future__ import annotations

from math import isfinite, isnan

from rollout.analysis import sentences
from rollout.analysis.bets import Bet
from rollout.analysis.looks import Finding, Look, Verdict
from rollout.analysis.reasons import Reason
from rollout.analysis.samples import Batch
from rollout.analysis.state import JudgeState
from rollout.spec.analysis import QueryCheck
from rollout.spec.quantities import format_duration

PATIENCE_CADENCES = 3
"""Samples may stay away for so many cadences."""

LEAST_PATIENCE_SECONDS = 3.0
"""Samples may stay away for so long, however quick the cadence."""


def gap_in_counts(bet: Bet, state: JudgeState, look: Look) -> Finding | None:
    """Return why there is no fresh tick of this bet, or nothing when there is one or it is not yet overdue."""
    stream = state.streams.get(bet.key)
    missing = _seconds_without(stream.at if stream is not None else None, state, look)
    if missing is None:
        return None
    never = stream is None or stream.at is None
    return _hold(*((_untold(bet, look) if never else None) or _cause_in_counts(bet, look, missing)))


def gap_in_query(check: QueryCheck, state: JudgeState, look: Look) -> Finding | None:
    """Return why the query has no value: at once when it was asked, else when one is overdue."""
    if look.batch is not None:
        return _gap_in_answer(check, look.batch)
    breaches = state.breaches.get(check.name)
    missing = _seconds_without(breaches.counted_at if breaches is not None else None, state, look)
    if missing is None:
        return None
    return _hold(*_source_or(look, f"query {check.name} has had no value for {format_duration(missing)}"))


def impossible(bet: Bet, state: JudgeState) -> Finding | None:
    """Return what is wrong with the numbers of the last tick, if anything is."""
    stream = state.streams.get(bet.key)
    return _hold(Reason.IMPOSSIBLE_NUMBERS, stream.impossible) if stream is not None and stream.impossible else None


def _hold(reason: str, sentence: str) -> Finding:
    return Finding(Verdict.HOLD, reason, sentence)


def _seconds_without(last: float | None, state: JudgeState, look: Look) -> float | None:
    """Return for how long nothing has come, when that is too long.

    A restart is not a gap, but it does not end one either: a controller that ends and starts again
    and again must not keep a source that is down from being noticed.
    """
    watched_since = look.watched_since if state.no_data_since is None else state.began_at
    waited = look.now - max(last or state.began_at, state.began_at, watched_since)
    patience = max(PATIENCE_CADENCES * look.cadence_seconds, LEAST_PATIENCE_SECONDS)
    return waited if waited > patience else None


def _gap_in_answer(check: QueryCheck, batch: Batch) -> Finding | None:
    value = batch.queries.get(check.name)
    if value is not None and isfinite(value):
        return None
    if value is not None:
        return _hold(Reason.NOT_A_NUMBER, f"query {check.name} gives {'NaN' if isnan(value) else 'infinity'}")
    return _hold(Reason.NO_DATA, batch.problems.get(check.name, f"query {check.name} gives no value"))


def _source_or(look: Look, sentence: str) -> tuple[str, str]:
    return look.source_problem or (Reason.NO_DATA, sentence)


def _cause_in_counts(bet: Bet, look: Look, seconds: float) -> tuple[str, str]:
    batch, lasted = look.batch, format_duration(seconds)
    if look.source_problem is not None or batch is None:
        return _source_or(look, f"check {bet.check.name} has had no new samples for {lasted}")
    for backend in (look.canary, look.stable):
        if _is_nan(batch, backend, bet):
            return Reason.NOT_A_NUMBER, f"the counters of {backend} for check {bet.check.name} are NaN"
    told = batch.problems.get(bet.count) or batch.problems.get(bet.check.name)
    return (
        Reason.NO_DATA,
        told or f"no new samples of {_missing(batch, look, bet)} for {lasted} (check {bet.check.name})",
    )


def _untold(bet: Bet, look: Look) -> tuple[str, str] | None:
    """Return that no series has the labels of either backend; of one alone it may be that nothing came to it yet."""
    labels = look.batch.unlabelled if look.batch is not None else {}
    if look.source_problem is not None or look.canary not in labels or look.stable not in labels:
        return None
    return Reason.BACKENDS_NOT_TOLD_APART, sentences.not_told_apart(bet, labels[look.canary], look)


def _is_nan(batch: Batch, backend: str, bet: Bet) -> bool:
    family = batch.counters.get((backend, bet.count))
    newest = [series.samples[-1][1] for series in family.total if series.samples] if family is not None else []
    return bool(newest) and all(isnan(value) for value in newest)


def _missing(batch: Batch, look: Look, bet: Bet) -> str:
    """Return the backend without any sample, or both when that does not tell."""
    backends = (look.canary, look.stable)
    absent = [_labelled(batch, name) for name in backends if not _has_samples(batch, name, bet)]
    return " and ".join(absent or backends)


def _labelled(batch: Batch, backend: str) -> str:
    """Return the backend, with its labels where no series at all has them."""
    labels = batch.unlabelled.get(backend)
    return f"{backend} (no series has {labels})" if labels else backend


def _has_samples(batch: Batch, backend: str, bet: Bet) -> bool:
    family = batch.counters.get((backend, bet.count))
    return family is not None and any(series.samples for series in family.total)
