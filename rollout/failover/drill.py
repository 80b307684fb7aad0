"""Drills: a part of the traffic goes to the first backup for a while, and the outcome is recorded."""

from __future__ import annotations

from dataclasses import replace

from rollout.failover.leaving import as_text, cleared
from rollout.failover.plan import Pressure, admits, at_rest, pressure
from rollout.failover.reasons import Reason, Word
from rollout.failover.scene import configured
from rollout.failover.seen import BLIND_SECONDS
from rollout.failover.shares import share_of
from rollout.failover.state import Drilled, Drilling, FailoverState, Result
from rollout.failover.table import Stage, Trigger
from rollout.failover.turn import Turn, keep, move, say, tell
from rollout.spec.failover import Drill, FailoverMode

BY_HAND = "by hand"
"""The id of a drill that a person ordered."""


def objection(turn: Turn) -> str:
    """Return why no drill may take place now, in one clause; empty when one may."""
    seen, scene, state = turn.scene.seen, turn.scene, turn.state
    blocked = seen.calendar.blocked_until
    first = scene.backups[0] if scene.backups else None
    objections = (
        (scene.settings.drill is None, "spec.failover.drill is not there"),
        (seen.suspended, "spec.suspend is true"),
        (state.stage is not Stage.NORMAL, f"failover is {state.stage}"),
        (seen.stopped, "all automatic failover is stopped"),
        (scene.settings.mode is FailoverMode.OBSERVE, "the mode is Observe"),
        (seen.attempt, "an attempt is under way"),
        (blocked is not None and turn.now < blocked, "the time is blocked for drills"),
        (not scene.primary.receives, f"{scene.primary.shown} is not known to be healthy"),
        (pressure(state, scene) is not None, f"{scene.primary.shown} is partly down"),
        (first is None or not first.whole, f"{first.shown if first else 'the backup'} is not whole"),
    )
    return next((why for holds, why in objections if holds), "")


NONE_YET = "none yet"


def first_look(turn: Turn) -> Turn:
    """Return the turn that has taken note of the calendar: what was due before it was first looked at is no drill."""
    state, due = turn.state, turn.scene.seen.calendar.drill_due
    if turn.scene.settings.drill is None or state.drill_seen:
        return turn
    return keep(turn, replace(state, drill_seen=due or NONE_YET))


def is_due(turn: Turn) -> bool:
    """Return whether the calendar names a drill that nothing is known of yet."""
    due = turn.scene.seen.calendar.drill_due
    return bool(due) and turn.scene.settings.drill is not None and due != turn.state.drill_seen


def by_calendar(turn: Turn) -> Turn:
    """Return the turn in which the drill that is due began, or is recorded as skipped."""
    due, why = turn.scene.seen.calendar.drill_due, objection(turn)
    noted = replace(turn.state, drill_seen=due)
    if not why:
        return begin(keep(turn, noted), due)
    skipped = replace(noted, drilled=Drilled(due, turn.now, Result.SKIPPED, why))
    return tell(keep(turn, skipped), Word(Reason.DRILL_SKIPPED, f"Drill {due} was skipped: {why}."))


def begin(turn: Turn, id_: str, *, by: str = "") -> Turn:
    """Return the turn with a drill under way; nothing objects to it."""
    settings, backup = turn.scene.settings.drill or Drill(schedule="0 0 1 1 *"), turn.scene.backups[0].name
    percent = max(settings.percent, share_of(turn.state.shares, backup))
    shares = ((backup, percent),)
    after = replace(turn.state, shares=shares, drilling=Drilling(id_, backup, turn.now))
    message = f"Drill {id_} began{by}: {as_text(turn.scene, shares)} for {settings.duration:.0f} s."
    return move(turn, after, Trigger.DRILL, Word(Reason.DRILLING, message))


def drilling(turn: Turn, drill: Drilling) -> Turn:
    """Return the turn in stage Drill."""
    state, scene = turn.state, turn.scene
    lost = pressure(state, scene)
    if lost is not None:
        return _overridden(turn, drill, lost)
    end = _ending(turn, drill)
    if end is None:
        return say(turn, Word(Reason.DRILLING, f"Drill {drill.id}: {as_text(scene, state.shares)}."))
    rest = at_rest(state, scene)
    if scene.settings.mode is FailoverMode.OBSERVE or not admits(state, scene, rest):
        message = f"Drill {drill.id} is over ({end[1]}), but the traffic cannot go back yet."
        return say(turn, Word(Reason.WAITING_FOR_HEALTH, message))
    after = replace(cleared(state), shares=rest, drilled=Drilled(drill.id, turn.now, *end))
    return move(turn, after, Trigger.DRILLED, Word(Reason.DRILL_ENDED, f"Drill {drill.id} {end[0]}: {end[1]}."))


def _overridden(turn: Turn, drill: Drilling, lost: Pressure) -> Turn:
    after = replace(aborted(turn.state, turn.now, "a real failure came"), pressing_since=turn.now)
    message = f"Drill {drill.id} was aborted by a real failure: {lost.word.message}"
    return move(turn, after, Trigger.SUSPECT, Word(lost.word.reason, message))


def aborted(state: FailoverState, now: float, why: str) -> FailoverState:
    """Return the state with the drill that is under way, if one is, recorded as aborted."""
    if state.drilling is None:
        return state
    return replace(state, drilling=None, drilled=Drilled(state.drilling.id, now, Result.ABORTED, why))


def _ending(turn: Turn, drill: Drilling) -> tuple[Result, str] | None:
    """Return how the drill ends now and why, or None while it goes on."""
    scene, backup = turn.scene, turn.scene.standing(drill.backup)
    if backup.vote.failing:
        return Result.ABORTED, f"{backup.shown} failed: {backup.vote.evidence}"
    if scene.seen.stopped:
        return Result.ABORTED, "all automatic failover is stopped"
    if scene.settings.drill is None or backup not in scene.backups:
        return Result.ABORTED, "the spec asks for it no more"
    if turn.now < drill.began_at + scene.settings.drill.duration:
        return None
    just_begun = turn.now < scene.seen.session_started_at + BLIND_SECONDS
    if just_begun and len(backup.vote.passing) < len(configured(scene.settings.signals)):
        return None
    if not backup.receives:
        return Result.FAILED, f"nobody can tell how {backup.shown} did: {backup.vote.evidence}"
    return Result.SUCCEEDED, f"{backup.shown} did well: {backup.vote.evidence}"
