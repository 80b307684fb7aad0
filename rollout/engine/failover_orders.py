"""Commands of failover: handed on to it, and answered as it answers. Called by ``rollout.engine.commands``."""

from __future__ import annotations

from rollout.engine import tiers
from rollout.engine.moves import Context
from rollout.engine.observation import Command
from rollout.engine.reasons import Refusal
from rollout.engine.refusals import UNSEEN_SECONDS, Refused, TooSoon, by
from rollout.engine.state import State
from rollout.failover.reasons import Refusal as NotNow
from rollout.failover.seen import Order
from rollout.failover.table import Action

_UNSEEN = (NotNow.BACKUP_NOT_HEALTHY, NotNow.PRIMARY_NOT_HEALTHY)


def of_failover(state: State, context: Context, command: Command) -> State:
    """Return the state after the command, by the table of failover.

    Raises:
        Refused: the Rollout has no failover, or failover refuses it.
        TooSoon: nobody has looked at the backends for long enough, or at all.
    """
    if state.tiers is None:
        raise Refused(Refusal.NO_FAILOVER, f"{command.action} needs spec.failover, which is not there")
    to, epoch = command.args.get("to"), command.args.get("epoch")
    order = Order(
        action=Action(command.action),
        to=to if isinstance(to, str) else "",
        epoch=epoch if isinstance(epoch, int) else None,
        by=by(command).removeprefix(" by "),
    )
    settled = tiers.settle(state, context, order)
    answer = settled.answer
    if answer is None or (answer.reason in _UNSEEN and _has_just_begun(context)):
        raise TooSoon
    if not answer.done:
        raise Refused(answer.reason, answer.message)
    return settled.state


def _has_just_begun(context: Context) -> bool:
    """Return whether health may be unknown only since nobody has looked for long, as after a restart."""
    return context.now - context.seen.session_started_at < UNSEEN_SECONDS
