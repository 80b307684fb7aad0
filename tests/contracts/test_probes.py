"""What every `Probes` does: the fake in memory, and real probes of a server on loopback."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

import pytest

from rollout.clock import SystemClock
from rollout.engine.observation import BackendKey
from rollout.failover.health import Health, Signal
from rollout.probes.probes import LoopProbes
from rollout.signals import ProbeAsk, Probes, Target
from rollout.spec.probe import ProbeSignal
from tests.envoy.backends import HttpBackend
from tests.fakes.clock import FakeClock
from tests.fakes.probes import FakeProbes
from tests.waiting import until

V1, V2 = BackendKey("shop", "v1", 80), BackendKey("shop", "v2", 80)
SIGNAL = ProbeSignal.model_validate({"http": {}, "interval": "20ms", "timeout": "5s", "rise": 2, "fall": 2})
ASK = ProbeAsk(V1, SIGNAL)


class World(Protocol):
    """Probes and two targets that are well."""

    probes: Probes
    targets: tuple[Target, Target]

    def set(self, target: Target, *, well: bool) -> None:
        """Let a target answer so from now on."""

    async def start(self) -> None:
        """Begin."""

    async def close(self) -> None:
        """End."""


class FakeWorld:
    """The fake in memory."""

    def __init__(self) -> None:
        self.fake = FakeProbes(FakeClock())
        self.probes: Probes = self
        self.targets = (Target("10.0.0.1", 80), Target("10.0.0.2", 80))
        self._well = dict.fromkeys(self.targets, True)
        self.read, self.subscribe = self.fake.read, self.fake.subscribe

    def want(self, wanted: Mapping[ProbeAsk, Sequence[Target]]) -> None:
        """Want, and let all answer at once."""
        self.fake.want(wanted)
        for target, well in self._well.items():
            self.set(target, well=well)

    def set(self, target: Target, *, well: bool) -> None:
        """Say so."""
        self._well[target] = well
        self.fake.say(target, Health.HEALTHY if well else Health.UNHEALTHY)

    async def start(self) -> None:
        """Nothing to begin."""

    async def close(self) -> None:
        """Nothing to end."""


class RealWorld:
    """Real probes of two real servers."""

    probes: Probes
    targets: tuple[Target, Target]

    async def start(self) -> None:
        """Start the servers and the probes."""
        self._backends = [HttpBackend("a"), HttpBackend("b")]
        for backend in self._backends:
            await backend.start()
        first, second = (Target("127.0.0.1", backend.port) for backend in self._backends)
        self.targets = (first, second)
        self._adapter = LoopProbes(SystemClock())
        await self._adapter.start()
        self.probes = self._adapter

    def set(self, target: Target, *, well: bool) -> None:
        """Let the server answer so."""
        self._backends[self.targets.index(target)].status = 200 if well else 503

    async def close(self) -> None:
        """End all."""
        await self._adapter.aclose()
        for backend in self._backends:
            await backend.close()


@pytest.fixture(params=[FakeWorld, RealWorld], ids=["fake", "real"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """One world of each kind, begun and ended."""
    made: World = request.param()
    await made.start()
    yield made
    await made.close()


async def test_what_is_not_wanted_is_not_known(world: World) -> None:
    """Nobody was asked."""
    reading = world.probes.read(ASK)

    assert (reading.health, reading.evidence) == (Health.UNKNOWN, "no target to ask")
    assert reading.signal is Signal.PROBE


async def test_targets_that_answer_well_are_healthy(world: World) -> None:
    """All are asked and counted."""
    world.probes.want({ASK: world.targets})
    await until(lambda: world.probes.read(ASK).healthy == 2)
    reading = world.probes.read(ASK)

    assert (reading.health, reading.total) == (Health.HEALTHY, 2)
    assert reading.evidence == "2 of 2 targets healthy"


async def test_a_change_of_a_target_is_told(world: World) -> None:
    """The backend is named, the reading says which target it was and what it answered."""
    world.probes.want({ASK: world.targets})
    await until(lambda: world.probes.read(ASK).healthy == 2)
    told: list[BackendKey] = []
    world.probes.subscribe(told.append)

    world.set(world.targets[1], well=False)

    await until(lambda: world.probes.read(ASK).healthy == 1)
    await until(lambda: told)
    assert set(told) == {V1}
    assert f"{world.targets[1]} answered " in world.probes.read(ASK).evidence
    assert "503" in world.probes.read(ASK).evidence


async def test_a_backend_whose_targets_all_fail_is_unhealthy(world: World) -> None:
    """And it is said since when."""
    world.probes.want({ASK: world.targets})
    await until(lambda: world.probes.read(ASK).healthy == 2)
    for target in world.targets:
        world.set(target, well=False)

    await until(lambda: world.probes.read(ASK).health is Health.UNHEALTHY)
    first, again = world.probes.read(ASK), world.probes.read(ASK)
    assert first.since == again.since
    assert first.failed_at > 0


async def test_a_target_that_stays_keeps_its_count(world: World) -> None:
    """Another one comes and goes beside it; what is known of it stands at once."""
    first, second = world.targets
    world.probes.want({ASK: (first,)})
    await until(lambda: world.probes.read(ASK).healthy == 1)
    since = world.probes.read(ASK).since
    world.probes.want({ASK: (first, second)})
    with_both = world.probes.read(ASK)
    world.probes.want({ASK: (first,)})

    assert with_both.health is Health.HEALTHY
    assert with_both.total == 2
    assert world.probes.read(ASK).since == since
    assert world.probes.read(ASK).total == 1


async def test_a_backend_that_is_wanted_again_begins_anew(world: World) -> None:
    """What was known of it when it was last wanted may be long ago."""
    world.probes.want({ASK: world.targets})
    await until(lambda: world.probes.read(ASK).healthy == 2)
    world.probes.want({})

    assert world.probes.read(ASK).health is Health.UNKNOWN


async def test_two_asks_of_one_backend_are_two(world: World) -> None:
    """One wants all targets to be well, the other one of them."""
    strict, other = ProbeAsk(V1, SIGNAL, min_percent=100), ProbeAsk(V2, SIGNAL)
    world.set(world.targets[1], well=False)
    world.probes.want({ASK: world.targets, strict: world.targets, other: world.targets[:1]})

    await until(lambda: world.probes.read(strict).health is Health.UNHEALTHY)
    await until(lambda: world.probes.read(ASK).health is Health.HEALTHY)
    await until(lambda: world.probes.read(other).healthy == 1)
