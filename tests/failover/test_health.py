"""Facts about health: readings age, and votes are combined."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollout.failover.health import MOST_EVIDENCE, Health, Signal, aged, continued, may_receive, may_try, vote
from tests.failover.builders import DOWN, ENDPOINTS, LOST, METRICS, NOW, PROBE, UP, reading

THREE = (ENDPOINTS, PROBE, METRICS)


@pytest.mark.parametrize(
    ("combine", "healths", "together"),
    [
        ("AnyFails", (UP, UP, DOWN), DOWN),
        ("AnyFails", (UP, LOST, LOST), UP),
        ("AnyFails", (LOST, LOST, LOST), LOST),
        ("AllFail", (UP, DOWN, DOWN), UP),
        ("AllFail", (DOWN, DOWN, DOWN), DOWN),
        ("AllFail", (DOWN, LOST, LOST), DOWN),
        ("AllFail", (LOST, LOST, LOST), LOST),
        ("Quorum(1)", (DOWN, UP, UP), DOWN),
        ("Quorum(2)", (DOWN, UP, LOST), UP),
        ("Quorum(2)", (DOWN, DOWN, UP), DOWN),
        ("Quorum(2)", (DOWN, LOST, LOST), LOST),
        ("Quorum(3)", (DOWN, DOWN, UP), UP),
        ("Quorum(3)", (DOWN, DOWN, DOWN), DOWN),
    ],
)
def test_votes_are_combined(combine: str, healths: tuple[Health, ...], together: Health) -> None:
    """Unknown never votes."""
    readings = tuple(reading(health, signal) for health, signal in zip(healths, THREE, strict=True))

    assert vote(readings, combine, NOW).health is together


@pytest.mark.parametrize(
    ("healths", "may"),
    [((UP, UP), True), ((UP, LOST), True), ((UP, DOWN), False), ((LOST, LOST), False), ((DOWN, LOST), False)],
)
@pytest.mark.parametrize("combine", ["AnyFails", "AllFail", "Quorum(2)"])
def test_moving_in_needs_a_healthy_vote_and_no_unhealthy_one(
    combine: str,
    healths: tuple[Health, Health],
    may: bool,  # noqa: FBT001 - a row
) -> None:
    """However votes are combined."""
    readings = tuple(reading(health, signal) for health, signal in zip(healths, THREE, strict=False))

    assert may_receive(vote(readings, combine, NOW)) is may


@pytest.mark.parametrize(
    ("signals", "health", "may"),
    [
        ((METRICS,), LOST, True),
        ((METRICS,), DOWN, False),
        ((METRICS,), UP, True),
        ((PROBE, METRICS), LOST, False),
    ],
)
def test_metrics_alone_cannot_see_an_idle_backend(
    signals: tuple[Signal, ...],
    health: Health,
    may: bool,  # noqa: FBT001 - a row
) -> None:
    """Where nothing else is configured a test needs no vote, but none against it either."""
    assert may_try(vote((reading(health, METRICS),), "AnyFails", NOW), signals) is may


@pytest.mark.parametrize(("after", "health"), [(0.0, DOWN), (29.9, DOWN), (30.0, LOST), (500.0, LOST)])
def test_old_evidence_is_unknown(after: float, health: Health) -> None:
    """And says what it said last."""
    old = aged(reading(DOWN, text="0 of 3 ready"), NOW + after)

    assert old.health is health
    assert "0 of 3 ready" in old.evidence
    assert vote((reading(DOWN),), "AnyFails", NOW + after).health is health


def test_the_same_health_goes_on() -> None:
    """``since`` is from the first reading that said so, and the last failure is remembered."""
    first = continued(reading(DOWN), None)
    second = continued(reading(DOWN, at=NOW + 5), first)
    third = continued(reading(UP, at=NOW + 9), second)

    assert (second.since, second.failed_at) == (NOW, NOW + 5)
    assert (third.since, third.failed_at) == (NOW + 9, NOW + 5)
    assert continued(reading(UP), None).failed_at == 0.0


def test_evidence_is_bounded() -> None:
    """A status must hold it."""
    assert len(continued(reading(UP, text="x" * 9999), None).evidence) == MOST_EVIDENCE


def test_a_vote_began_when_enough_said_so() -> None:
    """With two needed, the later of the two."""
    readings = (reading(DOWN, at=NOW - 9), replace(reading(DOWN, PROBE, at=NOW - 4)))

    assert vote(readings, "AnyFails", NOW).since == NOW - 9
    assert vote(readings, "AllFail", NOW).since == NOW - 4
    assert vote((), "AnyFails", NOW).evidence == "no signal"
