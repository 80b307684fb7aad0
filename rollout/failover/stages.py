"""The stages: what each does in a pass. One step at a time; ``decide`` repeats it until nothing more follows."""

from __future__ import annotations

from dataclasses import replace

from rollout.failover import drill, failback, guards
from rollout.failover.leaving import as_text, gathered, relieved, under_pressure
from rollout.failover.plan import admits, at_rest, preferred, pressure
from rollout.failover.reasons import Reason, Word
from rollout.failover.seen import BLIND_SECONDS
from rollout.failover.shares import mixed
from rollout.failover.state import FailoverState, Journey
from rollout.failover.table import Stage, Trigger
from rollout.failover.turn import Turn, keep, move, say


def advance(turn: Turn) -> Turn:
    """Return the turn after one step of its stage."""
    state = turn.state
    if state.stage is Stage.LATCHED and state.held:
        message = f"Held: {as_text(turn.scene, state.shares)}, until unlatch."
        return say(turn, Word(Reason.HELD, message))
    if state.spread:
        return gathered(turn)
    if state.stage is Stage.NORMAL:
        return _normal(turn)
    if state.stage is Stage.CONFIRMING:
        return _confirming(turn)
    if state.drilling is not None:
        return drill.drilling(turn, state.drilling)
    if state.journey is not None and state.journey.back:
        return failback.going_back(turn, state.journey)
    return _away(turn)


def _normal(turn: Turn) -> Turn:
    found = pressure(turn.state, turn.scene)
    if found is not None:
        return move(turn, replace(turn.state, pressing_since=turn.now, well=()), Trigger.SUSPECT, found.word)
    if drill.is_due(turn):
        return drill.by_calendar(turn)
    turn = failback.with_health(turn, _awaited(turn))
    return _standby(turn) or say(turn, _watching(turn))


def _awaited(turn: Turn) -> tuple[str, ...]:
    """Return the first backup while it waits for its standby weight."""
    wanted = turn.scene.settings.standby_weight and not turn.state.standby
    return tuple(backup.name for backup in turn.scene.backups[:1]) if wanted else ()


def _watching(turn: Turn) -> Word:
    primary = turn.scene.primary
    if primary.is_unknown:
        message = f"Nobody can tell whether {primary.shown} is up ({primary.vote.evidence}); nothing moves."
        just_begun = turn.now < turn.scene.seen.session_started_at + BLIND_SECONDS
        return Word(Reason.BLIND, message, loud=not just_begun)
    return Word(Reason.WATCHING, f"{primary.shown} is up: {primary.vote.evidence}.")


def _standby(turn: Turn) -> Turn | None:
    """Return the turn in which the standby weight is given or taken, or None when it is as it should be."""
    state, scene = turn.state, turn.scene
    stands = _stands_by(turn)
    rest = at_rest(replace(state, standby=stands), scene)
    if rest == state.shares or not admits(state, scene, rest) or guards.first(guards.ANY_MOVE, turn, "") is not None:
        return None
    given = bool(rest)
    reason = Reason.STANDBY_GIVEN if given else Reason.STANDBY_TAKEN
    message = f"The idle backup {'is healthy and stands by' if given else 'has no weight'}: {as_text(scene, rest)}."
    after = replace(state, standby=stands, shares=rest, well=())
    return move(turn, after, Trigger.STANDBY, Word(reason, message))


def _stands_by(turn: Turn) -> bool:
    state, scene = turn.state, turn.scene
    if not scene.backups or not scene.settings.standby_weight:
        return False
    backup = scene.backups[0]
    if state.standby:
        return not backup.vote.failing
    started = scene.seen.session_started_at
    return any(
        well.name == backup.name
        and well.at(turn.now, started) >= scene.settings.failback.stable_for - failback.ROUNDING_SECONDS
        for well in state.well
    )


def _confirming(turn: Turn) -> Turn:
    state, scene = turn.state, turn.scene
    found = pressure(state, scene)
    if found is not None:
        return under_pressure(turn, found)
    rest = at_rest(state, scene)
    word = guards.first(guards.ANY_MOVE, turn, "the traffic goes back") if rest != state.shares else None
    if word is not None or not admits(state, scene, rest):
        message = f"{scene.primary.shown} is not known to be healthy ({scene.primary.vote.evidence})."
        return say(turn, word or Word(Reason.WAITING_FOR_HEALTH, message))
    why = Reason.BLIND if scene.primary.is_unknown else Reason.PRIMARY_UP
    message = f"{scene.primary.shown} is not down any more ({scene.primary.vote.evidence})."
    return move(turn, replace(relieved(turn).state, shares=rest), Trigger.CALM, Word(why, message))


def _away(turn: Turn) -> Turn:
    """Return the turn on a backup, latched or not."""
    turn = failback.with_health(turn, preferred(turn.state, turn.scene))
    found = pressure(turn.state, turn.scene)
    if found is not None:
        return under_pressure(turn, found)
    turn = relieved(turn)
    if turn.state.journey is not None:
        return _ramp(turn, turn.state.journey)
    if turn.state.stage is Stage.LATCHED:
        return say(turn, _latched(turn.state, turn))
    return failback.consider(turn)


def _latched(state: FailoverState, turn: Turn) -> Word:
    return Word(Reason.LATCHED, f"Latched after failover {state.epoch}: {as_text(turn.scene, state.shares)}.")


def _ramp(turn: Turn, journey: Journey) -> Turn:
    """Return the turn in which a cold backup gets its next part, when that is due."""
    state, scene = turn.state, turn.scene
    parts, shares = scene.settings.ramp_up, journey.goal
    done = journey.step >= len(parts)
    if not done:
        shares = mixed(journey.origin, journey.goal, parts[journey.step])
    if turn.now < journey.at + scene.settings.failback.step_interval and not (done and shares == state.shares):
        return say(turn, Word(Reason.RAMPING, f"Ramping up: {as_text(scene, state.shares)}."))
    word = guards.first(guards.ANY_MOVE, turn, as_text(scene, shares))
    if word is None and not admits(state, scene, shares):
        word = Word(
            Reason.WAITING_FOR_HEALTH, f"The backup is not known to be healthy: {as_text(scene, state.shares)}."
        )
    if word is not None:
        return say(turn, word)
    if shares == state.shares:
        return keep(turn, replace(state, journey=None))
    after = replace(state, shares=shares, journey=replace(journey, step=journey.step + 1, at=turn.now))
    return move(turn, after, Trigger.RAMP, Word(Reason.RAMPING, f"Ramping up: {as_text(scene, shares)}."))
