"""Drift and writes: which routes say something else than intended, and what is written now.

What we wrote last and want no more is an unfinished write of our own; anything else than what we
wrote last is somebody else's hand. So it is while a drop waits, which is no unfinished write yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from rollout.engine import weights
from rollout.engine.dropping import left, only_drops, with_drops
from rollout.engine.moves import Context, move, note
from rollout.engine.observation import RouteKey, RouteView, RuleWeights
from rollout.engine.reasons import Reason
from rollout.engine.receiving import may_write
from rollout.engine.state import Drift, Hold, OwnedRule, State, Weights
from rollout.engine.table import RUNNING, Phase, Trigger
from rollout.spec.resource import DriftMode

MOST_REPAIRS = 3
WINDOW_SECONDS = 600.0
FIRST_GAP_SECONDS = 1.0
LONGEST_GAP_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class RouteWrite:
    """What to write into one route, if its version is still ``expected``."""

    route: RouteKey
    expected: str
    rules: tuple[RuleWeights, ...]
    weights: Weights


def foreign(state: State, context: Context) -> tuple[OwnedRule, ...]:
    """Return the owned rules whose weights somebody else changed since our last write of what we still want."""
    if not state.stable:
        return ()

    def is_foreign(rule: OwnedRule) -> bool:
        want, ours = weights.desired(rule, state), rule.acknowledged
        if ours != want and not only_drops(ours, want):
            return False
        now = weights.observed(rule, context.seen.routes)
        return now is not None and not any(weights.agrees(rule, now, known) for known in (want, ours))

    return tuple(filter(is_foreign, state.owned))


def take_over(state: State, context: Context) -> State:
    """Return the state in which weights that were left to somebody else are ours again, to be written over."""
    if not state.drift.hands_off:
        return replace(state, drift=Drift())
    found = ((rule, weights.observed(rule, context.seen.routes)) for rule in state.owned)
    owned = tuple(replace(rule, acknowledged=now if now is not None else rule.acknowledged) for rule, now in found)
    return replace(state, drift=Drift(), owned=owned)


def is_left(rule: OwnedRule, state: State, context: Context) -> bool:
    """Return whether somebody else's weights stand in ``rule`` and are to stay (``drift: Ignore``)."""
    ignored = context.spec is not None and context.spec.drift is DriftMode.IGNORE
    return ignored and rule in foreign(state, context)


def watch(state: State, context: Context) -> State:
    """Return the state with foreign changes noticed: put back, left, or the attempt paused, as ``spec.drift`` says."""
    mode = context.spec.drift if context.spec else DriftMode.CORRECT
    state = _as_asked_now(state, mode)
    drifted = foreign(state, context)
    if not drifted:
        return _calm(state, context)
    by = next(
        (view.changed_by for rule in drifted if (view := context.seen.routes.get(rule.route)) and view.changed_by), ""
    )
    known = (state.drift.by or state.drift.hands_off) and not state.drift.put_back
    if known and not _may_try_again(state, context, mode):
        return state
    who = by or "somebody else"
    noticed = replace(state, drift=replace(state.drift, by=who, hands_off=False, put_back=False, rival=who))
    if mode is DriftMode.IGNORE:
        return noticed
    if is_for_ever(state):
        return _repair_for_ever(noticed, context)
    return _repair_a_few_times(noticed, context, mode)


def _as_asked_now(state: State, mode: DriftMode) -> State:
    """Return the state without what was tried for ``drift: Correct``, where that is not asked for any more.

    Left until resume is what the attempt was paused for; after an abort and away all but Ignore puts back for ever.
    """
    is_kept = state.phase in {Phase.PAUSED, Phase.INVALID}
    goes_on = is_for_ever(state) and mode is not DriftMode.IGNORE
    is_tried = bool(state.drift.repairs) or (state.drift.hands_off and mode is DriftMode.IGNORE)
    if mode is DriftMode.CORRECT or is_kept or goes_on or not is_tried:
        return state
    return replace(state, drift=Drift())


def _may_try_again(state: State, context: Context, mode: DriftMode) -> bool:
    """Return whether hands were kept off at rest for so long that the repairs are forgotten."""
    at_rest = state.drift.hands_off and state.phase is not Phase.PAUSED and mode is DriftMode.CORRECT
    return at_rest and len(_recent(state.drift, context.now)) < MOST_REPAIRS


def _recent(drift: Drift, now: float) -> tuple[float, ...]:
    return tuple(at for at in drift.repairs if at + WINDOW_SECONDS > now)


def _calm(state: State, context: Context) -> State:
    drift = state.drift
    recent = _recent(drift, context.now)
    if (drift.hands_off and state.phase is Phase.PAUSED) or (
        not drift.hands_off and not drift.by and recent == drift.repairs
    ):
        return state
    gap = drift.gap_seconds if recent else 0.0
    calm = Drift(recent, drift.next_repair_at, gap, rival=drift.rival) if recent else Drift()
    return replace(state, drift=calm)


def _repair_for_ever(state: State, context: Context) -> State:
    drift = state.drift
    at = max(context.now, drift.next_repair_at)
    gap = min(LONGEST_GAP_SECONDS, max(FIRST_GAP_SECONDS, drift.gap_seconds * 2))
    repairs = (*drift.repairs, context.now)[-MOST_REPAIRS - 1 :]
    after = replace(state, drift=replace(drift, repairs=repairs, next_repair_at=at + gap, gap_seconds=gap))
    if is_conflict(state) or not is_conflict(after):
        return after
    message = f"{drift.by} changes the weights again and again; they are put back each time."
    return note(after, context, Reason.OWNERSHIP_CONFLICT, message)


def _repair_a_few_times(state: State, context: Context, mode: DriftMode) -> State:
    drift = state.drift
    recent = _recent(drift, context.now)
    if mode is DriftMode.CORRECT and len(recent) < MOST_REPAIRS:
        return replace(state, drift=replace(drift, repairs=(*recent, context.now)))
    if state.phase is not Phase.PROGRESSING:
        return replace(state, drift=replace(drift, repairs=recent, hands_off=True))
    often = f" {len(recent) + 1} times in 10 minutes" if mode is DriftMode.CORRECT else ""
    reason = Reason.OWNERSHIP_CONFLICT if mode is DriftMode.CORRECT else Reason.DRIFT_DETECTED
    message = f"{drift.by} changed the weights{often}; they are left as they are until resume."
    still = replace(state, drift=replace(drift, repairs=recent, hands_off=True), hold=Hold(state.hold.at(context.now)))
    return move(still, context, Trigger.PAUSE, reason, message)


def is_conflict(state: State) -> bool:
    """Return whether somebody else changes the weights again and again."""
    return len(state.drift.repairs) > MOST_REPAIRS or (
        state.drift.hands_off and len(state.drift.repairs) >= MOST_REPAIRS
    )


def writes(state: State, context: Context) -> tuple[tuple[RouteWrite, ...], float | None]:
    """Return what to write now, one write for each route, and when to look again for what may not be written yet."""
    spec = context.spec
    if (spec is not None and spec.suspend) or not state.stable:
        return (), None
    if state.drift.hands_off:
        return (), None if state.phase is Phase.PAUSED else _forgotten_at(state, context)
    changes: dict[RouteKey, list[OwnedRule]] = {}
    for rule in state.owned:
        now = weights.observed(rule, context.seen.routes)
        told = now is None or weights.agrees(rule, now, weights.desired(rule, state))
        if told or is_left(rule, state, context) or not _may_write(rule, now, state):
            continue
        if may_write(now or (), weights.desired(rule, state), state, context):
            changes.setdefault(rule.route, []).append(rule)
    waits = with_drops(_waits(state, context, changes), changes, state, context)
    due = tuple(_write(state, changes[route], context.seen.routes[route]) for route, wait in waits.items() if wait <= 0)
    return due, min((context.now + wait for wait in waits.values() if wait > 0), default=None)


def _may_write(rule: OwnedRule, now: Weights | None, state: State) -> bool:
    """Return whether the rule is written: of an invalid spec only what failover moved, and the rest of a change."""
    failover, want = state.failover, weights.desired(rule, state)
    if state.phase is not Phase.INVALID or failover.is_away or only_drops(now, want):
        return True
    return failover.moved_at > state.step_at and rule.acknowledged != want


def lacks_health(state: State, context: Context) -> bool:
    """Return whether a rule does not say what is intended since who would get more may not receive it."""
    found = ((weights.observed(rule, context.seen.routes), weights.desired(rule, state)) for rule in state.owned)
    return any(now is not None and not may_write(now, want, state, context) for now, want in found)


def _forgotten_at(state: State, context: Context) -> float | None:
    """Return when the first of the repairs is forgotten, None when that has been."""
    return next((at + WINDOW_SECONDS for at in _recent(state.drift, context.now)), None)


def _waits(state: State, context: Context, changes: Mapping[RouteKey, list[OwnedRule]]) -> Mapping[RouteKey, float]:
    """Return for how many seconds the write of each route has to wait; where we repair for ever, only repairs do."""
    if is_for_ever(state):
        theirs = {rule.route for rule in foreign(state, context)}
        gap = state.drift.next_repair_at - state.drift.gap_seconds - context.now
        return {route: gap if route in theirs else 0.0 for route in changes}
    rules = [rule for found in changes.values() for rule in found]
    if any(_touches_zero(weights.observed(rule, context.seen.routes), weights.desired(rule, state)) for rule in rules):
        return dict.fromkeys(changes, 0.0)
    return dict.fromkeys(changes, left(state.gateway.min_write_interval, state, context))


def _touches_zero(now: Weights | None, want: Weights) -> bool:
    return now is not None and any((a == 0) != (b == 0) for (_, a), (_, b) in zip(now, want, strict=True))


def _write(state: State, rules: list[OwnedRule], view: RouteView | None) -> RouteWrite:
    wanted = [(rule, weights.desired(rule, state)) for rule in rules]
    by_rule = tuple(
        RuleWeights(rule.index, rule.name, dict(zip(rule.backends, (n for _, n in want), strict=True)))
        for rule, want in wanted
    )
    return RouteWrite(rules[0].route, view.version if view else "", by_rule, wanted[0][1])


def acknowledge(state: State, written: tuple[RouteKey, ...], now: float) -> State:
    """Return the state after these routes were written with what is intended."""
    owned = tuple(
        replace(rule, acknowledged=weights.desired(rule, state)) if rule.route in written else rule
        for rule in state.owned
    )
    after = replace(state.drift, put_back=True) if state.drift.by else state.drift
    return replace(state, owned=owned, last_write_at=now, drift=after)


def is_for_ever(state: State) -> bool:
    """Return whether foreign changes are put back for ever: after an abort, and while a backup has the traffic."""
    return state.phase in {Phase.ABORTING, Phase.ABORTED} or state.failover.is_away


def running(state: State) -> bool:
    """Return whether an attempt is under way; a pause because the roles are unknown is none."""
    phase = state.before_invalid if state.phase is Phase.INVALID else state.phase
    return bool(state.stable) and phase in RUNNING
