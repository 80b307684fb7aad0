"""Conditions: what is true of a Rollout, in the form that Kubernetes' tools read."""

from __future__ import annotations

from dataclasses import replace

from rollout.analysis.judge import Judgement, Verdict
from rollout.engine.drift import is_conflict
from rollout.engine.guards import At, unaccepted
from rollout.engine.moves import Context
from rollout.engine.reasons import Reason
from rollout.engine.settling import is_settling
from rollout.engine.state import Condition, State
from rollout.engine.table import Phase
from rollout.engine.tiers import LOUD, unwritten
from rollout.failover.health import Signal
from rollout.failover.reasons import Reason as Why
from rollout.failover.reasons import Word
from rollout.failover.scene import configured
from rollout.failover.seen import BLIND_SECONDS

ROUTES_ACCEPTED = "RoutesAccepted"
_EFFECTIVE = {"Agrees": ("True", "Agrees"), "Differs": ("False", "Differs"), "Blocks": ("False", "FarOff")}


def with_conditions(state: State, context: Context, judgement: Judgement | None, notes: tuple[Word, ...] = ()) -> State:
    """Return the state with all conditions; one whose status did not change keeps its time.

    ``notes`` hold beside failover's own reason.
    """
    before = {condition.type: condition for condition in state.conditions}
    found = (
        _ready(state, context),
        _routes(state, context, before.get(ROUTES_ACCEPTED)),
        _effective(state),
        _analysis(judgement if state.judge is not None else None),
        _drift(state),
        _conflict(state),
        _suspended(context),
        *(_failover(state, context, notes) if state.tiers is not None else ()),
    )
    conditions = tuple(_timed(one, before.get(one[0]), context.now) for one in found)
    return state if conditions == state.conditions else replace(state, conditions=conditions)


_Found = tuple[str, str, str, str]


def _timed(found: _Found, before: Condition | None, now: float) -> Condition:
    kind, status, reason, message = found
    if before is not None and (before.status, before.reason, before.message) == (status, reason, message):
        return before
    since = before.last_transition_time if before is not None and before.status == status else now
    return Condition(kind, status, reason, message, since)


def _ready(state: State, context: Context) -> _Found:
    if state.phase is Phase.INVALID:
        return "Ready", "False", Reason.INVALID, state.message
    if not state.stable:
        return "Ready", "False", Reason.ROLES_UNKNOWN, state.message
    if context.spec is not None and context.spec.suspend:
        return "Ready", "False", Reason.SUSPENDED, "spec.suspend is true; nothing is written."
    return "Ready", "True", Reason.VALID, "Routes, backends and policy are there."


def _routes(state: State, context: Context, before: Condition | None) -> _Found:
    at = At(state, context, None)
    waiting = unaccepted(at)
    if waiting is not None and before is not None and is_settling(at):
        return ROUTES_ACCEPTED, before.status, before.reason, before.message
    if waiting is not None:
        return ROUTES_ACCEPTED, "False", waiting[0], waiting[1]
    return ROUTES_ACCEPTED, "True", "Accepted", "The gateway serves the routes as they stand."


def _effective(state: State) -> _Found:
    status, reason = _EFFECTIVE.get(state.effective, ("Unknown", "TooFewRequests"))
    message = {
        "True": "Requests go to the backends as the weights say.",
        "False": "Requests do not go to the backends as the weights say.",
        "Unknown": "Too few requests to compare with the weights.",
    }[status]
    return "WeightsEffective", status, reason, message


def _analysis(judgement: Judgement | None) -> _Found:
    if judgement is None:
        return "AnalysisHealthy", "Unknown", "NoAttempt", "Nothing is being judged."
    if judgement.verdict is Verdict.HOLD:
        return "AnalysisHealthy", "False", judgement.reason, judgement.message
    return "AnalysisHealthy", "True", "Measuring", "Measurements come in."


def _drift(state: State) -> _Found:
    if state.drift.by:
        return "DriftDetected", "True", Reason.DRIFT_DETECTED, f"{state.drift.by} changed the weights."
    return "DriftDetected", "False", "AsIntended", "Nobody else changed the weights."


def _conflict(state: State) -> _Found:
    if is_conflict(state):
        who = state.drift.rival or state.drift.by or "somebody else"
        return "OwnershipConflict", "True", Reason.OWNERSHIP_CONFLICT, f"{who} changes the weights again and again."
    return "OwnershipConflict", "False", "SoleOwner", "Nobody else keeps changing the weights."


def _suspended(context: Context) -> _Found:
    if context.spec is not None and context.spec.suspend:
        return "Suspended", "True", Reason.SUSPENDED, "spec.suspend is true; nothing is written, not even an abort."
    return "Suspended", "False", "Active", "Weights are written when needed."


_LOUD = LOUD | {Why.ALL_UNHEALTHY, Why.HELD}
"""Reasons for which failover could not do what it is for."""


def _failover(state: State, context: Context, notes: tuple[Word, ...]) -> tuple[_Found, _Found]:
    failover = state.failover
    if (word := unwritten(state, context)) is not None:
        return ("FailedOver", "Unknown", word.reason, word.message), _unready(word)
    told = failover.reason or "Normal", failover.message or "The primary carries the traffic."
    away = "True" if failover.active or failover.spread else "False"
    return ("FailedOver", away, *told), _failover_ready(state, context, notes)


def _without_backup(state: State, context: Context) -> Word | None:
    """Return that nobody could take over, None while a backup could; just after a start nobody knows yet."""
    backups = state.tiers.backups if state.tiers is not None else ()
    health = {name: dict(state.ready).get(name, "Unknown") for name in backups}
    has_begun = context.now < context.seen.session_started_at + BLIND_SECONDS
    is_tested_by_traffic = state.tiers is not None and configured(state.tiers.settings.signals) == (Signal.METRICS,)
    seen = set(health.values()) - ({"Unknown"} if has_begun or is_tested_by_traffic else set())
    if not seen or "Healthy" in seen or state.failover.is_away:
        return None
    told = ", ".join(f"{name} is {said}" for name, said in health.items())
    return Word(Why.NO_HEALTHY_BACKUP, f"No backup could take over: {told}.")


def _unready(word: Word) -> _Found:
    return "FailoverReady", "False", word.reason, word.message


def _failover_ready(state: State, context: Context, notes: tuple[Word, ...]) -> _Found:
    failover, seen = state.failover, context.seen.failover
    if seen is not None and seen.stopped:
        return "FailoverReady", "False", Why.STOPPED, seen.stopped
    if not state.stable:
        return "FailoverReady", "False", Reason.ROLES_UNKNOWN, "Which backend is the primary is not known."
    if failover.reason in _LOUD:
        return "FailoverReady", "False", failover.reason, failover.message
    if notes:
        return _unready(notes[0])
    if (word := _without_backup(state, context)) is not None:
        return _unready(word)
    if seen is not None and seen.problems:
        return "FailoverReady", "False", "SignalUnavailable", "; ".join(seen.problems)
    return "FailoverReady", "True", "Watching", "Traffic moves to a backup when the primary is down."
