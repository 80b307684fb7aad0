"""Each reason that a transition can have was thought of, and titles say in words what happened."""

from __future__ import annotations

import pytest

from rollout.analysis.reasons import Reason as Judged
from rollout.engine.reasons import Reason
from rollout.engine.table import Phase
from rollout.failover.reasons import Reason as Why
from rollout.notify.levels import AS_PHASE, BY_PHASE, LEVELS, headline, level_of, worst
from rollout.notify.message import Level


def test_every_reason_was_thought_of() -> None:
    """Each reason of the engine, of failover and of the judge has its level or is meant as its phase, never both."""
    every = {*map(str, Reason), *map(str, Why), *map(str, Judged)}

    assert every == {*LEVELS, *AS_PHASE}
    assert not LEVELS.keys() & AS_PHASE


def test_every_phase_was_thought_of() -> None:
    """Each phase has a level for the reasons that are meant as it is."""
    assert set(BY_PHASE) == set(Phase)


@pytest.mark.parametrize(
    ("reason", "phase", "level"),
    [
        (Judged.EVIDENCE_OF_ERRORS, Phase.ABORTING, Level.BAD),
        (Judged.EVIDENCE_OF_ERRORS, Phase.ABORTED, Level.BAD),
        (Judged.EVIDENCE_OF_ERRORS, Phase.PAUSED, Level.WARNING),
        (Judged.EARLY_PASS, Phase.PROGRESSING, Level.NEWS),
        (Reason.ABORTED, Phase.ABORTED, Level.BAD),
        (Reason.PROMOTED, Phase.IDLE, Level.GOOD),
        (Reason.OWNERSHIP_CONFLICT, Phase.PROGRESSING, Level.BAD),
        (Reason.GAVE_UP, Phase.ABORTED, Level.BAD),
        (Why.FAILED_OVER, Phase.ABORTED, Level.WARNING),
        (Why.FAILED_BACK, Phase.ABORTED, Level.GOOD),
        (Why.NO_HEALTHY_BACKUP, Phase.IDLE, Level.BAD),
        (Why.LATCHED, Phase.IDLE, Level.BAD),
        ("FromAPolicy", Phase.ABORTED, Level.BAD),
        ("FromAPolicy", "Unheard", Level.NEWS),
    ],
)
def test_a_level_follows_from_reason_and_phase(reason: str, phase: str, level: Level) -> None:
    """A reason with a level has it in any phase; another one is meant as its phase is."""
    assert level_of(reason, phase) is level


@pytest.mark.parametrize(
    ("reason", "phase", "words"),
    [
        (Reason.STEP_STARTED, Phase.PROGRESSING, "Step started"),
        (Judged.EVIDENCE_OF_ERRORS, Phase.ABORTED, "Aborted (evidence of errors)"),
        (Reason.ABORTED, Phase.ABORTING, "Aborting (by command)"),
        (Reason.DELETING, Phase.ABORTED, "Aborted (deleting)"),
        (Why.FAILED_OVER, Phase.ABORTED, "Failed over"),
        ("FromAPolicy", Phase.PAUSED, "Paused (from a policy)"),
        ("", Phase.PAUSED, "Paused"),
    ],
)
def test_a_title_says_in_words_what_happened(reason: str, phase: str, words: str) -> None:
    """A reason is read in words; one that only says why stands behind the phase."""
    assert headline(reason, phase) == words


def test_the_worst_level_is_that_of_all() -> None:
    """A list has the colour of the worst that is in it."""
    assert worst((Level.GOOD, Level.WARNING, Level.NEWS)) is Level.WARNING
    assert worst(()) is Level.NEWS
