"""Adoption: which backend is stable, read from the weights when no status tells it. Nothing is written.

All weight on one of the pair: that one is stable. All on a backup, or mixed (also two refs
without weights, which the Gateway API reads as 1 and 1): the roles are unknown until the weights
say it, or a person does.

A status that is older than what we wrote ourselves (one that was put back from a backup, or an abort
that could not be recorded) is as good as none: its weights were left for a reason that it does not know.
"""

from __future__ import annotations

from dataclasses import replace

from rollout.engine import weights
from rollout.engine.drift import foreign
from rollout.engine.moves import Context, move, say
from rollout.engine.reasons import Reason
from rollout.engine.state import State, Weights
from rollout.engine.table import Phase, Trigger
from rollout.failover.state import FailoverState
from rollout.failover.status import adopted as adopted_failover
from rollout.spec.resource import DriftMode, RolloutSpec

CUT_OFF_SECONDS = 1.0
"""The platform tells when we wrote in whole seconds."""


def outdated(state: State, context: Context, before: Weights) -> State:
    """Return the state without roles if it is older than the weights that are found, which we wrote; else as it is.

    ``before`` are the weights that the state knew of until this look. Asked only until the first write after a start:
    from then on the state is the newest that there is.
    """
    since = context.seen.session_started_at
    if state.phase is Phase.INVALID or state.last_write_at >= since or _is_tolerated(state, context):
        return state
    if not _is_older(state, context, before):
        return state
    kept = replace(
        State(),
        attempt=state.attempt,
        number=state.number,
        transitions=state.transitions,
        handled=state.handled,
        conditions=state.conditions,
        gateway=state.gateway,
        owned=tuple(replace(rule, acknowledged=()) for rule in state.owned),
        observed=state.observed,
        ready=state.ready,
        observed_generation=state.observed_generation,
        tiers=state.tiers,
        failover=FailoverState(epoch=state.failover.epoch),
        notified=state.notified,
    )
    message = f"The weights are newer than the status, which said {state.phase}; the roles are read from them anew."
    return move(kept, context, Trigger.ADOPT, Reason.ADOPTED, message)


def _is_tolerated(state: State, context: Context) -> bool:
    """Return whether the state knows that others change the weights, or does not mind: then they tell it nothing.

    A route tells when we wrote any of its rules: with two Rollouts on one route, that can be of the other's.
    """
    ignored = context.spec is not None and context.spec.drift is DriftMode.IGNORE
    return ignored or state.drift.hands_off or bool(state.drift.by)


def _is_older(state: State, context: Context, before: Weights) -> bool:
    """Return whether weights that are not intended were written by us, after all that the state tells of."""
    latest = max((state.last_write_at, *(made.at for made in state.transitions)))
    news = (rule for rule in foreign(state, context) if weights.observed(rule, context.seen.routes) != before)
    views = (context.seen.routes.get(rule.route) for rule in news)
    return any(view is not None and view.written_at and view.written_at + CUT_OFF_SECONDS > latest for view in views)


def adopt(state: State, context: Context, spec: RolloutSpec) -> State:
    """Return the state with its roles, if the weights tell them; else paused, saying so."""
    found = [(rule, weights.observed(rule, context.seen.routes)) for rule in state.owned]
    carriers = {name for _, now in found for name in weights.carriers(now or ())}
    pair = spec.backends.names
    as_found = replace(state, owned=tuple(replace(rule, acknowledged=now or ()) for rule, now in found))
    if (standing_by := _with_standby(as_found, context, carriers & set(pair))) is not None:
        return _baseline(standing_by, context, spec)
    if len(carriers) == 1 and carriers <= set(pair):
        return _baseline(with_roles(as_found, pair, carriers.pop()), context, spec)
    if state.tiers is not None and len(carriers) == 1 and carriers <= set(state.tiers.backups):
        return _failed_over(with_roles(as_found, pair, pair[0]), context, carriers.pop())
    return _unknown(state, context, spec, carriers)


def with_roles(state: State, pair: tuple[str, str], stable: str) -> State:
    """Return the state in which ``stable`` of the pair has the stable role, and the other one the canary's."""
    return replace(state, stable=stable, canary=pair[1] if stable == pair[0] else pair[0])


def _with_standby(state: State, context: Context, stables: set[str]) -> State | None:
    """Return the state in which the first backup has its standby weight, None if the weights do not say just that."""
    if state.tiers is None or not state.tiers.settings.standby_weight or len(stables) != 1:
        return None
    spec = context.spec
    pair = spec.backends.names if spec is not None else ("", "")
    shares = ((state.tiers.backups[0], state.tiers.settings.standby_weight),)
    failover = replace(state.failover, standby=True, shares=shares, since=context.now)
    stands = replace(with_roles(state, pair, next(iter(stables))), failover=failover)
    return stands if all(rule.acknowledged == weights.desired(rule, stands) for rule in stands.owned) else None


def _failed_over(state: State, context: Context, backup: str) -> State:
    """Return the state that takes what it finds on a backup for a failover.

    Where attempts can have changed the roles, only a person moves it back: which backend is stable is not known.
    """
    taken = adopted_failover(backup, context.now, ordered=bool(context.steps))
    failover = replace(taken, epoch=state.failover.epoch + 1)
    message = f"All weight was found on backup {backup}, which is taken as failed over from {state.stable}."
    found = replace(state, failover=failover)
    if state.phase is Phase.PAUSED:
        return move(found, context, Trigger.ADOPT, Reason.ON_BACKUP, message)
    return say(found, Reason.ON_BACKUP, message)


def _baseline(state: State, context: Context, spec: RolloutSpec) -> State:
    revision = f" Revision {spec.revision} is the baseline." if spec.revision and state.seen_revision is None else ""
    if state.seen_revision is None:
        state = replace(state, seen_revision=spec.revision, stable_revision=spec.revision or "")
    message = f"{state.stable} carries all weight and is stable; nothing has been started.{revision}"
    reason = Reason.BASELINE if state.stable == spec.backends.stable.name else Reason.ADOPTED
    if state.phase is Phase.PAUSED:
        return move(state, context, Trigger.ADOPT, Reason.ADOPTED, message)
    return say(state, reason, message)


def _unknown(state: State, context: Context, spec: RolloutSpec, carriers: set[str]) -> State:
    backups = {backup.name for backup in spec.backends.backups}
    if carriers and carriers <= backups:
        reason, why = Reason.ON_BACKUP, f"All weight is on backup {', '.join(sorted(carriers))}"
    else:
        reason, why = Reason.ROLES_UNKNOWN, f"Weight is on {', '.join(sorted(carriers)) or 'no backend'}"
    message = f"{why}, so the roles are unknown and nothing is written; adopt tells which backend is stable."
    if state.phase is Phase.PAUSED:
        return say(state, reason, message)
    return move(state, context, Trigger.PAUSE, reason, message)
