"""Facts about probes: answers are counted per target, and targets make up a backend."""

from __future__ import annotations

import pytest

from rollout.failover.health import Health
from rollout.failover.probing import MOST_TARGETS, Answer, Tally, counted, probe_reading
from rollout.spec.probe import ProbeSignal
from tests.failover.builders import DOWN, LOST, NOW, UP

SIGNAL = ProbeSignal(fall=3, rise=2)
ANSWERS = {"g": Answer.GOOD, "b": Answer.BAD, "-": Answer.UNSENT}


def tally(answers: str, *, target: str = "10.0.0.1:80") -> Tally:
    """Return what these answers add up to, one each second, the last of them at ``NOW``."""
    found = Tally(target)
    for place, answer in enumerate(answers):
        now = NOW - len(answers) + place + 1
        found = counted(found, ANSWERS[answer], answer, signal=SIGNAL, fresh=10.0, now=now)
    return found


@pytest.mark.parametrize(
    ("answers", "health"),
    [
        ("", LOST),
        ("g", LOST),
        ("gg", UP),
        ("bb", LOST),
        ("bbb", DOWN),
        ("bbgbbgbbg", LOST),
        ("ggbb", UP),
        ("ggbbgbb", UP),
        ("ggbbb", DOWN),
        ("bbbg", DOWN),
        ("bbbgg", UP),
        ("---", LOST),
        ("bb-b", DOWN),
    ],
)
def test_fall_and_rise_count_from_unknown(answers: str, health: Health) -> None:
    """Three bad ones in a row make it ill, two good ones well; what was not sent says nothing."""
    assert tally(answers).health is health


def test_after_a_long_silence_counting_begins_again() -> None:
    """One answer does not bring back an old word."""
    late = counted(tally("bbb"), Answer.BAD, "500", signal=SIGNAL, fresh=10.0, now=NOW + 10)

    assert (late.health, late.in_a_row) == (LOST, 1)


@pytest.mark.parametrize(
    ("targets", "percent", "health"),
    [
        (("gg", "gg", "gg"), 1, UP),
        (("gg", "bbb", "bbb"), 1, UP),
        (("gg", "bbb", "bbb"), 50, DOWN),
        (("gg", "bbb", ""), 50, LOST),
        (("bbb", "bbb", ""), 1, LOST),
        (("bbb", "bbb", "bbb"), 1, DOWN),
        (("", ""), 1, LOST),
        ((), 1, LOST),
    ],
)
def test_targets_make_up_a_backend(targets: tuple[str, ...], percent: int, health: Health) -> None:
    """What Unknown targets may be is left open."""
    tallies = [tally(answers, target=str(place)) for place, answers in enumerate(targets)]
    found = probe_reading(tallies, None, fresh=10.0, now=NOW, min_percent=percent)

    assert found.health is health
    assert found.total == len(targets)


def test_targets_that_do_not_answer_any_more_are_unknown() -> None:
    """As soon as their last answer is too old."""
    assert probe_reading([tally("bbb")], None, fresh=10.0, now=NOW + 9.9).health is DOWN
    assert probe_reading([tally("bbb")], None, fresh=10.0, now=NOW + 10).health is LOST


def test_the_evidence_names_the_ill_and_their_last_answers() -> None:
    """Eight of them at most."""
    tallies = [tally("bbbb", target=f"pod-{place:02}") for place in range(12)]
    text = probe_reading(tallies, None, fresh=10.0, now=NOW).evidence

    assert text.startswith("0 of 12 targets healthy and pod-00 answered b, b, b and pod-01")
    assert text.count("answered") <= MOST_TARGETS
    assert probe_reading([], None, fresh=10.0, now=NOW).evidence == "no target to ask"
    assert "answered nothing yet" in probe_reading([Tally("pod")], None, fresh=10.0, now=NOW).evidence


def test_a_target_whose_answers_are_old_is_named() -> None:
    """It was well, and what is tried since cannot be sent."""
    reading = probe_reading([tally("gg-")], None, fresh=10.0, now=NOW + 20)

    assert reading.health is LOST
    assert reading.evidence == "0 of 1 targets healthy and 10.0.0.1:80 answered g, g, -"
