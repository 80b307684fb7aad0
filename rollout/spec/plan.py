"""The plan of an attempt: the steps that a spec means, and what about them cannot work.

``steps_of`` is what the engine walks; the rest are warnings for people, given before anything
moves (``rollout lint``) or on the first tick.
"""

from __future__ import annotations

import math

from rollout.spec.resource import RolloutSpec
from rollout.spec.traffic import Ramp, Step

MOST_STEPS = 1000
"""A ramp may have no more steps than this."""

_DIGITS = 9


def ramp_length(ramp: Ramp) -> int:
    """Return the number of steps of ``ramp``, both ends counted (at least 1)."""
    return 1 + math.ceil(round((ramp.end - ramp.start) / ramp.by, _DIGITS))


def steps_of(spec: RolloutSpec) -> tuple[Step, ...]:
    """Return the steps of ``spec``, a ramp expanded: 20 to 50 by 20 gives 20, 40, 50, never beyond 50."""
    ramp = spec.ramp
    if spec.steps or ramp is None:
        return spec.steps
    weights = (min(ramp.end, round(ramp.start + index * ramp.by, _DIGITS)) for index in range(ramp_length(ramp)))
    return tuple(Step.model_construct(weight=weight, hold=ramp.every) for weight in weights)
