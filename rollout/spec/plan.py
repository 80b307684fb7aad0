"""The plan of an attempt: the steps that a spec means, and where it runs out of requests.

``steps_of`` is what the engine walks. ``too_few_requests`` says before anything moves (``rollout
lint``) or on the first tick which steps will wait for more traffic than they can get in their hold time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rollout.spec.quantities import format_duration
from rollout.spec.resource import RolloutSpec
from rollout.spec.traffic import Ramp, Step

MOST_STEPS = 1000
"""A ramp may have no more steps than this."""

_DIGITS = 9
_ALL = 100.0


def ramp_length(ramp: Ramp) -> int:
    """Return the number of steps of ``ramp``, both ends counted (at least 1)."""
    return 1 + math.ceil(round((ramp.end - ramp.start) / ramp.by, _DIGITS))


def steps_of(spec: RolloutSpec) -> tuple[Step, ...]:
    """Return the steps of ``spec``, a ramp expanded: 20 to 50 by 20 gives 20, 40, 50, never beyond 50.

    Without a canary there is nothing to step to.
    """
    ramp = spec.ramp
    if spec.backends.canary is None:
        return ()
    if spec.steps or ramp is None:
        return spec.steps
    weights = (min(ramp.end, round(ramp.start + index * ramp.by, _DIGITS)) for index in range(ramp_length(ramp)))
    return tuple(Step.model_construct(weight=weight, hold=ramp.every) for weight in weights)


@dataclass(frozen=True, slots=True)
class Shortage:
    """A step that ends its hold time with too few canary requests, and so takes longer.

    ``step`` counts from 0; ``wanted`` requests are asked for, ``expected`` come within the hold
    time; they are there after ``seconds`` at this weight (None: never); ``weight`` would bring them
    within the hold time (None: no weight would). ``of_attempt`` tells ``analysis.minRequests``,
    counted since the start of the attempt, from a step's own.
    """

    step: int
    wanted: int
    expected: float
    seconds: float | None
    weight: float | None
    of_attempt: bool

    def sentence(self) -> str:
        """Return what to tell people, without the number of the step."""
        counted = "of analysis.minRequests " if self.of_attempt else "of its own minRequests "
        got = f"about {self.expected:.0f} {counted}{self.wanted} canary requests come in its hold time"
        wait = "it never ends" if self.seconds is None else f"it takes {format_duration(math.ceil(self.seconds))}"
        return f"{got}, so {wait}{self._advice()}"

    def _advice(self) -> str:
        if self.weight is not None:
            return f"; a weight of {self.weight:g} would do"
        return "; no weight would do within this hold time"


def too_few_requests(steps: Sequence[Step], *, min_requests: int, requests_per_second: float) -> tuple[Shortage, ...]:
    """Return the steps whose hold time is too short for the requests that they wait for.

    ``requests_per_second`` is the traffic of stable and canary together; ``min_requests`` counts
    over the attempt (0: none asked for). A step waits until it has its requests, so only the first
    one is short of those of the attempt. Source: guard 5 of the judge.
    """
    return tuple(_shortages(steps, min_requests, requests_per_second))


def _shortages(steps: Sequence[Step], min_requests: int, rps: float) -> Iterator[Shortage]:
    counted = 0.0
    for index, step in enumerate(steps):
        short = _shortage(index, step, wanted=min_requests, before=counted, rps=rps)
        own = _shortage(index, step, wanted=step.min_requests, before=None, rps=rps)
        yield from (shortage for shortage in (short, own) if shortage is not None)
        counted += rps * step.weight / _ALL * step.hold
        counted = max(counted, min_requests if step.weight > 0 else 0, step.min_requests)


def _shortage(index: int, step: Step, *, wanted: int, before: float | None, rps: float) -> Shortage | None:
    """Return the shortage of ``step`` when ``before`` requests came earlier (None: those do not count)."""
    rate = rps * step.weight / _ALL
    missing = wanted - (before or 0.0)
    if missing <= 0 or rate * step.hold >= missing:
        return None
    return Shortage(
        step=index,
        wanted=wanted,
        expected=(before or 0.0) + rate * step.hold,
        seconds=missing / rate if rate > 0 else None,
        weight=_enough(missing, rps * step.hold),
        of_attempt=before is not None,
    )


def _enough(missing: float, whole_traffic: float) -> float | None:
    """Return the smallest sensible weight that gives ``missing`` requests out of ``whole_traffic``."""
    if whole_traffic < missing:
        return None
    weight = _ALL * missing / whole_traffic
    parts = 1 if weight >= 1 else 1000
    return min(_ALL, math.ceil(round(weight * parts, 6)) / parts)
