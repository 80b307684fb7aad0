"""The acts of the demo: what kind of version each deploys, and how it must end.

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


class Outcome(StrEnum):
    """How an attempt ends."""

    PROMOTED = "promoted"
    ROLLED_BACK = "rolledBack"


@dataclass(frozen=True, slots=True)
class Act:
    """One act: what is wrong with the new version, in words and in numbers, and how it must end."""

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
}
"""All acts in the order of the demo."""


@dataclass(frozen=True, slots=True)
class ServiceResult:
    """How one service fared in an act.

    ``outcome`` is None when the attempt did not end in time. ``bad_to_zero_seconds`` is from the
    first bad answer that a client got to the canary's weight 0; None when there was no bad answer
    or the canary was promoted. ``requests`` and ``failed`` are what clients saw.
    """

    service: str
    outcome: Outcome | None
    seconds: float
    bad_to_zero_seconds: float | None
    requests: int
    failed: int
    sentence: str


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
    def requests(self) -> int:
        """Return how many requests were sent."""
        return sum(result.requests for result in self.services)

    @property
    def failed(self) -> int:
        """Return how many of them failed."""
        return sum(result.failed for result in self.services)
