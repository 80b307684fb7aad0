"""What the API answers of notifications: how it goes with each sink, and how far each was told of a Rollout.

As ``rollout.api.models`` in all else, which has these in its answers. No address and no secret is in them.
"""

from __future__ import annotations

from rollout.api.shapes import Answer


class SinkView(Answer):
    """How it goes with a sink; what is counted is counted since this replica started."""

    name: str
    kind: str
    """What it is, such as Slack or CloudEvents."""
    delivered: int
    """Messages that it has taken."""
    failed: int
    """Tries that it has not taken."""
    folded: int
    """Transitions that it was told as a number only, since too many were not told."""
    passed_over: int
    """Messages that it refused for good, so that the next ones are told."""
    pending: int
    """Rollouts with something that it was not told yet."""
    lag_seconds: float
    """The age of the oldest transition that it was not told yet; 0: there is none."""
    delivered_at: float | None
    """When it took the last message."""
    problem: str
    """Why the last try failed; empty: it did not."""
    problem_at: float | None
    closed_until: float | None
    """Until when nothing is sent because too much failed; None: it is open."""
    quiet: bool
    """Whether it is left alone now by its quiet hours."""


class SinkList(Answer):
    """All sinks, in the order of the operator's file."""

    items: list[SinkView]


class TrialView(Answer):
    """A sink has taken a trial message."""

    sink: str
    message: str


class NotifiedView(Answer):
    """How far a sink was told of a Rollout."""

    sink: str
    number: int
    """The number of the last transition that it was told; 0: of none."""
    at: float | None
    """When it was told."""
    behind: int
    """How many transitions came after that one."""
    lag_seconds: float
    """The age of the oldest of those; 0: there is none."""
    problem: str
    """Why the last try failed, or that there is no such sink; empty: all is well."""
