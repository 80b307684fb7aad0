"""A story, played: what came of it, and what the assertions about it ask for."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from rollout.rehearsal.outcome import Outcome
from rollout.rehearsal.reading import read_file
from rollout.rehearsal.rehearse import rehearse

STABLE, CANARY, BACKUP = "checkout-v1", "checkout-v2", "checkout-dr"
HOME = {STABLE: 100, CANARY: 0, BACKUP: 0}
AWAY = {STABLE: 0, CANARY: 0, BACKUP: 100}

Told = Mapping[str, Any]


@cache
def played(name: str) -> Outcome:
    """Return what came of the story with this name."""
    return rehearse(read_file(Path(__file__).parent / f"{name}.yaml"))


def writes(outcome: Outcome) -> list[tuple[float, Mapping[str, int]]]:
    """Return when what was written."""
    return [(write["at"], write["weights"]) for write in outcome.writes]


def on_backups(outcome: Outcome) -> list[tuple[float, int]]:
    """Return when the weight of all backups together was written, and how much."""
    pair = {STABLE, CANARY}
    return [(at, sum(n for name, n in weights.items() if name not in pair)) for at, weights in writes(outcome)]


def told(outcome: Outcome, reason: str) -> list[Told]:
    """Return the transitions with this reason."""
    return [made for made in outcome.transitions if made["reason"] == reason]


def stages(outcome: Outcome) -> list[str]:
    """Return where failover stood, in order, each once while it stays."""
    found: list[str] = []
    for made in outcome.transitions:
        stage = made["failover"]["phase"]
        found += [] if found[-1:] == [stage] else [stage]
    return found


def condition(outcome: Outcome, kind: str) -> Told:
    """Return a condition at the end."""
    [found] = [each for each in outcome.final["conditions"] if each["type"] == kind]
    return dict(found)
