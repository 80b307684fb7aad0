"""The calls of gates and hooks as values: when one is called, which call it is, and what was answered.

Filled by ``rollout.controller.calls``, read by ``rollout.engine.gates``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Hook(StrEnum):
    """When a gate is called: those of a step and those before something must agree, those of a rollback are told."""

    BEFORE_START = "beforeStart"
    ON_STEP = "onStep"
    STEP = "step"
    BEFORE_PROMOTION = "beforePromotion"
    ON_ROLLBACK = "onRollback"


@dataclass(frozen=True, slots=True)
class GateKey:
    """Which call of a gate, of one Rollout: what one step of one attempt is asked stands for no other.

    ``step`` is 0 before the first and after a rollback. ``asked`` tells what was asked, by its URL and ``onFailure``,
    from what is asked under the same name once that was edited (16 hexadecimal digits; empty: nobody noted it).
    """

    hook: Hook
    name: str
    attempt: int
    step: int
    asked: str = ""


class Fault(StrEnum):
    """Why a gate has said neither yes nor no: it did not answer, or we have not come to ask it."""

    NONE = ""
    UNREACHABLE = "unreachable"
    OURS = "failed"


@dataclass(frozen=True, slots=True)
class GateAnswer:
    """What a gate answered: it agrees on 2xx and nothing else; ``message`` says what came, a colon before the details.

    ``tries`` is how many calls it took, ``at`` when it was asked (Unix seconds; 0: nobody noted it). With a ``fault``
    there is no answer: it does not agree then, but has not said no either.
    """

    agrees: bool
    message: str
    tries: int = 1
    at: float = 0.0
    fault: Fault = Fault.NONE

    @property
    def kind(self) -> str:
        """Return what it is counted as: ``agrees``, ``refuses``, ``unreachable``, ``failed`` (our own fault)."""
        return self.fault.value or ("agrees" if self.agrees else "refuses")
