"""How each reason is meant, and what a title says of it: data, with a line for every reason that a transition can have.

Reasons of verdicts, and of an attempt that is left, say why; what they are about is the phase that was entered.
"""

from __future__ import annotations

from collections.abc import Mapping

from rollout.analysis.reasons import Reason as Judged
from rollout.engine.reasons import Reason
from rollout.engine.table import Phase
from rollout.failover.reasons import Reason as Why
from rollout.notify.message import Level
from rollout.notify.texts import in_words, one_line

BY_PHASE: Mapping[str, Level] = {
    Phase.IDLE: Level.NEWS,
    Phase.PROGRESSING: Level.NEWS,
    Phase.PAUSED: Level.WARNING,
    Phase.PROMOTING: Level.NEWS,
    Phase.ABORTING: Level.BAD,
    Phase.ABORTED: Level.BAD,
    Phase.INVALID: Level.WARNING,
}
"""How a transition into a phase is meant when its reason alone does not tell."""

AS_PHASE: frozenset[str] = frozenset(
    {
        *Judged,
        *(Reason.ABORTED, Reason.REVISION_WITHDRAWN, Reason.CANARY_LOST, Reason.DEADLINE_EXCEEDED),
        Reason.GATE_REFUSED,
    }
)
"""Reasons that are meant as the phase is that was entered for them."""

_GOOD = (
    *(Reason.PROMOTED, Reason.UNDONE, Reason.VALID),
    *(Why.PRIMARY_UP, Why.RESCUED, Why.FAILED_BACK, Why.UNLATCHED),
)

_NEWS = (
    *(Reason.BASELINE, Reason.STARTED, Reason.RETRIED, Reason.NEW_REVISION, Reason.STEP_STARTED, Reason.STEPS_EDITED),
    *(Reason.PROMOTED_BY_COMMAND, Reason.PROMOTING, Reason.COPYING, Reason.GIVING_BACK, Reason.UNDOING),
    *(Reason.PAUSED, Reason.RESUMED, Reason.HOLDING, Reason.ADOPTED, Reason.SUSPENDED, Reason.WAITING_FOR_WRITE),
    *(Reason.WAITING_FOR_ROUTES, Reason.WAITING_FOR_APPROVAL, Reason.WAITING_FOR_GATE, Reason.WAITING_FOR_REQUESTS),
    Reason.WAITING_FOR_FRESH_TICK,
    *(Why.WATCHING, Why.COOLING_DOWN, Why.OBSERVING, Why.RAMPING, Why.SHIFTED, Why.NOT_YET_STABLE, Why.DRILLING),
    *(Why.WAITING_FOR_FAILBACK, Why.OUTSIDE_WINDOW, Why.FAILING_BACK, Why.WAITING_FOR_HEALTH, Why.WAITING_FOR_SAMPLES),
    *(Why.HELD, Why.STANDBY_GIVEN, Why.DRILL_ENDED, Why.ADOPTED),
)

_WARNING = (
    *(Reason.CANARY_NOT_READY, Reason.WEIGHTS_INEFFECTIVE, Reason.DRIFT_DETECTED, Reason.ROLES_UNKNOWN),
    *(Reason.INVALID, Reason.UNRECORDED, Reason.DELETING, Reason.ON_BACKUP),
    *(Why.BLIND, Why.PRIMARY_DOWN, Why.PARTLY_DOWN, Why.BACKUP_DOWN, Why.FAILED_OVER, Why.MAINTENANCE),
    *(Why.SUSPECT_OBSERVER, Why.STOPPED, Why.PROPOSED, Why.FAILBACK_BROKE, Why.STANDBY_TAKEN, Why.DRILL_SKIPPED),
    Why.INEFFECTIVE,
)

_BAD = (
    *(Reason.STABLE_LOST, Reason.PROMOTION_STUCK, Reason.CANARY_CARRIES_ALL, Reason.OWNERSHIP_CONFLICT, Reason.GAVE_UP),
    *(Why.NO_HEALTHY_BACKUP, Why.ALL_UNHEALTHY, Why.LATCHED),
)

LEVELS: Mapping[str, Level] = {
    **dict.fromkeys(_GOOD, Level.GOOD),
    **dict.fromkeys(_NEWS, Level.NEWS),
    **dict.fromkeys(_WARNING, Level.WARNING),
    **dict.fromkeys(_BAD, Level.BAD),
}
"""How every other reason is meant, whatever the phase."""

_SHORT: Mapping[str, str] = {Reason.ABORTED: "by command"}


WORST_FIRST = (Level.BAD, Level.WARNING, Level.NEWS, Level.GOOD)


def level_of(reason: str, phase: str) -> Level:
    """Return how a transition is meant; a reason that nobody knows is meant as its phase is."""
    return LEVELS.get(reason) or BY_PHASE.get(phase, Level.NEWS)


def headline(reason: str, phase: str) -> str:
    """Return what a title says of a transition: ``Step started``, ``Aborted (evidence of errors)``."""
    if reason in LEVELS and reason != Reason.DELETING:
        return in_words(reason)
    why = _SHORT.get(reason) or in_words(one_line(reason)).lower()
    return f"{in_words(phase)} ({why})" if why else in_words(phase)


def worst(levels: tuple[Level, ...]) -> Level:
    """Return the level that needs people most (of none: News)."""
    return min(levels, key=WORST_FIRST.index, default=Level.NEWS)
