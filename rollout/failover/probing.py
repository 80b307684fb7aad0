"""Probing: from single answers to the health of a target, and from targets to the health of a backend.

A target is well after ``rise`` good answers in a row and ill after ``fall`` bad ones, counted from
Unknown. Called by the controller for each answer; how a target is asked is not known here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from rollout.failover.health import Health, Reading, Signal, continued
from rollout.failover.readings import ALL
from rollout.spec.probe import ProbeSignal

MOST_RESULTS = 3
MOST_TARGETS = 8
"""So many targets are named in the evidence."""
MOST_TEXT = 40


class Answer(StrEnum):
    """What became of one probe: refused, reset and timed out are bad; what never left this machine is unsent."""

    GOOD = "good"
    BAD = "bad"
    UNSENT = "unsent"


@dataclass(frozen=True, slots=True)
class Tally:
    """What the answers of one target add up to.

    ``in_a_row`` counts answers like the last one, ``good`` says which kind that was. ``results`` are the
    last ones as short texts, newest last. ``seen_at`` is when the last answer came (0: none has).
    """

    target: str
    health: Health = Health.UNKNOWN
    good: bool = False
    in_a_row: int = 0
    results: tuple[str, ...] = ()
    seen_at: float = 0.0


def counted(tally: Tally, answer: Answer, text: str, *, signal: ProbeSignal, fresh: float, now: float) -> Tally:
    """Return the tally after ``answer``, which ``text`` tells in a word (``200``, ``timed out``).

    An unsent probe is no evidence: it changes nothing, and the last answer grows old. After more than
    ``fresh`` seconds without an answer the count begins again from Unknown.
    """
    results = (*tally.results, text[:MOST_TEXT])[-MOST_RESULTS:]
    if answer is Answer.UNSENT:
        return replace(tally, results=results)
    if now >= tally.seen_at + fresh:
        tally = Tally(tally.target)
    good = answer is Answer.GOOD
    in_a_row = tally.in_a_row + 1 if good is tally.good else 1
    health = tally.health
    if good and in_a_row >= signal.rise:
        health = Health.HEALTHY
    elif not good and in_a_row >= signal.fall:
        health = Health.UNHEALTHY
    most = max(signal.rise, signal.fall)
    return replace(tally, health=health, good=good, in_a_row=min(in_a_row, most), results=results, seen_at=now)


def probe_reading(
    tallies: Sequence[Tally], before: Reading | None, *, fresh: float, now: float, min_percent: int = 1
) -> Reading:
    """Return what the targets of a backend say together; ``fresh`` in seconds.

    Healthy when ``min_percent`` of them are, Unhealthy when that cannot be even if all Unknown ones
    were, else Unknown.
    """
    asked = sorted(tallies, key=lambda tally: tally.target)
    known = [tally for tally in asked if _is_fresh(tally, fresh, now)]
    well = sum(tally.health is Health.HEALTHY for tally in known)
    ill = sum(tally.health is Health.UNHEALTHY for tally in known)
    health = Health.UNKNOWN
    if well and well * ALL >= min_percent * len(asked):
        health = Health.HEALTHY
    elif ill and (len(asked) - ill) * ALL < max(min_percent * len(asked), 1):
        health = Health.UNHEALTHY
    seen_at = max((tally.seen_at for tally in known), default=now)
    not_well = [t for t in asked if t.health is not Health.HEALTHY or not _is_fresh(t, fresh, now)]
    evidence = _evidence(not_well, well, len(asked))
    reading = Reading(Signal.PROBE, health, now, seen_at, fresh, evidence, healthy=well, total=len(asked))
    return continued(reading, before)


def _is_fresh(tally: Tally, fresh: float, now: float) -> bool:
    return now < tally.seen_at + fresh


def _evidence(not_well: Sequence[Tally], well: int, total: int) -> str:
    if not total:
        return "no target to ask"
    named = not_well[:MOST_TARGETS]
    told = [f"{tally.target} answered {', '.join(tally.results) or 'nothing yet'}" for tally in named]
    return " and ".join([f"{well} of {total} targets healthy", *told])
