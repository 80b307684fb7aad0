"""Leaving: how pressure becomes a move to somebody who may receive, or why it does not."""

from __future__ import annotations

from dataclasses import replace

from rollout.failover import guards
from rollout.failover.plan import Pressure, best_of, destination, spilled
from rollout.failover.reasons import Reason, Word
from rollout.failover.scene import Scene
from rollout.failover.shares import ALL, PRIMARY, Shares, mixed, share_of, spread
from rollout.failover.state import MOST_FAILOVERS, FailoverState, Journey
from rollout.failover.table import Stage, Trigger
from rollout.failover.turn import Turn, keep, move, say
from rollout.spec.failover import AllUnhealthy, FailoverMode
from rollout.spec.quantities import format_duration


def under_pressure(turn: Turn, found: Pressure) -> Turn:
    """Return the turn in which the pressure is waited out, and then followed."""
    if not turn.state.pressing_since:
        turn = keep(turn, replace(turn.state, pressing_since=turn.now))
    if turn.now < pressed_until(turn.state, found):
        return say(turn, found.word)
    goal = destination(turn.state, turn.scene)
    if goal is None:
        return despair(turn)
    word = guards.first(guards.FAILOVER, turn, as_text(turn.scene, goal))
    if word is not None:
        return say(turn, word)
    if turn.scene.settings.mode is FailoverMode.PROPOSE and not turn.state.approved:
        return _propose(turn, goal)
    return leave(turn, goal, why(turn.scene, found))


def pressed_until(state: FailoverState, found: Pressure) -> float:
    """Return the Unix time at which the pressure has lasted long enough."""
    return max(state.pressing_since, found.since) + found.seconds


def relieved(turn: Turn) -> Turn:
    """Return the turn in which nothing presses any more, and nothing is proposed for it."""
    return keep(turn, replace(turn.state, pressing_since=0.0, proposed=False, approved=False))


def as_text(scene: Scene, shares: Shares) -> str:
    """Return shares for people: ``checkout-v1 10 %, checkout-dr 90 %``."""
    pairs = [(scene.primary.shown, share_of(shares, PRIMARY)), *shares]
    return ", ".join(f"{name} {percent} %" for name, percent in pairs if percent)


def _propose(turn: Turn, goal: Shares) -> Turn:
    state = turn.state
    if not state.proposed:
        told = tuple(reason for reason in state.told if reason != Reason.PROPOSED)
        turn = keep(turn, replace(state, proposed=True, epoch=state.epoch + 1, told=told))
    number = turn.state.epoch
    message = f"Failover {number} is proposed ({as_text(turn.scene, goal)}); approve {number} makes it."
    return say(turn, Word(Reason.PROPOSED, message, loud=True))


def leave(turn: Turn, goal: Shares, because: str) -> Turn:
    """Return the turn after an automatic move to ``goal``; ``because`` is one clause."""
    state = turn.state
    if state.stage is Stage.LATCHED:
        shifted = replace(cleared(state), shares=goal, active=best_of(goal), cause=state.cause)
        trigger = Trigger.SHIFT if goal else Trigger.RESCUE
        return move(turn, shifted, trigger, Word(Reason.SHIFTED, f"Still latched: {because}; {_now(turn, goal)}."))
    if not goal:
        said = f"{because}; {_now(turn, goal)}{after_time(turn)}."
        return move(turn, cleared(state), Trigger.RESCUE, Word(Reason.RESCUED, said))
    shrinks = share_of(goal, PRIMARY) < share_of(state.shares, PRIMARY)
    if state.stage is Stage.FAILED_OVER and turn.scene.spills and shrinks:
        shifted = replace(relieved(turn).state, shares=goal, active=best_of(goal), journey=None)
        return move(turn, shifted, Trigger.SHIFT, Word(Reason.SHIFTED, f"{because}; {_now(turn, goal)}."))
    return fail_over(turn, goal, because)


def why(scene: Scene, found: Pressure) -> str:
    """Return the pressure as a clause for people."""
    tier = scene.standing(found.tier)
    return f"{tier.shown} is {'down' if tier.is_down else 'partly down'} ({tier.vote.evidence})"


def _now(turn: Turn, goal: Shares) -> str:
    return f"now {as_text(turn.scene, goal)}"


def after_time(turn: Turn) -> str:
    """Return for how long the traffic was away, as a clause; empty when nobody knows."""
    left_at = turn.state.left_at
    return f", after {format_duration(max(1, round(turn.now - left_at)))} away" if left_at else ""


def cleared(state: FailoverState) -> FailoverState:
    """Return the state with all traffic at tier 0, and nothing left of the failover but its number and count."""
    return replace(
        state,
        active=PRIMARY,
        shares=(),
        proposed=False,
        approved=False,
        ordered=False,
        spread=False,
        cause=(),
        pressing_since=0.0,
        left_at=0.0,
        wait_seconds=0.0,
        well=(),
        journey=None,
        drilling=None,
    )


def fail_over(turn: Turn, goal: Shares, because: str, *, ordered: bool = False) -> Turn:
    """Return the turn after a failover to ``goal``; one that no person ``ordered`` is counted."""
    state, scene = turn.state, turn.scene
    number = state.epoch if state.approved else state.epoch + 1
    planned = scene.primary.resting and not state.active
    failovers = recent(state, scene)
    if not (ordered or planned):
        failovers = (*failovers, turn.now)[-MOST_FAILOVERS:]
    latches = not (ordered or planned) and len(failovers) >= min(scene.settings.damping.max_failovers, MOST_FAILOVERS)
    journey, shares = _first_part(turn, goal)
    cause = state.cause if state.active else scene.primary.vote.failing
    after = replace(
        cleared(state),
        active=best_of(goal),
        shares=shares,
        epoch=number,
        ordered=ordered or state.ordered,
        cause=cause,
        failovers=failovers,
        journey=journey,
        left_at=(state.active and state.left_at) or turn.now,
    )
    said = f"Failover {number}: {because}; {_now(turn, shares)}"
    if latches:
        said = f"{said}, until unlatch, being number {len(failovers)} within {scene.settings.damping.per:.0f} s"
        return move(turn, after, Trigger.LATCH, Word(Reason.LATCHED, f"{said}."))
    reason = Reason.MAINTENANCE if planned else Reason.FAILED_OVER
    return move(turn, after, Trigger.FAIL_OVER, Word(reason, f"{said}."))


def recent(state: FailoverState, scene: Scene) -> tuple[float, ...]:
    """Return when automatic failovers were made that still count."""
    return tuple(at for at in state.failovers if at > scene.now - scene.settings.damping.per)


def _first_part(turn: Turn, goal: Shares) -> tuple[Journey | None, Shares]:
    """Return the way to a cold backup and the first shares on it, or no way and ``goal``."""
    parts, has = turn.scene.settings.ramp_up, turn.state.shares
    if not parts or share_of(has, best_of(goal)):
        return None, goal
    return Journey(origin=has, goal=goal, step=1, at=turn.now), mixed(has, goal, parts[0])


def despair(turn: Turn) -> Turn:
    """Return the turn where what carries is down and nobody may receive: ``allUnhealthy``, if all are down."""
    scene, state = turn.scene, turn.state
    silent = scene.settings.mode is not FailoverMode.AUTO or scene.seen.stopped
    wanted = AllUnhealthy.HOLD if silent or not scene.all_down else scene.settings.all_unhealthy
    told = "; ".join(f"{tier.shown}: {tier.vote.evidence}" for tier in scene.tiers)
    if wanted is AllUnhealthy.PREFER_PRIMARY and share_of(state.shares, PRIMARY) < ALL:
        word = Word(Reason.ALL_UNHEALTHY, f"All are down, so the primary has everything ({told}).")
        return move(turn, cleared(state), Trigger.RESCUE, word)
    cooling = guards.cooling_always(turn, "all have equal shares") if wanted is AllUnhealthy.SPREAD else None
    if cooling is not None:
        return say(turn, cooling)
    if wanted is AllUnhealthy.SPREAD:
        equal = spread([tier.name for tier in scene.backups])
        word = Word(Reason.ALL_UNHEALTHY, f"All are down, so all have equal shares ({told}).")
        return move(turn, replace(state, shares=equal, spread=True, journey=None), Trigger.DESPAIR, word)
    message = f"What carries traffic fails, and no other backend is known to be healthy; nothing moves ({told})."
    return say(turn, Word(Reason.NO_HEALTHY_BACKUP, message, loud=True))


def gathered(turn: Turn) -> Turn:
    """Return the turn in which shares that were spread go to who is healthy again; nothing while nobody is."""
    state, scene = turn.state, turn.scene
    well = [tier for tier in scene.tiers if tier.receives]
    goal = (
        spilled(state, scene, grow=True) if scene.spills else tuple((tier.name, ALL) for tier in well[:1] if tier.name)
    )
    word = guards.first(guards.ANY_MOVE, turn, "shares go to who is healthy again")
    if not well or goal is None or word is not None:
        return say(turn, word or Word(Reason.ALL_UNHEALTHY, "All were down, so all have equal shares."))
    return leave(keep(turn, replace(state, spread=False)), goal, "not all are down any more")
