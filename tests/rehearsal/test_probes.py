"""Facts about probes in simulated time: when they are sent, what they meet, and what the shipped code makes of it."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

import pytest

from rollout.engine.observation import BackendKey
from rollout.failover.health import Health
from rollout.failover.probing import Answer
from rollout.rehearsal.life import Life
from rollout.rehearsal.probes import SimulatedProbes, answer_to
from rollout.rehearsal.virtual_loop import VirtualClock, run
from rollout.signals import ProbeAsk, Target
from rollout.spec.probe import ProbeSignal

BACKEND = BackendKey("shop", "v1", 80)
HTTP = ProbeSignal.model_validate({"http": {}, "fall": 3, "rise": 5})
ASK = ProbeAsk(BACKEND, HTTP)
TARGETS = (Target("a", 80), Target("b", 80))


class World:
    """Probes of one backend; ``met`` is what they meet, None while none is sent."""

    def __init__(self) -> None:
        self.met: str | None = "ok"
        self.asked = 0
        self.life = Life()
        self.probes = SimulatedProbes(self._meet, VirtualClock(asyncio.get_running_loop(), began_at=1e9), self.life)
        self.told: list[BackendKey] = []
        self.probes.subscribe(self.told.append)

    def _meet(self, name: str) -> str | None:
        assert name == BACKEND.name
        self.asked += 1
        return self.met

    @property
    def health(self) -> Health:
        """Return what the targets say together."""
        return self.probes.read(ASK).health

    async def healthy(self) -> None:
        """Want them, and wait until they are healthy."""
        self.probes.want({ASK: TARGETS})
        await asyncio.sleep(4.5)
        assert self.health is Health.HEALTHY


def virtually(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Let a test run in virtual time."""

    @wraps(test)
    def in_virtual_time() -> None:
        run(test())

    return in_virtual_time


@virtually
async def test_a_target_is_healthy_after_rise_answers_an_interval_apart() -> None:
    """The first is asked at once, the fifth after four seconds, and that is told."""
    world = World()
    world.probes.want({ASK: TARGETS})
    await asyncio.sleep(3.9)
    before = world.health
    await asyncio.sleep(0.2)

    assert (before, world.health) == (Health.UNKNOWN, Health.HEALTHY)
    assert world.told[-1] == BACKEND


@virtually
async def test_a_target_is_unhealthy_after_fall_answers() -> None:
    """Three of them, and the evidence has the words of the shipped probes."""
    world = World()
    await world.healthy()
    world.met = "500"
    await asyncio.sleep(2.0)
    before = world.health
    await asyncio.sleep(1.0)
    reading = world.probes.read(ASK)

    assert before is Health.HEALTHY
    assert reading.health is Health.UNHEALTHY
    assert "a:80 answered 500, 500, 500" in reading.evidence


@virtually
async def test_a_probe_that_is_not_answered_takes_its_time() -> None:
    """The third one ends half a second after it was sent."""
    world = World()
    await world.healthy()
    world.met = "timeout"
    await asyncio.sleep(2.9)
    before = world.health
    await asyncio.sleep(0.2)

    assert (before, world.health) == (Health.HEALTHY, Health.UNHEALTHY)


@pytest.mark.parametrize("met", ["unreachable", None])
def test_what_is_not_sent_says_nothing(met: str | None) -> None:
    """Neither good nor bad: what was known grows old."""

    async def play() -> tuple[Health, Health]:
        world = World()
        await world.healthy()
        world.met = met
        await asyncio.sleep(9)
        before = world.health
        await asyncio.sleep(2)
        return before, world.health

    assert run(play()) == (Health.HEALTHY, Health.UNKNOWN)


@virtually
async def test_what_is_not_wanted_is_not_asked() -> None:
    """Nobody is asked any more, and nothing is known."""
    world = World()
    await world.healthy()
    world.probes.want({})
    asked = world.asked
    await asyncio.sleep(5)

    assert world.asked == asked
    assert world.health is Health.UNKNOWN


@virtually
async def test_nobody_asks_after_the_end() -> None:
    """The probes of a dead controller are over."""
    world = World()
    await world.healthy()
    world.life.end()
    asked = world.asked
    await asyncio.sleep(5)

    assert world.asked == asked


@virtually
async def test_a_target_that_stays_keeps_its_count() -> None:
    """Another one that comes is Unknown for itself."""
    world = World()
    world.probes.want({ASK: TARGETS[:1]})
    await asyncio.sleep(4.5)
    world.probes.want({ASK: TARGETS})
    reading = world.probes.read(ASK)

    assert (reading.health, reading.healthy, reading.total) == (Health.HEALTHY, 1, 2)


@pytest.mark.parametrize(
    ("way", "met", "said"),
    [
        ("http", "ok", (Answer.GOOD, "200")),
        ("http", "fail", (Answer.BAD, "500")),
        ("http", "204", (Answer.GOOD, "204")),
        ("http", "302", (Answer.BAD, "302")),
        ("http", "refused", (Answer.BAD, "refused")),
        ("grpc", "ok", (Answer.GOOD, "SERVING")),
        ("grpc", "fail", (Answer.BAD, "NOT_SERVING")),
        ("tcp", "ok", (Answer.GOOD, "open")),
        ("tcp", "fail", (Answer.BAD, "reset")),
        ("tcp", "unreachable", (Answer.UNSENT, "network is unreachable")),
    ],
)
def test_answers_have_the_words_of_the_way_that_is_asked(way: str, met: str, said: tuple[Answer, str]) -> None:
    """As a person would read them in production."""
    assert answer_to(ProbeSignal.model_validate({way: {}}), met) == said
