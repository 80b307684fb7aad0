"""Commands of people: they are carried out at once or refused with why; a refused one changes nothing.

No command gives traffic to a backend that is not known to be healthy. One that is about a failover
names its number, so that an old one cannot do anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from rollout.failover import drill, failback
from rollout.failover.leaving import as_text, fail_over
from rollout.failover.reasons import Reason, Refusal, Word
from rollout.failover.seen import Order
from rollout.failover.shares import ALL, PRIMARY
from rollout.failover.table import LEGAL, Action, Stage, Trigger
from rollout.failover.turn import Turn, keep, move
from rollout.spec.failover import FailoverMode


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a command: done, or refused with why."""

    done: bool
    reason: str
    message: str


class _Refused(Exception):
    def __init__(self, reason: Refusal, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def obey(turn: Turn) -> tuple[Turn, Answer | None]:
    """Carry out the command that waits, if one does, and say what became of it."""
    order = turn.scene.seen.order
    if order is None:
        return turn, None
    try:
        _check(turn, order)
        after = _DO[order.action](turn, order)
    except _Refused as no:
        return turn, Answer(done=False, reason=no.reason, message=str(no))
    return after, Answer(done=True, reason=after.state.reason, message=f"{order.action} was carried out")


def _check(turn: Turn, order: Order) -> None:
    stage = turn.state.stage
    if turn.scene.seen.suspended:
        raise _Refused(Refusal.SUSPENDED, f"{order.action} is refused while spec.suspend is true")
    if stage not in LEGAL[order.action]:
        stages = " or ".join(LEGAL[order.action])
        raise _Refused(Refusal.ILLEGAL, f"{order.action} is legal when failover is {stages}; it is {stage}")
    silent = {Action.HOLD, Action.UNLATCH}
    if turn.scene.settings.mode is FailoverMode.OBSERVE and order.action not in silent:
        raise _Refused(Refusal.OBSERVING, f"{order.action} is refused while spec.failover.mode is Observe")


def _number(turn: Turn, order: Order) -> None:
    if order.epoch != turn.state.epoch:
        given = "no number" if order.epoch is None else f"number {order.epoch}"
        raise _Refused(Refusal.OLD_NUMBER, f"{order.action} names {given}; the present failover is {turn.state.epoch}")


def _by(order: Order) -> str:
    return f" by {order.by}"[:256] if order.by else ""


def _failover(turn: Turn, order: Order) -> Turn:
    scene, names = turn.scene, [backup.name for backup in turn.scene.backups]
    if order.to and order.to not in names:
        allowed = ", ".join(names) or "none"
        raise _Refused(Refusal.NO_SUCH_BACKUP, f"{order.to[:64]!r} is not a backup; allowed: {allowed}")
    returns = turn.state.stage is Stage.FAILING_BACK
    others = [backup for backup in scene.backups if returns or backup.name != turn.state.active]
    wanted = [scene.standing(order.to)] if order.to else others
    able = [backup for backup in wanted if backup.receives]
    if not able:
        told = "; ".join(f"{backup.name}: {backup.vote.evidence}" for backup in wanted) or "there is no other"
        raise _Refused(Refusal.BACKUP_NOT_HEALTHY, f"no backup is known to be healthy ({told})")
    state = drill.aborted(turn.state, turn.now, "a failover was ordered")
    state = replace(state, approved=False, held=False)
    return fail_over(keep(turn, state), ((able[0].name, ALL),), f"ordered{_by(order)}", ordered=True)


def _failback(turn: Turn, order: Order) -> Turn:
    _number(turn, order)
    scene = turn.scene
    if not turn.state.active:
        raise _Refused(Refusal.ILLEGAL, f"{scene.primary.shown} carries the traffic already")
    after = failback.begin(turn, PRIMARY, by=_by(order) or " as ordered")
    if after.state.stage is not Stage.FAILING_BACK:
        message = f"{scene.primary.shown} is not known to be healthy ({scene.primary.vote.evidence})"
        raise _Refused(Refusal.PRIMARY_NOT_HEALTHY, message)
    return after


def _approve(turn: Turn, order: Order) -> Turn:
    if not turn.state.proposed:
        raise _Refused(Refusal.NOTHING_PROPOSED, "no failover waits for an approval")
    _number(turn, order)
    return keep(turn, replace(turn.state, approved=True))


def _unlatch(turn: Turn, order: Order) -> Turn:
    state = turn.state
    trigger = Trigger.UNLATCH if state.active else Trigger.UNLATCH_AT_HOME
    journey = state.journey
    if journey is not None and journey.back:
        trigger, journey = Trigger.UNLATCH_ON_THE_WAY, replace(journey, at=turn.now)
    free = replace(state, held=False, failovers=(), wait_seconds=0.0, pressing_since=0.0, journey=journey)
    message = f"Unlatched{_by(order)}: {as_text(turn.scene, state.shares)}."
    return move(turn, free, trigger, Word(Reason.UNLATCHED, message))


def _hold(turn: Turn, order: Order) -> Turn:
    state = turn.state
    if state.held:
        raise _Refused(Refusal.ILLEGAL, "it is held already; unlatch ends that")
    held = replace(drill.aborted(state, turn.now, "hold was ordered"), held=True, proposed=False, approved=False)
    message = f"Held{_by(order)}: {as_text(turn.scene, state.shares)}, until unlatch."
    return move(turn, held, Trigger.HOLD, Word(Reason.HELD, message))


def _drill(turn: Turn, order: Order) -> Turn:
    why = drill.objection(turn)
    if why:
        raise _Refused(Refusal.NO_DRILL, f"no drill now: {why}")
    return drill.begin(turn, drill.BY_HAND, by=_by(order))


_DO: dict[Action, Callable[[Turn, Order], Turn]] = {
    Action.FAILOVER: _failover,
    Action.FAILBACK: _failback,
    Action.APPROVE: _approve,
    Action.UNLATCH: _unlatch,
    Action.HOLD: _hold,
    Action.DRILL: _drill,
}
