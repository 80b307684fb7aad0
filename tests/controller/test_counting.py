"""Facts about the rounds in which requests are counted: how often, all together, and what a failure does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from rollout.analysis.samples import ERRORS
from rollout.controller.counting import Counting, MetricsAsk
from rollout.controller.measure import UNEXPECTED
from rollout.controller.requests import RequestsAsk
from rollout.engine.observation import BackendKey
from rollout.errors import SourceTimeout
from rollout.failover.health import Health, aged
from rollout.rehearsal.virtual_loop import VirtualClock
from rollout.spec.failover import MetricsSignal
from tests.controller.builders import NOW, SlowMeasurements, backend, quietly, virtually
from tests.fakes.measurements import TOTAL


def asking(name: str = "v1", *, window: str = "60s", stale_after: float = 10.0) -> MetricsAsk:
    """Return an ask about a backend."""
    signal = MetricsSignal.model_validate({"window": window})
    return MetricsAsk(RequestsAsk("shop", "", backend(name), None, signal.window), signal, stale_after)


class Rounds:
    """Rounds of counting over a source in memory; `told` are the backends that were told of."""

    def __init__(self) -> None:
        self.clock = VirtualClock(asyncio.get_running_loop(), began_at=NOW)
        self.source = SlowMeasurements()
        self.told: list[BackendKey] = []
        self.counting = Counting(self.source, self.clock, cadence_seconds=10.0, tell=self._tell)
        self.total = self.bad = 0

    def _tell(self, backends: Iterable[BackendKey]) -> None:
        self.told.extend(backends)

    def sample(self, requests: int, bad: int = 0, *, name: str = "v1") -> None:
        """Let there be a sample now, with so many more requests."""
        self.total, self.bad = self.total + requests, self.bad + bad
        self.source.count(name, TOTAL, self.clock.now(), self.total)
        self.source.count(name, ERRORS, self.clock.now(), self.bad)

    def health(self, ask: MetricsAsk) -> Health:
        """Return what the reading is worth now."""
        reading = self.counting.read(ask)
        assert reading is not None
        return aged(reading, self.clock.now()).health


@virtually
async def test_all_are_asked_together_once_in_a_cadence() -> None:
    """Twenty backends: twenty asks in each round of ten seconds, none in between."""
    rounds = Rounds()
    for number in range(20):
        rounds.counting.want(asking(f"v{number}"))
    await asyncio.sleep(0.5)
    first = len(rounds.source.asks)
    await asyncio.sleep(60)

    assert (first, len(rounds.source.asks)) == (20, 20 * 7)
    rounds.counting.stop()


@virtually
async def test_a_short_window_is_looked_at_more_often() -> None:
    """A window of ten seconds would be over before the next look."""
    rounds = Rounds()
    rounds.counting.want(asking(window="10s"))
    await asyncio.sleep(20.5)

    assert len(rounds.source.asks) == 11
    rounds.counting.stop()


@virtually
async def test_what_is_new_is_asked_for_soon() -> None:
    """It does not wait for the next round, which is not begun anew for each of many."""
    rounds = Rounds()
    rounds.counting.want(asking())
    await asyncio.sleep(5)
    for number in range(2, 12):
        rounds.counting.want(asking(f"v{number}"))
        await asyncio.sleep(0.1)
    await asyncio.sleep(1)

    assert len(rounds.source.asks) < 1 + 2 + 11 + 1
    assert {ask.canary.name for ask in rounds.source.asks} >= {"v1", "v2", "v11"}
    rounds.counting.stop()


@virtually
async def test_another_health_is_told() -> None:
    """From unknown to healthy, and no more as long as that stays."""
    rounds, ask = Rounds(), asking()
    rounds.sample(0)
    await asyncio.sleep(5)
    rounds.sample(100)
    rounds.counting.want(ask)
    unseen = rounds.health(ask)
    await asyncio.sleep(1)

    assert (unseen, rounds.health(ask)) == (Health.UNKNOWN, Health.HEALTHY)
    assert rounds.told == [backend("v1")]
    rounds.counting.stop()


@virtually
async def test_samples_that_come_rarely_stay_fresh() -> None:
    """A source that has a sample each half minute knows between two of them, too."""
    rounds, ask = Rounds(), asking(window="120s")
    rounds.counting.want(ask)
    healths = []
    for _ in range(10):
        rounds.sample(100)
        await asyncio.sleep(29)
        healths.append(rounds.health(ask))
        await asyncio.sleep(1)

    assert set(healths[4:]) == {Health.HEALTHY}
    rounds.counting.stop()


@virtually
async def test_a_round_comes_just_after_the_samples() -> None:
    """Whatever the moment of the first one: most are asked for when they are new."""
    rounds, ask = Rounds(), asking()
    rounds.counting.want(ask)
    await asyncio.sleep(3.7)
    ages = []
    for _ in range(12):
        rounds.sample(100)
        sampled_at, asked = rounds.clock.now(), len(rounds.source.asks)
        while len(rounds.source.asks) == asked:
            await asyncio.sleep(0.1)
        ages.append(rounds.clock.now() - sampled_at)
        await asyncio.sleep(max(0.0, sampled_at + 10 - rounds.clock.now()))

    assert max(ages[4:]) < 0.5
    rounds.counting.stop()


@virtually
async def test_samples_that_come_often_are_not_all_asked_for() -> None:
    """A source with a sample each second is asked once in a cadence all the same."""
    rounds, ask = Rounds(), asking()
    rounds.counting.want(ask)
    for _ in range(120):
        rounds.sample(10)
        await asyncio.sleep(1)

    assert 11 <= len(rounds.source.asks) <= 13
    rounds.counting.stop()


@virtually
async def test_a_source_that_fails_is_told_as_a_problem() -> None:
    """And no more once it answers again."""
    rounds, ask = Rounds(), asking()
    rounds.sample(0)
    rounds.source.error = SourceTimeout("it took too long")
    rounds.counting.want(ask)
    await asyncio.sleep(1)
    problem, health = rounds.counting.problem(ask), rounds.health(ask)
    rounds.source.error = None
    rounds.sample(100)
    await asyncio.sleep(11)

    assert (problem, health) == ("it took too long", Health.UNKNOWN)
    assert (rounds.counting.problem(ask), rounds.health(ask)) == ("", Health.HEALTHY)
    rounds.counting.stop()


@virtually
async def test_a_source_that_hangs_is_given_up() -> None:
    """After a while the rounds go on."""
    rounds, ask = Rounds(), asking()
    rounds.source.slow_seconds = 600
    rounds.counting.want(ask)
    await asyncio.sleep(16)
    problem = rounds.counting.problem(ask)
    rounds.source.slow_seconds = 0
    await asyncio.sleep(10)

    assert problem == "no answer within 15 s"
    assert rounds.counting.problem(ask) == ""
    rounds.counting.stop()


@virtually
@quietly
async def test_a_fault_of_ours_ends_no_rounds() -> None:
    """It is logged, and tried again."""
    rounds, ask = Rounds(), asking()
    rounds.source.error = KeyError("x")
    rounds.counting.want(ask)
    await asyncio.sleep(1)
    problem = rounds.counting.problem(ask)
    rounds.source.error = None
    await asyncio.sleep(11)

    assert (problem, rounds.counting.problem(ask)) == (UNEXPECTED, "")
    rounds.counting.stop()


@virtually
async def test_what_is_left_is_asked_for_no_more() -> None:
    """While the source answers, too; with the last of it the rounds end."""
    rounds, ask, other = Rounds(), asking(), asking("v2")
    rounds.counting.want(ask)
    rounds.counting.want(ask)
    rounds.counting.want(other)
    rounds.source.slow_seconds = 5
    await asyncio.sleep(1)
    rounds.counting.leave(other)
    await asyncio.sleep(5)
    after_one = len(rounds.source.asks)
    rounds.counting.leave(ask)
    await asyncio.sleep(60)

    assert after_one == len(rounds.source.asks) == 2
    assert (rounds.counting.read(ask), rounds.counting.problem(other)) == (None, "")
    assert asyncio.all_tasks() == {asyncio.current_task()}
