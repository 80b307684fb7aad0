"""The shares of Spill are those of Envoy's priorities: 10,000 random tiers by its arithmetic, 50 on a real one."""

import asyncio
import math
import random
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import pytest

from rollout.failover.shares import Tier, spill
from tests.envoy.priorities import Case, bootstrap, counted, send, written
from tests.envoy.world import EnvoyWorld

RANDOM_CASES = 10_000
MEASURED = 50
MOST_TIERS = 4
MOST_TARGETS = 10
REQUESTS = 1000
AGAIN = 10_000
SIGMAS = 3


def drawn(chance: random.Random) -> Case:
    """Return random tiers, most of them partly ill."""
    tiers = []
    for _ in range(chance.randint(1, MOST_TIERS)):
        total = chance.randint(1, MOST_TARGETS)
        healthy = chance.randint(0, total)
        degraded = chance.choice((0, 0, chance.randint(0, total - healthy)))
        tiers.append(Tier(healthy, total, degraded))
    return Case(tuple(tiers), chance.choice((140, 140, 100, 120, 200)))


def by_rule(case: Case) -> list[int]:
    """Return the shares by the rules of Envoy's documentation and its rounding, in fractions that lose nothing."""
    factor = Fraction(case.overprovisioning)

    def capacity(good: int, total: int) -> int:
        return min(100, math.floor(factor * good / total))

    # Degraded capacity is a second list of priorities behind the first.
    capacities = [capacity(tier.healthy, tier.total) for tier in case.tiers]
    capacities += [capacity(tier.degraded, tier.total) for tier in case.tiers]
    together = Fraction(min(100, sum(capacities)), 100)
    given: list[int] = []
    for one in capacities:
        given.append(min(100 - sum(given), math.floor(one / together)))
    given[next(place for place, one in enumerate(capacities) if one)] += 100 - sum(given)
    half = len(case.tiers)
    return [given[place] + given[half + place] for place in range(half)]


def can_serve(case: Case) -> bool:
    """Return whether anybody is there to answer."""
    return any(case.overprovisioning * max(tier.healthy, tier.degraded) // tier.total for tier in case.tiers)


def all_cases() -> list[Case]:
    """Return the random cases, the same in every run."""
    chance = random.Random(140)
    cases: list[Case] = []
    while len(cases) < RANDOM_CASES:
        case = drawn(chance)
        if can_serve(case):
            cases.append(case)
    return cases


def beyond(case: Case, had: Sequence[int]) -> bool:
    """Return whether a tier had more or fewer requests than three standard deviations from its share."""
    requests = sum(had)
    for share, count in zip(spill(case.tiers, case.overprovisioning), had, strict=True):
        sigma = math.sqrt(requests * share * (100 - share)) / 100
        if abs(count - requests * share / 100) > SIGMAS * sigma:
            return True
    return False


def test_random_tiers_get_the_shares_of_envoys_arithmetic() -> None:
    """All 10,000."""
    different = [case for case in all_cases() if list(spill(case.tiers, case.overprovisioning)) != by_rule(case)]

    assert different == []


async def measure(envoy: EnvoyWorld, cases: Sequence[Case], numbers: Sequence[int], requests: int) -> list[list[int]]:
    """Return how many of so many requests each tier of these cases had."""
    before = await counted(envoy, cases)
    for number in numbers:
        await send(envoy, number, requests)
    after = await counted(envoy, cases)
    return [[late - early for early, late in zip(before[number], after[number], strict=True)] for number in numbers]


@pytest.mark.real
@pytest.mark.timeout(180)
async def test_a_real_envoy_sends_what_the_formula_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Within three standard deviations; what chance alone carries beyond is measured once more, with more requests."""
    cases = random.Random(50).sample(all_cases(), MEASURED)
    body = bootstrap(cases, tiers=MOST_TIERS, targets=MOST_TARGETS)
    envoy = EnvoyWorld(tmp_path, [], bootstrap=written(tmp_path, body))
    await envoy.start()
    try:
        async with asyncio.timeout(150):
            seen = await measure(envoy, cases, range(MEASURED), REQUESTS)
            doubtful = [number for number, had in enumerate(seen) if beyond(cases[number], had)]
            again = await measure(envoy, cases, doubtful, AGAIN)
    finally:
        await envoy.kill()
    wrong = [(cases[number], had) for number, had in zip(doubtful, again, strict=True) if beyond(cases[number], had)]
    with capsys.disabled():
        sys.stdout.write(
            f"\n{MEASURED} tiers on a real Envoy, {REQUESTS} requests each: {len(doubtful)} measured twice\n"
        )

    assert wrong == []
    assert all(sum(had) == REQUESTS for had in seen)
