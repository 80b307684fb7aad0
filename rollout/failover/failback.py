"""Failback: when the way back may begin, its steps, and what breaks it."""

from __future__ import annotations

from dataclasses import replace

from rollout.failover import guards
from rollout.failover.health import Signal
from rollout.failover.leaving import (
    after_time,
    as_text,
    cleared,
    despair,
    leave,
    pressed_until,
    relieved,
    under_pressure,
)
from rollout.failover.plan import admits, at_rest, best_of, destination, home, preferred, pressure, spilled, wants_back
from rollout.failover.reasons import Reason, Word
from rollout.failover.scene import Standing
from rollout.failover.shares import PRIMARY, mixed, share_of
from rollout.failover.state import FailoverState, Journey, Well
from rollout.failover.table import Trigger
from rollout.failover.turn import Turn, keep, move, say
from rollout.spec.failover import Failover

ROUNDING_SECONDS = 0.001
"""Sums of floating seconds are exact to this."""

_LEAST_WAIT = 1.0
"""What the wait grows from where ``stableFor`` is 0."""


def wait_seconds(state: FailoverState, settings: Failover) -> float:
    """Return how long a backend must have been healthy before failback."""
    return max(state.wait_seconds, settings.failback.stable_for)


def with_health(turn: Turn, names: tuple[str, ...]) -> Turn:
    """Return the turn with how long each of ``names`` has been healthy: Unhealthy ends it, Unknown halts it."""
    before = {well.name: well for well in turn.state.well}
    counted = [_counted(before.get(name, Well(name)), turn) for name in names]
    return keep(
        turn, replace(turn.state, well=tuple(well for well in counted if well.seconds or well.since is not None))
    )


def _counted(well: Well, turn: Turn) -> Well:
    tier = turn.scene.standing(well.name)
    if wants_back(turn.state, turn.scene, well.name):
        if well.since is None:
            return replace(well, since=turn.now)
        return well if tier.failed_at <= well.since else Well(well.name, since=turn.now)
    if not tier.is_unknown:
        return Well(well.name)
    return Well(well.name, well.at(turn.now, turn.scene.seen.session_started_at))


def consider(turn: Turn) -> Turn:
    """Return the turn in which failback begins, or says what it waits for."""
    state, scene = turn.state, turn.scene
    wait = wait_seconds(state, scene.settings)
    healthy = {well.name: well.at(turn.now, scene.seen.session_started_at) for well in state.well}
    ready = [name for name in preferred(state, scene) if name in healthy and healthy[name] >= wait - ROUNDING_SECONDS]
    ready = [name for name in ready if wants_back(state, scene, name)]
    if not ready:
        carried = as_text(scene, state.shares)
        if healthy:
            message = f"{carried}; failback needs {wait:.0f} s of health, {max(healthy.values()):.0f} s have passed."
            return say(turn, Word(Reason.NOT_YET_STABLE, message))
        return say(turn, Word(Reason.ON_BACKUP, f"{carried}, since failover {state.epoch}."))
    shown = scene.standing(ready[0]).shown
    word = guards.first(guards.FAILBACK, turn, f"traffic goes back to {shown}")
    return begin(turn, ready[0]) if word is None else say(turn, word)


def begin(turn: Turn, target: str, *, by: str = "") -> Turn:
    """Return the turn at the first step of the way back to ``target``."""
    state, scene = turn.state, turn.scene
    goal, steps = home(state, scene, target), scene.settings.failback.steps
    origin = state.journey.origin if state.journey is not None and state.journey.back else state.shares
    shares = mixed(origin, goal or (), steps[0])
    if goal is None or not admits(state, scene, shares):
        return say(turn, _unknown(scene.standing(target)))
    journey = Journey(origin, goal, step=1, at=turn.now, back=True, target=target, ordered=bool(by))
    after = replace(state, shares=shares, journey=journey, pressing_since=0.0, held=False, spread=False)
    shown = scene.standing(target).shown
    message = f"Failback {state.epoch} to {shown} began{by}, step 1 of {len(steps)}: {as_text(scene, shares)}."
    return move(turn, after, Trigger.FAIL_BACK, Word(Reason.FAILING_BACK, message))


def _unknown(tier: Standing) -> Word:
    message = f"{tier.shown} is not known to be healthy ({tier.vote.evidence}); it gets no more until it is."
    return Word(Reason.WAITING_FOR_HEALTH, message)


def going_back(turn: Turn, journey: Journey) -> Turn:
    """Return the turn in stage FailingBack."""
    state, scene = turn.state, turn.scene
    target = scene.standing(journey.target)
    if _is_broken(turn, target):
        return _broken(turn, journey, target)
    lost = pressure(state, scene)
    if lost is not None and scene.standing(state.active).is_down:
        turn = keep(turn, replace(state, pressing_since=state.pressing_since or turn.now))
        if turn.now >= pressed_until(turn.state, lost) and not guards.first(guards.ANY_MOVE, turn, ""):
            there = _arrived(turn, journey)
            return under_pressure(turn, lost) if there is None else there
        return say(turn, guards.first(guards.ANY_MOVE, turn, "the rest goes back at once") or lost.word)
    turn = relieved(turn)
    steps = scene.settings.failback.steps
    if turn.now < journey.at + scene.settings.failback.step_interval:
        message = f"Step {journey.step} of {len(steps)} of failback to {target.shown}: {as_text(scene, state.shares)}."
        return say(turn, Word(Reason.FAILING_BACK, message))
    word = guards.first(guards.ANY_MOVE, turn, "the next step of failback") or _untested(state, target)
    if word is not None:
        return say(turn, word)
    ahead = _arrived(turn, journey) if journey.step >= len(steps) else _next(turn, journey, steps)
    return say(turn, _unknown(target)) if ahead is None else ahead


def _is_broken(turn: Turn, target: Standing) -> bool:
    if target.vote.failing:
        return True
    if not turn.scene.spills:
        return False
    able = spilled(turn.state, turn.scene, grow=False)
    return able is not None and share_of(able, PRIMARY) < share_of(turn.state.shares, PRIMARY)


def _untested(state: FailoverState, target: Standing) -> Word | None:
    if Signal.METRICS not in state.cause or target.name or Signal.METRICS in target.vote.passing:
        return None
    message = f"Metrics have not judged the traffic that {target.shown} has again ({target.vote.evidence})."
    return Word(Reason.WAITING_FOR_SAMPLES, message)


def _next(turn: Turn, journey: Journey, steps: tuple[int, ...]) -> Turn | None:
    """Return the turn at the next step, or None when somebody may not receive what it gives."""
    state, scene = turn.state, turn.scene
    goal = home(state, scene, journey.target)
    shares = mixed(journey.origin, goal or (), steps[journey.step])
    target = scene.standing(journey.target)
    if goal is None or not target.tries or not admits(state, scene, shares):
        return None
    after = replace(journey, goal=goal, step=journey.step + 1, at=turn.now)
    message = f"Step {after.step} of {len(steps)} of failback to {target.shown}: {as_text(scene, shares)}."
    word = Word(Reason.FAILING_BACK, message)
    return move(turn, replace(state, shares=shares, journey=after), Trigger.NEXT_STEP, word)


def _arrived(turn: Turn, journey: Journey) -> Turn | None:
    """Return the turn at the end of the way, or None when somebody may not receive what that gives."""
    state, scene = turn.state, turn.scene
    goal = home(state, scene, journey.target)
    target = scene.standing(journey.target)
    if goal is None or not target.tries or not admits(state, scene, goal):
        return None
    done = f"Failback {state.epoch} to {target.shown} is done: {as_text(scene, goal)}"
    word = Word(Reason.FAILED_BACK, f"{done}{after_time(turn)}.")
    if not journey.target and goal == at_rest(state, scene):
        return move(turn, replace(cleared(state), shares=goal), Trigger.RETURNED, word)
    there = replace(state, active=best_of(goal), shares=goal, journey=None, pressing_since=0.0)
    return move(turn, there, Trigger.PART_WAY, word)


def _broken(turn: Turn, journey: Journey, target: Standing) -> Turn:
    """Return the turn after a bad reading: everything where it came from, at once, and a longer wait."""
    state, scene = turn.state, turn.scene
    word = guards.first(guards.ANY_MOVE, turn, "traffic returns to the backup")
    if word is not None:
        return say(turn, word)
    if not admits(state, scene, journey.origin):
        goal = destination(state, scene)
        because = f"{target.shown} failed at step {journey.step} of failback ({target.vote.evidence})"
        return despair(turn) if goal is None else leave(turn, goal, because)
    growth = scene.settings.failback.hold_growth
    wait = wait_seconds(state, scene.settings)
    grown = max(wait, min(growth.max, max(wait, _LEAST_WAIT) * growth.factor))
    after = replace(relieved(turn).state, shares=journey.origin, journey=None, wait_seconds=grown, well=())
    message = (
        f"{target.shown} failed at step {journey.step} of failback ({target.vote.evidence}); "
        f"now {as_text(scene, journey.origin)}, and {grown:.0f} s of health are needed before the next."
    )
    return move(turn, after, Trigger.BREAK, Word(Reason.FAILBACK_BROKE, message))
