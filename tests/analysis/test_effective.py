"""Shares: what agrees, what differs, what blocks."""

from __future__ import annotations

import random

import pytest

from rollout.analysis.effective import Agreement, share_agrees


@pytest.mark.parametrize(
    ("canary", "stable", "share", "said"),
    [
        (0, 199, 0.5, Agreement.UNKNOWN),
        (50, 950, 0.05, Agreement.AGREES),
        (40, 960, 0.05, Agreement.AGREES),
        (110, 890, 0.05, Agreement.DIFFERS),
        (200, 800, 0.05, Agreement.BLOCKS),
        (0, 1000, 0.05, Agreement.BLOCKS),
        (0, 200, 0.05, Agreement.AGREES),
        (0, 1000, 0.0, Agreement.AGREES),
        (1, 999, 0.0, Agreement.BLOCKS),
        (1000, 0, 1.0, Agreement.AGREES),
        (990, 10, 1.0, Agreement.DIFFERS),
        (100, 900, 1.0, Agreement.BLOCKS),
    ],
)
def test_shares(canary: int, stable: int, share: float, said: Agreement) -> None:
    """Few requests say nothing, chance is forgiven, a clear difference is told, a gross one blocks."""
    assert share_agrees(canary, stable, share) is said


def test_chance_alone_never_differs() -> None:
    """A gateway that serves the weights agrees in each of 2,000 looks."""
    chance = random.Random(11)
    for _ in range(2000):
        canary = sum(chance.random() < 0.1 for _ in range(400))

        assert share_agrees(canary, 400 - canary, 0.1) is Agreement.AGREES
