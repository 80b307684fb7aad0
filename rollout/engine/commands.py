"""Commands: what people and programs ask for. An illegal one changes nothing and answers why.

The table says in which phases a command is legal; here stand the few guards beyond it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from rollout.engine import attempt, clusters, copying, drift, tiers
from rollout.engine.adoption import with_roles
from rollout.engine.failover_orders import of_failover
from rollout.engine.moves import Context, move
from rollout.engine.observation import Command
from rollout.engine.reasons import Reason, Refusal
from rollout.engine.refusals import UNSEEN_SECONDS, Refused, TooSoon, by
from rollout.engine.state import MOST_HANDLED, Drift, Handled, Hold, State
from rollout.engine.table import LEGAL, RUNNING, Action, Phase, Trigger
from rollout.spec.resource import PromotionMode, StartMode

OLDEST_SECONDS = 300.0
"""A command older than this is refused, so that an old manifest applied again replays nothing."""

MOST_ANSWER = 320
"""So many characters say why a command was refused; the status keeps the last 20."""

MOST_NUMBER = 10**9

FAILOVER_ACTIONS = (Action.FAILOVER, Action.FAILBACK, Action.UNLATCH, Action.HOLD, Action.DRILL)
_AT_REST = (Action.START, Action.RETRY, Action.UNDO, Action.PROMOTE, Action.SKIP)
_ARGUMENTS: dict[Action, dict[str, type]] = {
    Action.START: {"revision": str},
    Action.PROMOTE: {"full": bool},
    Action.APPROVE: {"step": int, "epoch": int},
    Action.ADOPT: {"stable": str},
    Action.FAILOVER: {"to": str},
    Action.FAILBACK: {"epoch": int},
}


def obey(state: State, context: Context) -> State:
    """Carry out the waiting command, once per id; what became of it is kept in ``state.handled``."""
    command = context.seen.command
    if command is None or is_answered(command, state):
        return state
    try:
        action = _legal(command, state, context)
        do = of_failover if _is_of_failover(action, command) else _DO[action]
        changed = do(state, context, command)
    except TooSoon:
        return state
    except Refused as no:
        why = str(no)[:MOST_ANSWER]
        return _remember(state, Handled(command.id, command.action[:64], done=False, reason=no.reason, message=why))
    said = f"{command.action} was carried out"
    return _remember(changed, Handled(command.id, command.action, done=True, reason=changed.reason, message=said))


def is_answered(command: Command, state: State) -> bool:
    """Return whether it is known what became of the command."""
    return any(done.id == command.id for done in state.handled)


def _remember(state: State, handled: Handled) -> State:
    return replace(state, handled=(*state.handled, handled)[-MOST_HANDLED:])


def _legal(command: Command, state: State, context: Context) -> Action:
    if command.problem:
        raise Refused(Refusal.UNKNOWN, command.problem)
    if command.action not in set(Action):
        raise Refused(Refusal.UNKNOWN, f"{command.action[:64]!r} is not a command; allowed: {', '.join(Action)}")
    action = Action(command.action)
    if context.now - command.at > OLDEST_SECONDS:
        raise Refused(Refusal.EXPIRED, f"{action} is {context.now - command.at:.0f} s old; at most 300 s are allowed")
    if context.spec is not None and context.spec.suspend:
        raise Refused(Refusal.SUSPENDED, f"{action} is refused while spec.suspend is true")
    if not _is_of_failover(action, command):
        _check_phase(action, state)
    if not state.stable and action is not Action.ADOPT:
        raise Refused(Refusal.ROLES_UNKNOWN, f"{action} is refused while the roles are unknown; adopt tells them")
    _check_arguments(action, command)
    return action


def _is_of_failover(action: Action, command: Command) -> bool:
    """Return whether the command is about failover; an approval that names one is."""
    return action in FAILOVER_ACTIONS or (action is Action.APPROVE and "epoch" in command.args)


def _check_phase(action: Action, state: State) -> None:
    if state.phase not in LEGAL[action] or (state.phase is Phase.INVALID and state.before_invalid not in RUNNING):
        phases = " or ".join(LEGAL[action])
        raise Refused(Refusal.ILLEGAL, f"{action} is legal in phase {phases}; the phase is {state.phase}")
    if action in _AT_REST and tiers.is_frozen(state):
        stage = state.failover.stage
        raise Refused(Refusal.FAILED_OVER, f"{action} is refused until failover is Normal; it is {stage}")


def _check_arguments(action: Action, command: Command) -> None:
    allowed = _ARGUMENTS.get(action, {})
    for name, value in command.args.items():
        kind = allowed.get(name)
        if kind is None:
            raise Refused(
                Refusal.BAD_ARGUMENT, f"{action} takes {', '.join(allowed) or 'no argument'}, not {name[:64]!r}"
            )
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise Refused(Refusal.BAD_ARGUMENT, f"{name} of {action} must be {kind.__name__}, not {str(value)[:64]!r}")
        if isinstance(value, int) and not 0 <= value <= MOST_NUMBER:
            raise Refused(Refusal.BAD_ARGUMENT, f"{name} of {action} must be from 0 to {MOST_NUMBER}")


def _start(state: State, context: Context, command: Command) -> State:
    given = command.args.get("revision", _named_revision(state, context))
    if not isinstance(given, str) or not given or len(given) > 253:  # noqa: PLR2004 - as spec.revision
        raise Refused(Refusal.BAD_ARGUMENT, "start needs a revision of 1 to 253 characters")
    if state.phase in RUNNING and given == state.revision and not state.undoing:
        raise Refused(Refusal.AT_WORK, f"attempt {state.attempt} runs revision {given} already")
    if given == state.aborted_revision:
        raise Refused(Refusal.ABORTED_BEFORE, f"revision {given} was aborted; retry starts it again")
    if state.phase in RUNNING and given == state.stable_revision and not state.undoing:
        if "revision" not in command.args:
            told = f"revision {given} of the spec is what stable runs; name it to roll back to it, or abort"
            raise Refused(Refusal.AT_WORK, told)
        why = f"Rolled back: revision {given}, which stable runs, was started{by(command)}."
        return attempt.abort(state, context, reason=Reason.REVISION_WITHDRAWN, message=why, ordered=True)
    _need_steps(context)
    message = f"Attempt {state.attempt + 1} for revision {given} was started{by(command)}."
    return attempt.start(state, context, revision=given, reason=Reason.STARTED, message=message)


def _named_revision(state: State, context: Context) -> str | None:
    """Return which revision is meant where the command names none: the pod template's, or that of the spec."""
    view = context.workload(state.canary)
    if context.spec is not None and context.spec.start is StartMode.ON_WORKLOAD and view is not None:
        return view.template
    return context.spec.revision if context.spec is not None else None


def _need_steps(context: Context) -> None:
    if not context.steps:
        raise Refused(Refusal.NO_STEPS, "the Rollout has no steps")


def _pause(state: State, context: Context, command: Command) -> State:
    paused = replace(state, hold=Hold(state.hold.at(context.now)))
    return move(paused, context, Trigger.PAUSE, Reason.PAUSED, f"Paused{by(command)}; resume goes on.")


def _resume(state: State, context: Context, command: Command) -> State:
    if state.copying_at:
        return copying.resumed(drift.take_over(state, context), context, by(command))
    return move(drift.take_over(state, context), context, Trigger.RESUME, Reason.RESUMED, f"Resumed{by(command)}.")


def _need_ready(state: State, context: Context, command: Command, who: str) -> None:
    """Refuse where the canary is not ready; where nobody has looked yet, let the command wait for that."""
    if context.is_ready(state.canary):
        return
    if not context.endpoints(state.canary).known and context.now - command.at < UNSEEN_SECONDS:
        raise TooSoon
    raise Refused(Refusal.NOT_READY, f"{who} has no ready endpoint known")


def _promote(state: State, context: Context, command: Command) -> State:
    _need_ready(state, context, command, state.canary)
    if state.copying_at:
        return _resume(state, context, command)
    clusters.need(state, context, command)
    ready = attempt.edited(drift.take_over(state, context), context)
    if command.args.get("full"):
        return attempt.finish(ready, context, reason=Reason.PROMOTED_BY_COMMAND, why=f"Promoted fully{by(command)}.")
    return attempt.next_step(ready, context, reason=Reason.PROMOTED_BY_COMMAND, why=f"Moved on{by(command)}.")


def _skip(state: State, context: Context, _command: Command) -> State:
    state = attempt.edited(state, context)
    if not state.step:
        raise Refused(Refusal.NO_STEPS, "no step has begun, so there is no hold time to skip")
    return replace(state, hold_over=True)


def _approve(state: State, context: Context, command: Command) -> State:
    state = attempt.edited(state, context)
    step = command.args.get("step", state.step)
    needed = 0 < state.step <= len(context.steps) and context.steps[state.step - 1].approval
    if step != state.step or not needed:
        where = "which needs an approval" if needed else "which needs none"
        raise Refused(Refusal.BAD_ARGUMENT, f"step {step} cannot be approved: the step is {state.step}, {where}")
    return replace(state, approved_step=state.step)


def _abort(state: State, context: Context, command: Command) -> State:
    if state.copying_at and context.is_down(state.stable):
        carries = f"{state.stable} has no ready endpoint and {state.canary} carries all weight"
        raise Refused(Refusal.STABLE_DOWN, f"{carries}; abort is possible once {state.stable} has one")
    message = f"Rolled back: aborted{by(command)}."
    return attempt.abort(state, context, reason=Reason.ABORTED, message=message, ordered=True)


def _retry(state: State, context: Context, command: Command) -> State:
    _need_steps(context)
    by_template = context.spec is not None and context.spec.start is StartMode.ON_WORKLOAD
    revision = (_named_revision(state, context) if by_template else None) or state.revision
    message = f"Attempt {state.attempt + 1} tries revision {revision} again{by(command)}."
    return attempt.start(state, context, revision=revision, reason=Reason.RETRIED, message=message)


def _undo(state: State, context: Context, command: Command) -> State:
    if state.previous_revision is None:
        raise Refused(Refusal.NOTHING_TO_UNDO, _nothing_to_undo(state, context))
    _need_ready(state, context, command, f"{state.canary}, the previous stable,")
    return attempt.undo(state, context)


def _nothing_to_undo(state: State, context: Context) -> str:
    copies = context.spec is not None and context.spec.promotion.mode is PromotionMode.COPY_TEMPLATE
    if not state.attempt or not copies:
        return "there is no promotion to undo"
    return "after CopyTemplate there is no previous stable to go back to; start an attempt with the revision before"


def _adopt(state: State, context: Context, command: Command) -> State:
    backends = context.spec.backends if context.spec is not None else None
    pair = backends.names if backends is not None else ("", "")
    stable = command.args.get("stable")
    if state.stable:
        raise Refused(Refusal.ILLEGAL, f"the roles are known: {state.stable} is stable")
    if not stable or stable not in pair:
        raise Refused(Refusal.BAD_ARGUMENT, f"stable must be one of {', '.join(filter(None, pair))}")
    told = replace(with_roles(state, pair, str(stable)), share=0.0, drift=Drift())
    return move(told, context, Trigger.ADOPT, Reason.ADOPTED, f"{stable} is stable{by(command)}.")


_DO: dict[Action, Callable[[State, Context, Command], State]] = {
    Action.START: _start,
    Action.PAUSE: _pause,
    Action.RESUME: _resume,
    Action.PROMOTE: _promote,
    Action.SKIP: _skip,
    Action.APPROVE: _approve,
    Action.ABORT: _abort,
    Action.RETRY: _retry,
    Action.UNDO: _undo,
    Action.ADOPT: _adopt,
}
