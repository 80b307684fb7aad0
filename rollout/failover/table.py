"""The stages of failover and the transition table, as data.

``move`` in ``rollout.failover.turn`` looks a transition up here and nowhere else, the tests walk the
table, and the diagram in the documentation is drawn from it.
"""

from __future__ import annotations

from enum import StrEnum


class Stage(StrEnum):
    """Where failover stands."""

    NORMAL = "Normal"
    CONFIRMING = "Confirming"
    FAILED_OVER = "FailedOver"
    FAILING_BACK = "FailingBack"
    LATCHED = "Latched"
    DRILL = "Drill"


class Trigger(StrEnum):
    """What makes failover change its stage or its shares."""

    SUSPECT = "primary down"
    CALM = "primary not down"
    FAIL_OVER = "backup takes over"
    LATCH = "too many failovers"
    RAMP = "next share of a cold backup"
    SHIFT = "backups share anew"
    RESCUE = "backup down, primary up"
    DESPAIR = "all down"
    FAIL_BACK = "safely up"
    NEXT_STEP = "step held"
    BREAK = "not safely up"
    RETURNED = "back at the primary"
    PART_WAY = "back at a preferred backup"
    STANDBY = "standby weight"
    DRILL = "drill"
    DRILLED = "drill over"
    HOLD = "hold"
    UNLATCH = "unlatch"
    UNLATCH_AT_HOME = "unlatch at the primary"
    UNLATCH_ON_THE_WAY = "unlatch on the way back"


class Action(StrEnum):
    """The commands."""

    FAILOVER = "failover"
    FAILBACK = "failback"
    APPROVE = "approve"
    UNLATCH = "unlatch"
    HOLD = "hold"
    DRILL = "drill"


_NORMAL, _CONFIRMING, _OVER, _BACK, _LATCHED, _DRILL = Stage

_TABLE: tuple[tuple[Trigger, tuple[Stage, ...], Stage], ...] = (
    (Trigger.SUSPECT, (_NORMAL, _DRILL), _CONFIRMING),
    (Trigger.CALM, (_CONFIRMING,), _NORMAL),
    (Trigger.FAIL_OVER, tuple(Stage), _OVER),
    (Trigger.LATCH, (_NORMAL, _CONFIRMING, _OVER, _BACK), _LATCHED),
    (Trigger.RAMP, (_OVER,), _OVER),
    (Trigger.RAMP, (_LATCHED,), _LATCHED),
    (Trigger.SHIFT, (_OVER,), _OVER),
    (Trigger.SHIFT, (_LATCHED,), _LATCHED),
    (Trigger.RESCUE, (_NORMAL, _CONFIRMING, _OVER, _BACK), _NORMAL),
    (Trigger.RESCUE, (_LATCHED,), _LATCHED),
    (Trigger.DESPAIR, (_CONFIRMING,), _CONFIRMING),
    (Trigger.DESPAIR, (_OVER, _BACK), _OVER),
    (Trigger.DESPAIR, (_LATCHED,), _LATCHED),
    (Trigger.FAIL_BACK, (_OVER, _LATCHED), _BACK),
    (Trigger.NEXT_STEP, (_BACK,), _BACK),
    (Trigger.BREAK, (_BACK,), _OVER),
    (Trigger.RETURNED, (_BACK,), _NORMAL),
    (Trigger.PART_WAY, (_BACK,), _OVER),
    (Trigger.STANDBY, (_NORMAL,), _NORMAL),
    (Trigger.DRILL, (_NORMAL,), _DRILL),
    (Trigger.DRILLED, (_DRILL,), _NORMAL),
    (Trigger.HOLD, tuple(Stage), _LATCHED),
    (Trigger.UNLATCH, (_LATCHED,), _OVER),
    (Trigger.UNLATCH_AT_HOME, (_LATCHED,), _NORMAL),
    (Trigger.UNLATCH_ON_THE_WAY, (_LATCHED,), _BACK),
)

TRANSITIONS: dict[tuple[Stage, Trigger], Stage] = {
    (source, trigger): target for trigger, sources, target in _TABLE for source in sources
}
"""(stage, trigger) -> next stage."""

LEGAL: dict[Action, tuple[Stage, ...]] = {
    Action.FAILOVER: tuple(Stage),
    Action.FAILBACK: (_OVER, _LATCHED),
    Action.APPROVE: (_CONFIRMING, _OVER, _BACK, _LATCHED),
    Action.UNLATCH: (_LATCHED,),
    Action.HOLD: tuple(Stage),
    Action.DRILL: (_NORMAL,),
}
"""In which stages a command is legal; ``rollout.failover.orders`` may still refuse it."""


def target(stage: Stage, trigger: Trigger) -> Stage:
    """Return the stage that follows, by the table.

    Raises:
        KeyError: the table has no such transition (a fault of the caller, never of the input).
    """
    return TRANSITIONS[stage, trigger]


def diagram() -> str:
    """Return the table as a Mermaid state diagram, the one in the documentation."""
    lines = ["stateDiagram-v2", "    [*] --> Normal"]
    lines += [f"    {source} --> {to}: {trigger.value}" for (source, trigger), to in TRANSITIONS.items()]
    return "\n".join(lines) + "\n"
