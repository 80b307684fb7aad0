"""Health of a backend: what each signal reads, and what the readings say together.

A reading is one signal's word about one backend; readings are made in ``rollout.failover.readings``
and ``rollout.failover.probing`` and age here. Only fresh evidence votes: what is Unknown says neither
yes nor no. It must not know where evidence comes from, nor what follows from it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

MOST_EVIDENCE = 300
"""So many characters of evidence are kept of one signal."""


class Health(StrEnum):
    """What is known of a backend."""

    HEALTHY = "Healthy"
    UNHEALTHY = "Unhealthy"
    UNKNOWN = "Unknown"


class Signal(StrEnum):
    """Where knowledge comes from, by the names of ``spec.failover.signals``."""

    ENDPOINTS = "endpoints"
    PROBE = "probe"
    METRICS = "metrics"


@dataclass(frozen=True, slots=True)
class Reading:
    """What one signal says of one backend.

    ``since`` is when this health began, ``seen_at`` when the evidence was last seen, ``failed_at`` when
    it was last Unhealthy (0: never): all Unix seconds. It is fresh for ``fresh_seconds`` after
    ``seen_at``. ``healthy`` of ``total`` targets are well, where the signal can count them (else 0 of 0).
    """

    signal: Signal
    health: Health
    since: float
    seen_at: float
    fresh_seconds: float
    evidence: str
    healthy: int = 0
    total: int = 0
    failed_at: float = 0.0

    @property
    def expires_at(self) -> float:
        """Return the Unix time from which on it says nothing any more."""
        return self.seen_at + self.fresh_seconds


def continued(reading: Reading, before: Reading | None) -> Reading:
    """Return ``reading`` with since when it says so, which only the one ``before`` it knows."""
    since = before.since if before is not None and before.health is reading.health else reading.since
    failed_at = reading.seen_at if reading.health is Health.UNHEALTHY else before.failed_at if before else 0.0
    return replace(reading, since=since, failed_at=failed_at, evidence=reading.evidence[:MOST_EVIDENCE])


def aged(reading: Reading, now: float) -> Reading:
    """Return ``reading`` as it counts at ``now``: Unknown when its evidence is too old."""
    if now < reading.expires_at or reading.health is Health.UNKNOWN:
        return reading
    evidence = f"nothing new for {now - reading.seen_at:.0f} s, at last: {reading.evidence}"
    return replace(reading, health=Health.UNKNOWN, since=reading.expires_at, evidence=evidence, healthy=0, total=0)


@dataclass(frozen=True, slots=True)
class Vote:
    """What all signals say of a backend together.

    ``since`` is when enough of them said so (Unix seconds), ``failing`` and ``passing`` are those with a
    fresh Unhealthy or Healthy, ``evidence`` one clause for each signal.
    """

    health: Health
    since: float
    failing: tuple[Signal, ...]
    passing: tuple[Signal, ...]
    evidence: str


def vote(readings: tuple[Reading, ...], combine: str, now: float) -> Vote:
    """Return what ``readings`` say together at ``now``; ``combine`` is as in ``spec.failover.signals``.

    ``AnyFails``: one Unhealthy is enough. ``AllFail``: all that vote must be. ``Quorum(n)``: so many must
    be. Where that is not reached, one Healthy makes it Healthy; with none it is Unknown.
    """
    fresh = [aged(reading, now) for reading in readings]
    failing = [reading for reading in fresh if reading.health is Health.UNHEALTHY]
    passing = [reading for reading in fresh if reading.health is Health.HEALTHY]
    needed = _needed(combine, len(failing) + len(passing))
    said = passing
    health = Health.HEALTHY if passing else Health.UNKNOWN
    if failing and len(failing) >= needed:
        health, said = Health.UNHEALTHY, failing
    moments = sorted(reading.since for reading in said)
    since = moments[min(needed, len(moments)) - 1] if moments else 0.0
    return Vote(
        health=health,
        since=since,
        failing=tuple(reading.signal for reading in failing),
        passing=tuple(reading.signal for reading in passing),
        evidence="; ".join(f"{reading.signal}: {reading.evidence}" for reading in fresh) or "no signal",
    )


def _needed(combine: str, voters: int) -> int:
    """Return how many Unhealthy votes make a backend Unhealthy."""
    match combine:
        case "AnyFails":
            return 1
        case "AllFail":
            return max(1, voters)
        case quorum:
            return int(quorum.removeprefix("Quorum(").removesuffix(")"))


def may_receive(said: Vote) -> bool:
    """Return whether traffic may be moved in: a fresh Healthy and no fresh Unhealthy, however votes are combined."""
    return bool(said.passing) and not said.failing


def may_try(said: Vote, configured: tuple[Signal, ...]) -> bool:
    """Return whether traffic may be moved in as a test of metrics, which see nothing of an idle backend.

    As ``may_receive``, but metrics need not vote: where they are the only signal that is ``configured``,
    no vote is needed at all.
    """
    only_metrics = configured == (Signal.METRICS,)
    return not said.failing and (bool(said.passing) or only_metrics)
