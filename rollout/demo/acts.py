"""The acts of the demo: what kind of version each deploys, or what it kills, and how it must end.

A table, read by ``rollout.demo.show``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ActName(StrEnum):
    """The acts, by the name that the command line takes."""

    GOOD = "good"
    ERRORS = "errors"
    SLOW = "slow"
    FAILOVER = "failover"


class Outcome(StrEnum):
    """How an act ends for a service."""

    PROMOTED = "promoted"
    ROLLED_BACK = "rolledBack"
    FAILED_BACK = "failedBack"


@dataclass(frozen=True, slots=True)
class Act:
    """One act: what goes wrong, in words and for a new version in numbers, and how it must end."""

    name: ActName
    title: str
    expected: Outcome
    error_share: float = 0.0
    latency_factor: float = 1.0


ACTS = {
    ActName.GOOD: Act(ActName.GOOD, "a good version", Outcome.PROMOTED),
    ActName.ERRORS: Act(
        ActName.ERRORS, "a version that fails 5% of its requests", Outcome.ROLLED_BACK, error_share=0.05
    ),
    ActName.SLOW: Act(ActName.SLOW, "a version three times as slow", Outcome.ROLLED_BACK, latency_factor=3.0),
    ActName.FAILOVER: Act(ActName.FAILOVER, "the primary is killed, and comes back", Outcome.FAILED_BACK),
}
"""All acts in the order of the demo."""


@dataclass(frozen=True, slots=True)
class RampStep:
    """A step of a failback: the primary's weight in percent, and when it came, in seconds after the first step."""

    seconds: float
    percent: int


@dataclass(frozen=True, slots=True)
class Return:
    """What became of a killed primary's traffic: seconds from the kill to the first answer of the backup, the way back.

    ``backup_seconds`` is None when the backup answered nothing.
    """

    backup_seconds: float | None
    ramp: tuple[RampStep, ...]


@dataclass(frozen=True, slots=True)
class ServiceResult:
    """How one service fared in an act.

    ``outcome`` is None when it did not end in time. ``bad_to_zero_seconds`` is from the first bad
    answer that a client got to the canary's weight 0; None when there was no bad answer, the canary
    was promoted or there was none. ``requests`` and ``failed`` are what clients saw. ``failover`` is
    None in an act without one.
    """

    service: str
    outcome: Outcome | None
    seconds: float
    bad_to_zero_seconds: float | None
    requests: int
    failed: int
    sentence: str
    failover: Return | None = None


@dataclass(frozen=True, slots=True)
class ActResult:
    """How an act went, over both services."""

    act: Act
    seconds: float
    services: tuple[ServiceResult, ...]

    @property
    def outcome(self) -> Outcome | None:
        """Return the outcome that all services had, or None when they differ or one had none."""
        outcomes = {result.outcome for result in self.services}
        return outcomes.pop() if len(outcomes) == 1 else None

    @property
    def as_expected(self) -> bool:
        """Return whether the act ended as it must."""
        return self.outcome is self.act.expected

    @property
    def bad_to_zero_seconds(self) -> float | None:
        """Return the longest time from a first bad answer to weight 0."""
        return max(
            (result.bad_to_zero_seconds for result in self.services if result.bad_to_zero_seconds is not None),
            default=None,
        )

    @property
    def backup_seconds(self) -> float | None:
        """Return the longest time from the kill of a primary to the first answer of its backup."""
        returns = [result.failover for result in self.services if result.failover is not None]
        return max((one.backup_seconds for one in returns if one.backup_seconds is not None), default=None)

    @property
    def requests(self) -> int:
        """Return how many requests were sent."""
        return sum(result.requests for result in self.services)

    @property
    def failed(self) -> int:
        """Return how many of them failed."""
        return sum(result.failed for result in self.services)
