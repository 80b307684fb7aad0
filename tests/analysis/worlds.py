"""Builders of samples: series, families, batches, and a world of two backends that counts requests by chance."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from rollout.analysis.judge import Judgement, JudgeState, Look, Verdict, begin_attempt, begin_step, judge
from rollout.analysis.samples import ERRORS, Batch, Family, Series, slower_than
from rollout.spec.analysis import Analysis

STEPS = (5.0, 10.0, 25.0, 50.0, 95.0)
"""Weights of the plan that the world runs, 60 s each."""

SLOW_BOUNDS = {0.25: 0.0202, 0.5: 0.00236}
"""Share of requests slower than a bound (lognormal, p50 40 ms, p99 320 ms)."""

TWICE_AS_SLOW = {0.25: 0.101, 0.5: 0.0202}
"""The same with doubled latency."""


def series(*samples: tuple[float, float], identity: str = "s", instance: str = "i", pod: str = "p") -> Series:
    """Return a series with these (time, value) samples."""
    return Series(identity=identity, instance=instance, pod=pod, samples=samples)


def family(total: Sequence[Series], part: Sequence[Series] = (), *, part_is_good: bool = False) -> Family:
    """Return a family of totals and parts."""
    return Family(total=tuple(total), part=tuple(part), part_is_good=part_is_good)


def analysis(**fields: object) -> Analysis:
    """Return an analysis, by default of errors only."""
    checks = fields.pop("checks", ({"name": "errors", "kind": "Errors"},))
    return Analysis.model_validate({"checks": checks, **fields})


def look(now: float, batch: Batch | None = None, **fields: object) -> Look:
    """Return a look at 10 % canary with a cadence of 10 s."""
    base = Look(
        now=now,
        batch=batch,
        canary="v2",
        stable="v1",
        canary_share=0.1,
        stable_share=0.9,
        cadence_seconds=10,
    )
    return replace(base, **fields)  # type: ignore[arg-type]


def poisson(chance: random.Random, mean: float) -> int:
    """Return a count with this mean: by inversion when it is small, else by the normal law."""
    if mean > 30:
        return max(0, round(chance.gauss(mean, math.sqrt(mean))))
    left, count = chance.random(), 0
    part = math.exp(-mean)
    while left > part and count < 200:
        left -= part
        count += 1
        part *= mean / count
    return count


@dataclass(slots=True)
class Counters:
    """Raw counters by (backend, pod, count id or "total"), with all samples so far."""

    samples: dict[tuple[str, str, str], list[tuple[float, float]]] = field(default_factory=dict)

    def add(self, key: tuple[str, str, str], at: float, amount: int) -> None:
        """Append a sample that is larger by ``amount``."""
        kept = self.samples.setdefault(key, [])
        kept.append((at, (kept[-1][1] if kept else 0.0) + amount))

    def batch(self, counts: Sequence[str], *, last: int = 3) -> Batch:
        """Return the last few samples of every series as a batch."""
        return Batch(
            {
                (name, count): family(self._of(name, "total", last), self._of(name, count, last))
                for name in {key[0] for key in self.samples}
                for count in counts
            }
        )

    def _of(self, backend: str, count: str, last: int) -> list[Series]:
        return [
            series(*kept[-last:], identity=f"{name}/{pod}/{kind}", instance=pod, pod=pod)
            for (name, pod, kind), kept in self.samples.items()
            if name == backend and kind == count
        ]


Share = Callable[[float, str], float]
"""The share of bad requests at a time (seconds since the start) for a pod."""


@dataclass(frozen=True, slots=True)
class World:
    """Two backends under traffic: how many requests per second, and the shares of bad ones."""

    rps: float = 100.0
    errors: Share = lambda _at, _pod: 0.001
    slow: Callable[[float, str], dict[float, float]] = lambda _at, _pod: SLOW_BOUNDS
    burst: int = 1
    cadence: float = 10.0
    step_seconds: float = 60.0
    checks: Analysis = field(default_factory=Analysis)

    @property
    def counts(self) -> tuple[str, ...]:
        """Return the count ids of the analysis."""
        return (ERRORS, *(slower_than(bound) for bound in SLOW_BOUNDS))


PODS = ("s1", "s2", "s3", "s4")


def scrape(world: World, counters: Counters, chance: random.Random, *, at: float, weight: float) -> int:
    """Count what happened up to ``at`` (its cadence long) at this weight; return the canary's bad requests."""
    failed = 0
    arms = [("v2", ("c1",), weight / 100), ("v1", PODS, 1 - weight / 100)]
    for backend, pods, share in arms:
        for pod in pods:
            total = poisson(chance, world.rps * world.cadence * share / len(pods))
            bursts = poisson(chance, total * world.errors(at - world.cadence, pod) / world.burst)
            bad = min(total, bursts * world.burst)
            failed += bad if backend == "v2" else 0
            counters.add((backend, pod, "total"), at, total)
            counters.add((backend, pod, ERRORS), at, bad)
            for bound, part in world.slow(at - world.cadence, pod).items():
                slow = min(total, poisson(chance, total * part))
                counters.add((backend, pod, slower_than(bound)), at, slow)
    return failed


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a rollout ended: aborted after how many seconds (None: not), and failed canary requests."""

    aborted_at: float | None
    failed: int
    held: int
    judgement: Judgement


def roll_out(world: World, seed: int) -> Outcome:
    """Run the plan in the world until it is aborted or over."""
    chance, counters, begin = random.Random(seed), Counters(), 1000.0
    scrape(world, counters, chance, at=begin, weight=0)
    state, failed, held, now = begin_attempt(begin), 0, 0, begin
    judgement = None
    for weight in STEPS:
        state = begin_step(state, now)
        for _ in range(round(world.step_seconds / world.cadence)):
            now += world.cadence
            failed += scrape(_since(world, begin), counters, chance, at=now, weight=weight)
            judgement = _judged(world, state, counters, now=now, weight=weight)
            state, held = judgement.state, held + (judgement.verdict is Verdict.HOLD)
            if judgement.verdict is Verdict.FAIL:
                return Outcome(now - begin, failed, held, judgement)
    assert judgement is not None
    return Outcome(None, failed, held, judgement)


def _since(world: World, begin: float) -> World:
    return replace(
        world,
        errors=lambda at, pod: world.errors(at - begin, pod),
        slow=lambda at, pod: world.slow(at - begin, pod),
    )


def _judged(world: World, state: JudgeState, counters: Counters, *, now: float, weight: float) -> Judgement:
    seen = Look(
        now=now,
        batch=counters.batch(world.counts),
        canary="v2",
        stable="v1",
        canary_share=weight / 100,
        stable_share=1 - weight / 100,
        cadence_seconds=world.cadence,
    )
    return judge(world.checks, state, seen)
