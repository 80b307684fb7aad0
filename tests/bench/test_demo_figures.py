"""How fast a bad canary is off and how surely a good one is promoted, on a real Envoy under load.

Both services run at once, so that one attempt gives two runs: one seen over HTTP, one over gRPC. Both sources of
counters are measured: Envoy's admin endpoint, and Prometheus where there is one. The figures are printed.
"""

import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from rollout.bootstrap.envoy import envoy_runtime
from rollout.demo.acts import Outcome, ServiceResult
from rollout.demo.attempts import States, Wanted, adopt, attempt, states_of
from rollout.demo.behaviour import Behaviour
from rollout.demo.manifests import DemoStep
from rollout.demo.waiting import alongside
from rollout.demo.weights import WeightWatch
from rollout.demo.world import Plan, World, open_world, require_parts
from rollout.errors import ConfigurationError
from tests.tools import find_prometheus, require

BAD_ATTEMPTS = 20
GOOD_ATTEMPTS = 25
P50_SECONDS = 4.0
MOST_SECONDS = 8.0
MOST_FAILED = 40
ONE_STEP = (DemoStep(10, 60),)
SHORT_STEPS = (DemoStep(10, 1.5), DemoStep(50, 1.5), DemoStep(95, 1.5))

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]


@pytest.fixture(params=["admin", "prometheus"])
def prometheus(request: pytest.FixtureRequest) -> Path | None:
    """Return the Prometheus to measure by, or None for Envoy's admin endpoint."""
    try:
        require_parts()
    except ConfigurationError as error:
        require(condition=False, reason=str(error))
    if request.param == "admin":
        return None
    program = find_prometheus()
    require(program, "no prometheus on PATH or in the cache: run `make tools`")
    return program


Say = Callable[[str], None]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """Return what shows a figure to whoever runs the bench."""

    def show(figure: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n{figure}\n")

    return show


async def runs_of(
    prometheus: Path | None, steps: Sequence[DemoStep], attempts: int, *, error_share: float
) -> list[ServiceResult]:
    """Return the results of ``attempts`` attempts, two services each, one after the other in one world."""
    async with open_world(Plan(prometheus=prometheus)) as world, envoy_runtime(world.settings()) as runtime:
        watch = WeightWatch(world.gateway.routes)
        wanted = [Wanted(Behaviour(f"v{number}", error_share), steps) for number in range(2, attempts + 2)]
        work = _attempts(world, states_of(runtime.controller), watch, wanted)
        return await alongside(work, world.watch(), watch.follow())


async def _attempts(world: World, states: States, watch: WeightWatch, wanted: Sequence[Wanted]) -> list[ServiceResult]:
    await adopt(world, states)
    return [result for each in wanted for result in await attempt(world, states, watch, each)]


async def test_bad_canary_is_off_within_seconds(prometheus: Path | None, say: Say) -> None:
    """20% errors from the first request, weight 10%, 200 rps: off in 4 s (p50) and 8 s (worst), few requests failed."""
    results = await runs_of(prometheus, ONE_STEP, BAD_ATTEMPTS, error_share=0.2)
    seconds = [result.bad_to_zero_seconds for result in results if result.bad_to_zero_seconds is not None]
    failed = [result.failed for result in results]
    p50, worst = statistics.median(seconds), max(seconds)
    say(
        f"20% errors, {'Prometheus' if prometheus else 'admin'}, {len(results)} runs: first bad answer to weight 0 "
        f"p50 {p50:.2f} s, max {worst:.2f} s; failed p50 {statistics.median(failed):.0f}, max {max(failed)}"
    )

    assert [result.sentence for result in results if result.outcome is not Outcome.ROLLED_BACK] == []
    assert len(seconds) == len(results)
    assert p50 <= P50_SECONDS
    assert worst <= MOST_SECONDS
    assert max(failed) <= MOST_FAILED


async def test_good_canary_is_promoted_every_time(prometheus: Path | None, say: Say) -> None:
    """A healthy canary under 200 rps is promoted, 50 times of 50, and no client sees an error."""
    results = await runs_of(prometheus, SHORT_STEPS, GOOD_ATTEMPTS, error_share=0.0)
    promoted = sum(result.outcome is Outcome.PROMOTED for result in results)
    failed = sum(result.failed for result in results)
    requests = sum(result.requests for result in results)
    say(
        f"healthy canary, {'Prometheus' if prometheus else 'admin'}: {promoted} of {len(results)} promoted, "
        f"{failed} of {requests} requests failed"
    )

    assert [result.sentence for result in results if result.outcome is not Outcome.PROMOTED] == []
    assert failed == 0
