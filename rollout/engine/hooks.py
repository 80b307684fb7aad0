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

    ``step`` is 0 before the first and after a rollback.
    """

    hook: Hook
    name: str
    attempt: int
    step: int


@dataclass(frozen=True, slots=True)
class GateAnswer:
    """What a gate answered: it agrees on 2xx and nothing else; ``message`` says what came, a colon before the details.

    ``tries`` is how many calls it took, ``at`` when it was asked (Unix seconds; 0: nobody noted it).
    """

    agrees: bool
    message: str
    tries: int = 1
    at: float = 0.0
