"""Evidence: the published runs to the ninth digit, and what each constant is for."""

from __future__ import annotations

import json
from math import exp, log
from pathlib import Path
from typing import Any

import pytest

from rollout.analysis.counters import Count, Tick
from rollout.analysis.evidence import (
    Evidence,
    alpha_of,
    cap_of,
    fresh_evidence,
    log_against_objective,
    log_evidence,
    log_safety,
    temper,
    update,
    update_against_objective,
)

RUNS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "vectors.json").read_text())


def tick(canary: tuple[int, int], stable: tuple[int, int], *pods: tuple[int, int]) -> Tick:
    """Return a tick of these (total, bad) counts."""
    named = tuple((f"p{number}", Count(*pod)) for number, pod in enumerate(pods))
    return Tick(0, 10, Count(*canary), Count(*stable), named)


def of_vector(row: dict[str, Any]) -> Tick:
    """Return the tick of one row of the vectors."""
    pods = zip(row["stable_pods_total"], row["stable_pods_bad"], strict=True)
    return tick((row["canary_total"], row["canary_bad"]), (row["stable_total"], row["stable_bad"]), *pods)


def after(*ticks: Tick, evidence: Evidence | None = None, alpha: float = 0.01) -> Evidence:
    """Return the evidence after these ticks, at the usual tolerance."""
    evidence = evidence or fresh_evidence()
    for each in ticks:
        evidence = update(evidence, each, ratio=1.2, points_fraction=0.0002, alpha=alpha)
    return evidence


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run["name"])
def test_every_tick_of_the_published_runs_is_reproduced(run: dict[str, Any]) -> None:
    """Log evidence and temper agree with the vectors to 1e-9 at every tick, and so does the verdict at 99 %."""
    evidence, found, highest = fresh_evidence(), [], 0.0
    for row in run["ticks"]:
        evidence = update(
            evidence, of_vector(row), ratio=run["ratio"], points_fraction=run["tolerance_points"], alpha=0.01
        )
        highest = max(highest, log_evidence(evidence))
        found.append((temper(evidence), log_evidence(evidence)))

    wanted = [(row["temper"], row["log_evidence"]) for row in run["ticks"]]
    for got, want in zip(found, wanted, strict=True):
        assert got == pytest.approx(want, abs=1e-9, rel=0)
    assert (highest >= log(100)) is run["convicts"]


def test_fresh_evidence_says_nothing() -> None:
    """The stakes sum to one before the first tick."""
    assert log_evidence(fresh_evidence()) == pytest.approx(0)


@pytest.mark.parametrize("confidence", [0.9, 0.99, 0.999])
def test_one_scrape_cannot_convict_and_two_can(confidence: float) -> None:
    """However bad one tick is, the cap keeps it below the limit; a second one of that kind reaches it."""
    alpha = alpha_of(confidence)
    terrible = tick((1000, 1000), (9000, 0), (4500, 0), (4500, 0))
    once = after(terrible, alpha=alpha)
    twice = after(terrible, terrible, alpha=alpha)

    assert log_evidence(once) < log(1 / alpha)
    assert log_evidence(twice) >= log(1 / alpha)


def test_without_pods_two_scrapes_cannot_convict() -> None:
    """Where clumps cannot be seen, a third tick is needed."""
    terrible = tick((1000, 1000), (9000, 0))

    assert log_evidence(after(terrible, terrible)) < log(100)
    assert log_evidence(after(terrible, terrible, terrible)) >= log(100)


def test_the_caps_at_99_percent() -> None:
    """The caps are 3.0 with pods and 2.3 without."""
    assert cap_of(0.01, pods_known=True) == pytest.approx(3.0)
    assert cap_of(0.01, pods_known=False) == pytest.approx(2.3)


def test_errors_that_clump_on_a_pod_count_less() -> None:
    """Ten errors on one pod of stable temper the evidence; ten spread evenly do not."""
    clumped = after(tick((50, 0), (1000, 10), (500, 10), (500, 0)))
    spread = after(tick((50, 0), (1000, 10), (500, 5), (500, 5)))

    assert temper(clumped) < 0.3
    assert temper(spread) == 1


def test_pods_without_requests_do_not_disturb() -> None:
    """Stable without requests, or without errors, leaves the sums of the clumping alone."""
    found = after(tick((50, 1), (0, 0), (0, 0)), tick((50, 1), (100, 0), (100, 0)))

    assert (found.spread_seen, found.spread_expected) == (2, 2)


def test_a_tick_without_stable_traffic_convicts_nobody() -> None:
    """With nothing to compare with there is no gain."""
    assert log_evidence(after(*[tick((100, 100), (0, 0))] * 10)) == pytest.approx(0)


def test_confidence_is_kept_in_bounds() -> None:
    """Neither certainty nor a coin throw breaks the arithmetic."""
    assert alpha_of(1.0) == 1e-9
    assert alpha_of(0.0) == 0.5
    assert alpha_of(0.99) == pytest.approx(0.01)


@pytest.mark.parametrize("objective", [0.0, 0.5, 0.99, 1.0])
def test_the_bet_on_the_objective_wins_only_against_who_breaks_it(objective: float) -> None:
    """All good keeps the evidence at or below one; all bad raises it, unless nothing is asked for."""
    good = log_against_objective(Count(500, 0), objective)
    bad = log_against_objective(Count(500, 500), objective)

    assert good <= 1e-9
    assert bad > (3 if objective > 0 else 0)


def test_the_objective_is_bet_on_over_ticks() -> None:
    """A canary that fails 20 % is beyond 99 % within a few ticks; one that fails 0.1 % never."""
    broken = kept = fresh_evidence(7)
    for _ in range(6):
        broken = update_against_objective(broken, tick((100, 20), (1, 0)), objective=0.99, alpha=0.002)
        kept = update_against_objective(kept, tick((1000, 1), (1, 0)), objective=0.99, alpha=0.002)

    assert log_evidence(broken) >= log(500)
    assert log_evidence(kept) < 0


def test_safety_grows_with_good_requests() -> None:
    """Many good requests show that the canary is better than what is allowed; few do not; bad ones speak against it."""
    many = log_safety(Count(5000, 5), Count(5000, 5), ratio=1.2, points_fraction=0.005)
    few = log_safety(Count(100, 0), Count(5000, 5), ratio=1.2, points_fraction=0.005)
    bad = log_safety(Count(5000, 100), Count(5000, 5), ratio=1.2, points_fraction=0.005)

    assert exp(many) > 20
    assert exp(few) < 20
    assert bad < 0
