"""What the judge remembers of one attempt: small, frozen, and written as JSON into the status.

Made by ``begin_attempt``, carried on by ``rollout.analysis.judge.judge``; the engine keeps it and
tells it when a step begins or the weights change. A few dozen floats per check, so that it fits
into a status. It must not know where samples come from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

from rollout.analysis.evidence import Evidence, fresh_evidence
from rollout.analysis.thresholds import Breaches

_CAMEL = ConfigDict(alias_generator=to_camel, populate_by_name=True)


@dataclass(frozen=True, slots=True)
class Arms:
    """Requests and bad requests of both arms, summed over ticks."""

    __pydantic_config__: ClassVar[ConfigDict] = _CAMEL

    canary_total: int = 0
    canary_bad: int = 0
    stable_total: int = 0
    stable_bad: int = 0


@dataclass(frozen=True, slots=True)
class Stream:
    """One count of one check: how far its samples are judged, its sums and its evidence.

    ``since`` and ``at`` bound the last tick (Unix seconds; None before the first), ``traffic_at`` is when
    the first one with requests to the canary began. ``attempt`` and ``step`` are the sums that were
    judged (for slowness: after the warm-up; the step's only from ticks wholly in it). ``objective`` is the
    evidence against the objective (errors only, once stable had too little traffic).
    ``recent_stable`` holds stable's (total, bad) of the last three ticks. ``impossible`` says what was
    wrong with the last tick, and is empty when nothing was.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _CAMEL

    at: float | None = None
    since: float | None = None
    traffic_at: float | None = None
    evidence: Evidence = field(default_factory=fresh_evidence)
    objective: Evidence | None = None
    attempt: Arms = Arms()
    step: Arms = Arms()
    recent_stable: tuple[tuple[int, int], ...] = ()
    impossible: str = ""


@dataclass(frozen=True, slots=True)
class JudgeState:
    """Everything the judge knows of an attempt. Times are Unix seconds.

    ``canary_requests`` counts the attempt, ``step_canary_requests`` the step (only ticks that lie
    wholly in it). ``changed_canary`` and ``changed_stable`` are requests since the weights last changed
    (only ticks wholly after it), for ``rollout.analysis.effective``. ``last_tick_at`` is the time up to
    which *every* check has been judged, None before that. ``requests_per_second`` is the smoothed
    rate of both arms, None before the first tick.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _CAMEL

    began_at: float
    step_began_at: float
    changed_at: float
    canary_requests: int = 0
    step_canary_requests: int = 0
    changed_canary: int = 0
    changed_stable: int = 0
    first_traffic_at: float | None = None
    last_tick_at: float | None = None
    no_data_since: float | None = None
    requests_per_second: float | None = None
    streams: Mapping[str, Stream] = field(default_factory=dict)
    breaches: Mapping[str, Breaches] = field(default_factory=dict)


def begin_attempt(now: float) -> JudgeState:
    """Return the state of an attempt that begins at ``now``: samples up to then are baselines only."""
    return JudgeState(began_at=now, step_began_at=now, changed_at=now)


def begin_step(state: JudgeState, now: float) -> JudgeState:
    """Return the state with the step's counters and those since the weight change at zero; evidence stays."""
    streams = {key: replace(stream, step=Arms()) for key, stream in state.streams.items()}
    return replace(weights_changed(state, now), step_began_at=now, step_canary_requests=0, streams=streams)


def weights_changed(state: JudgeState, now: float) -> JudgeState:
    """Return the state with the counters since the weight change at zero (a pause, a failback, drift put back)."""
    return replace(state, changed_at=now, changed_canary=0, changed_stable=0)


def samples_wanted_since(state: JudgeState) -> float:
    """Return the Unix time from which on samples are still to be judged (one sample before it is needed, too)."""
    return min((stream.at or state.began_at for stream in state.streams.values()), default=state.began_at)
