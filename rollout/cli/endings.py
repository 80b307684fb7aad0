"""How an attempt ends, and which one is waited for. Pure; called by ``rollout.cli.watching``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from rollout.api.failover_models import FailoverView
from rollout.api.models import Live, TransitionItem
from rollout.cli.running import Code
from rollout.engine.reasons import Reason
from rollout.engine.table import Phase
from rollout.failover.state import Result
from rollout.failover.table import Stage

ENDED_WELL = frozenset({Reason.PROMOTED, Reason.UNDONE})
BEGAN = frozenset({Reason.STARTED, Reason.RETRIED, Reason.NEW_REVISION, Reason.UNDOING})
ON_THE_WAY = frozenset({Phase.PROGRESSING, Phase.PROMOTING, Phase.ABORTING})
HALTED = frozenset({Phase.PAUSED, Phase.INVALID})
"""Phases in which an attempt may stand still, and in which there may just as well be none."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How it ended, as an exit code and one sentence."""

    code: Code
    sentence: str


@dataclass(frozen=True, slots=True)
class Awaited:
    """What is waited for.

    ``attempt`` is the number of the attempt, 0 for whichever runs; ``exact``: no later one will do. ``begun``: it was
    seen to run. ``after``: only an attempt later than this one is meant; where none has begun there is nothing to wait
    for, and an invalid Rollout ends the wait, too (None: whatever is there). ``failover``: not an attempt is waited
    for, but that all traffic is at the primary; ``drilled``: a drill was seen to run.
    """

    attempt: int = 0
    exact: bool = False
    begun: bool = False
    after: int | None = None
    failover: bool = False
    drilled: bool = False

    def seen(self, live: Live) -> Awaited:
        """Return what is waited for after ``live`` was seen: a newer attempt takes the place of an older one."""
        if self.failover:
            phase = live.failover.phase if live.failover is not None else Stage.NORMAL
            begun, drilled = phase in {Stage.FAILING_BACK, Stage.DRILL}, phase == Stage.DRILL
            return replace(self, begun=self.begun or begun, drilled=self.drilled or drilled)
        if not is_running(live) or live.attempt < self.attempt or (self.exact and live.attempt > self.attempt):
            return self
        return replace(self, attempt=live.attempt, begun=True)


def is_running(live: Live) -> bool:
    """Return whether an attempt (or an undo) is under way."""
    if live.phase in ON_THE_WAY:
        return True
    weighs = live.weights.intended.get(live.canary, 0) > 0
    return live.phase in HALTED and (live.hold is not None or weighs or live.reason == Reason.PAUSED)


def has_ended(awaited: Awaited, live: Live) -> bool:
    """Return whether there is nothing to wait for any more."""
    if awaited.failover:
        phase = live.failover.phase if live.failover is not None else Stage.NORMAL
        return phase == Stage.NORMAL or (awaited.begun and phase in {Stage.FAILED_OVER, Stage.LATCHED})
    if awaited.exact and live.attempt > awaited.attempt:
        return True
    if awaited.after is not None and live.phase == Phase.INVALID:
        return True
    return bool(live.phase) and not is_running(live) and live.attempt >= awaited.attempt


def ending_of(awaited: Awaited, live: Live, transitions: Iterable[TransitionItem]) -> Ending:
    """Return how it ended; ``transitions`` are the recorded ones, newest first."""
    if awaited.failover:
        return _ending_of_failover(awaited, live.failover)
    if awaited.exact and live.attempt > awaited.attempt:
        sentence = (
            f"Attempt {awaited.attempt} is over, attempt {live.attempt} came after it; history tells how it ended."
        )
        return Ending(Code.COULD_NOT, sentence)
    if live.phase == Phase.INVALID:
        return Ending(Code.COULD_NOT, f"The Rollout is invalid, and nothing goes on until it is mended. {live.message}")
    if awaited.after is not None and not awaited.begun and live.attempt <= awaited.after:
        return Ending(Code.DONE, "Nothing was started by this, so there is nothing to wait for.")
    idle = "" if awaited.begun else "Nothing is running. "
    last = next((item for item in transitions if is_end(item) or item.reason in BEGAN), None)
    if last is None:
        return Ending(Code.DONE, f"There was no attempt yet. {live.message}".strip())
    if not is_end(last):
        return Ending(Code.COULD_NOT, f"{idle}The attempt neither was promoted nor rolled back. {live.message}".strip())
    return Ending(Code.DONE if last.phase == Phase.IDLE else Code.ROLLED_BACK, f"{idle}{last.message}")


def _ending_of_failover(awaited: Awaited, found: FailoverView | None) -> Ending:
    if found is None:
        return Ending(Code.COULD_NOT, "The Rollout has no failover.")
    if found.phase != Stage.NORMAL:
        return Ending(Code.ROLLED_BACK, f"Traffic is not at the primary. {found.message}".strip())
    if awaited.drilled and found.last_drill is not None:
        code = Code.DONE if found.last_drill.result == Result.SUCCEEDED else Code.ROLLED_BACK
        return Ending(code, f"The drill is over: {found.last_drill.result}. {found.last_drill.why}".strip())
    return Ending(Code.DONE, f"Failover is Normal. {found.message}".strip())


def is_end(item: TransitionItem) -> bool:
    """Return whether an attempt ended well or was rolled back with this transition."""
    if item.phase == Phase.ABORTED:
        return item.reason != Reason.VALID
    return item.phase == Phase.IDLE and item.reason in ENDED_WELL
