"""Phases and the transition table: which phase follows which, and which command is legal where.

The table is data. ``move`` in ``rollout.engine.moves`` looks a transition up here and nowhere
else, the tests walk it, and the diagram in the documentation is drawn from it.
"""

from __future__ import annotations

from enum import StrEnum


class Phase(StrEnum):
    """Where a Rollout stands."""

    IDLE = "Idle"
    PROGRESSING = "Progressing"
    PAUSED = "Paused"
    PROMOTING = "Promoting"
    ABORTING = "Aborting"
    ABORTED = "Aborted"
    INVALID = "Invalid"


class Trigger(StrEnum):
    """What makes a Rollout change its phase, step or roles."""

    START = "start"
    RESTART = "newer revision"
    NEXT_STEP = "step done"
    STEPS_EDITED = "steps edited"
    PAUSE = "pause"
    RESUME = "resume"
    FINISH = "last step done"
    UNDO = "undo"
    COPY = "copying begins"
    GIVE_BACK = "weight given back"
    TAKE_AGAIN = "stable lost"
    STUCK = "copying stuck"
    RESUME_PROMOTION = "resume copying"
    PROMOTED = "promoted"
    ABORT = "abort"
    ABORTED = "weights are back"
    GIVE_UP = "given up"
    ADOPT = "adopt"
    INVALIDATE = "became invalid"
    VALIDATE = "became valid"


class Action(StrEnum):
    """The commands."""

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    PROMOTE = "promote"
    SKIP = "skip"
    APPROVE = "approve"
    ABORT = "abort"
    RETRY = "retry"
    UNDO = "undo"
    ADOPT = "adopt"
    FAILOVER = "failover"
    FAILBACK = "failback"
    UNLATCH = "unlatch"
    HOLD = "hold"
    DRILL = "drill"


RUNNING = (Phase.PROGRESSING, Phase.PAUSED, Phase.PROMOTING)
"""The phases of an attempt that can still be aborted."""

_TABLE: tuple[tuple[Trigger, tuple[Phase, ...], Phase], ...] = (
    (Trigger.START, (Phase.IDLE, Phase.ABORTED), Phase.PROGRESSING),
    (Trigger.RESTART, (Phase.PROGRESSING, Phase.PAUSED, Phase.PROMOTING), Phase.PROGRESSING),
    (Trigger.NEXT_STEP, (Phase.PROGRESSING, Phase.PAUSED), Phase.PROGRESSING),
    (Trigger.STEPS_EDITED, (Phase.PROGRESSING,), Phase.PROGRESSING),
    (Trigger.STEPS_EDITED, (Phase.PAUSED,), Phase.PAUSED),
    (Trigger.PAUSE, (Phase.PROGRESSING, Phase.IDLE, Phase.ABORTED), Phase.PAUSED),
    (Trigger.RESUME, (Phase.PAUSED,), Phase.PROGRESSING),
    (Trigger.FINISH, (Phase.PROGRESSING, Phase.PAUSED), Phase.PROMOTING),
    (Trigger.UNDO, (Phase.IDLE,), Phase.PROMOTING),
    (Trigger.COPY, (Phase.PROMOTING,), Phase.PROMOTING),
    (Trigger.GIVE_BACK, (Phase.PROMOTING,), Phase.PROMOTING),
    (Trigger.TAKE_AGAIN, (Phase.PROMOTING,), Phase.PROMOTING),
    (Trigger.STUCK, (Phase.PROMOTING,), Phase.PAUSED),
    (Trigger.RESUME_PROMOTION, (Phase.PAUSED,), Phase.PROMOTING),
    (Trigger.PROMOTED, (Phase.PROMOTING,), Phase.IDLE),
    (Trigger.ABORT, (Phase.PROGRESSING, Phase.PAUSED, Phase.PROMOTING, Phase.INVALID), Phase.ABORTING),
    (Trigger.ABORTED, (Phase.ABORTING,), Phase.ABORTED),
    (Trigger.GIVE_UP, (Phase.ABORTING,), Phase.ABORTED),
    (Trigger.ADOPT, (Phase.PAUSED, Phase.IDLE), Phase.IDLE),
    (
        Trigger.INVALIDATE,
        (Phase.IDLE, Phase.PROGRESSING, Phase.PAUSED, Phase.PROMOTING, Phase.ABORTED),
        Phase.INVALID,
    ),
)

TRANSITIONS: dict[tuple[Phase, Trigger], Phase] = {
    (source, trigger): target for trigger, sources, target in _TABLE for source in sources
}
"""(phase, trigger) -> next phase. ``VALIDATE`` leaves Invalid for the phase it was entered from."""

LEGAL: dict[Action, tuple[Phase, ...]] = {
    Action.START: (Phase.IDLE, Phase.PROGRESSING, Phase.PAUSED, Phase.PROMOTING, Phase.ABORTED),
    Action.PAUSE: (Phase.PROGRESSING,),
    Action.RESUME: (Phase.PAUSED,),
    Action.PROMOTE: (Phase.PROGRESSING, Phase.PAUSED),
    Action.SKIP: (Phase.PROGRESSING, Phase.PAUSED),
    Action.APPROVE: (Phase.PROGRESSING, Phase.PAUSED),
    Action.ABORT: (Phase.PROGRESSING, Phase.PAUSED, Phase.PROMOTING, Phase.INVALID),
    Action.RETRY: (Phase.ABORTED,),
    Action.UNDO: (Phase.IDLE,),
    Action.ADOPT: (Phase.PAUSED,),
    Action.FAILOVER: (),
    Action.FAILBACK: (),
    Action.UNLATCH: (),
    Action.HOLD: (),
    Action.DRILL: (),
}
"""In which phases a command is legal; guards in ``rollout.engine.commands`` may still refuse it.

Those of failover are legal in every phase, by the table of failover (``rollout.failover.table``)."""


def target(phase: Phase, trigger: Trigger, *, before_invalid: Phase | None = None) -> Phase:
    """Return the phase that follows, by the table.

    Raises:
        KeyError: the table has no such transition (a fault of the caller, never of the input).
    """
    if trigger is Trigger.VALIDATE and phase is Phase.INVALID and before_invalid is not None:
        return before_invalid
    return TRANSITIONS[phase, trigger]


def diagram() -> str:
    """Return the table as a Mermaid state diagram, the one in the documentation."""
    lines = ["stateDiagram-v2", "    [*] --> Idle"]
    lines += [f"    {source} --> {to}: {trigger.value}" for (source, trigger), to in TRANSITIONS.items()]
    lines.append("    Invalid --> Idle: became valid (returns to the phase before)")
    return "\n".join(lines) + "\n"
