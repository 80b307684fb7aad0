"""The judge's word in a pass: what it is asked, and what its samples say of the hold time."""

from __future__ import annotations

from dataclasses import replace

from rollout.analysis.effective import share_agrees
from rollout.analysis.judge import Judgement, JudgeState, Look, Verdict, judge
from rollout.analysis.samples import Batch
from rollout.engine import guards
from rollout.engine.drift import running
from rollout.engine.guards import At
from rollout.engine.moves import Context
from rollout.engine.state import Hold, State, Word
from rollout.spec.analysis import Analysis

SHORTEST_GAP_SECONDS = 15.0
GAP_CADENCES = 3


def judged(state: State, context: Context) -> tuple[State, Judgement | None]:
    """Return the state after the judge has seen what was measured, and its word (None: nothing to judge)."""
    spec = context.spec
    if spec is None or not spec.analysis.checks or state.failover.is_away:
        return state, None
    if state.judge is None or not running(state) or state.share == 0:
        return state, None
    if (standing := _standing(state, state.judge, context)) is not None:
        return state, standing
    return _asked(state, state.judge, spec.analysis, context)


def last_word(state: State) -> Judgement | None:
    """Return what the judge said last, None before it has said anything."""
    if state.word is None or state.judge is None:
        return None
    return Judgement(state.judge, state.word.verdict, state.word.reason, state.word.message, state.evidence)


def _standing(state: State, known: JudgeState, context: Context) -> Judgement | None:
    """Return the last word again, if it is of this step, nothing new was measured and what it rests on is fresh.

    That is a sample, or for a word that holds an answer, which may have brought none.
    """
    word = state.word
    measured = context.seen.batch is not None or context.seen.source_problem is not None
    if word is None or measured:
        return None
    last = state.looked_at if word.verdict is Verdict.HOLD else known.last_tick_at
    if last is None or last < state.step_at:
        return None
    if not last <= context.now <= last + guards.FRESH_CADENCES * context.seen.cadence_seconds:
        return None
    return Judgement(known, word.verdict, word.reason, word.message, state.evidence)


def _asked(state: State, known: JudgeState, analysis: Analysis, context: Context) -> tuple[State, Judgement]:
    step = At(state, context, None).step
    early = step is not None and state.hold.at(context.now) >= step.hold * guards.EARLY_PASS_PART
    later = [s.weight for s in context.steps[state.step : state.step + 1]]
    look = Look(
        now=context.now,
        batch=context.seen.batch,
        canary=state.canary,
        stable=state.stable,
        canary_share=state.share / 100,
        stable_share=1 - state.share / 100,
        cadence_seconds=context.seen.cadence_seconds,
        source_problem=context.seen.source_problem,
        may_pass_early=early,
        next_share=(later[0] if later else 100.0) / 100,
        watched_since=context.seen.session_started_at,
    )
    covered = _without_gaps(state, context)
    judgement = judge(analysis, known, look)
    after, word = judgement.state, Word(judgement.verdict, judgement.reason, judgement.message)
    agreement = share_agrees(after.changed_canary, after.changed_stable, state.share / 100)
    looked_at = context.now if context.seen.batch is not None else state.looked_at
    said = replace(covered, judge=after, word=word, looked_at=looked_at, evidence=judgement.reports)
    return replace(said, effective=agreement.value), judgement


def _without_gaps(state: State, context: Context) -> State:
    """Take time before this controller's start that no sample covers off the hold time, at the first samples."""
    batch, started, judge_state = context.seen.batch, context.seen.session_started_at, state.judge
    if batch is None or judge_state is None or state.hold.since is None or state.hold.since >= started:
        return state
    gap = _uncovered_seconds(batch, state, max(state.hold.since, judge_state.last_tick_at or 0.0), context)
    if gap is None:
        return state
    return replace(state, hold=Hold(max(0.0, state.hold.at(context.now) - gap), context.now))


def _uncovered_seconds(batch: Batch, state: State, since: float, context: Context) -> float | None:
    families = [family for (backend, _), family in batch.counters.items() if backend == state.stable]
    times = sorted({at for family in families for series in family.total for at, _ in series.samples if at > since})
    if not times or times[-1] < context.seen.session_started_at:
        return None
    longest = max(SHORTEST_GAP_SECONDS, GAP_CADENCES * context.seen.cadence_seconds)
    gaps = (after - before for before, after in zip([since, *times], times, strict=False))
    return sum(gap for gap in gaps if gap > longest)
