"""Many probes on one loop, beside what their contract says."""

import asyncio

from rollout.clock import SystemClock
from rollout.engine.observation import BackendKey
from rollout.failover.health import Health
from rollout.probes.probes import LoopProbes
from rollout.signals import ProbeAsk, Target
from rollout.spec.probe import ProbeSignal
from tests.fakes.clock import FakeClock
from tests.probes.servers import OK, hanging, serving
from tests.waiting import until

V1 = BackendKey("shop", "v1", 80)


def asking(way: str = "http", **fields: object) -> ProbeAsk:
    """Return an ask by this way, every 20 ms unless said otherwise."""
    signal = {way: {}, "interval": "20ms", "timeout": "5s", "rise": 2, "fall": 2, **fields}
    return ProbeAsk(V1, ProbeSignal.model_validate(signal))


async def test_a_target_is_never_asked_twice_at_once() -> None:
    """A probe that takes longer than the interval has its turns to itself."""
    opened: list[int] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(1)
        await hanging(reader, writer)
        opened.append(-1)

    late: list[float] = []
    probes, ask = LoopProbes(SystemClock(), late=late.append), asking()
    await probes.start()
    async with serving(behave) as target:
        probes.want({ask: (target,)})
        await until(lambda: len(late) >= 10)
        await probes.aclose()
        await until(lambda: sum(opened) == 0)

    assert opened == [1, -1]


async def test_a_target_that_cannot_be_asked_is_unknown() -> None:
    """However often; the evidence says why."""
    late: list[float] = []
    probes, ask = LoopProbes(SystemClock(), late=late.append), asking("tcp")
    await probes.start()
    probes.want({ask: (Target("127.0.0.1", 0),)})
    await until(lambda: len(late) >= 8)
    reading = probes.read(ask)
    await probes.aclose()

    assert reading.health is Health.UNKNOWN
    assert "no port is known" in reading.evidence


async def test_a_reading_ages_without_answers() -> None:
    """After `staleAfter` it is Unknown, and since then."""
    clock, ask = FakeClock(), asking("tcp")
    probes = LoopProbes(clock)
    await probes.start()
    async with serving(hanging) as target:
        probes.want({ask: (target,)})
        await until(lambda: probes.read(ask).health is Health.HEALTHY)
        clock.advance(60)
        reading = probes.read(ask)
        await probes.aclose()

    assert reading.health is Health.UNKNOWN


async def test_that_nobody_reads_is_no_silence() -> None:
    """Answers that kept coming say the same since they began to, however long nobody looked."""
    clock, ask, answers = FakeClock(), asking(), 0

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal answers
        while await reader.readuntil(b"\r\n\r\n"):
            clock.advance(6)
            answers += 1
            writer.write(OK)
            await writer.drain()

    probes = LoopProbes(clock)
    await probes.start()
    async with serving(behave) as target:
        probes.want({ask: (target,)})
        await until(lambda: probes.read(ask).health is Health.HEALTHY)
        first, known = probes.read(ask), answers
        await until(lambda: answers > known + 4)
        again = probes.read(ask)
        await probes.aclose()

    assert again.health is Health.HEALTHY
    assert again.since == first.since


async def test_health_began_when_the_answer_came() -> None:
    """And not when somebody came to read: a pass that reads now compares with a moment a little earlier."""
    clock, ask, told = FakeClock(), asking("tcp"), list[float]()
    probes = LoopProbes(clock)
    probes.subscribe(lambda _: told.append(clock.now()))
    await probes.start()
    async with serving(hanging) as target:
        probes.want({ask: (target,)})
        await until(lambda: len(told) > 1)
        clock.advance(3)
        reading = probes.read(ask)
        await probes.aclose()

    assert (reading.health, reading.since) == (Health.HEALTHY, told[1])


async def test_many_changes_at_once_are_told_once() -> None:
    """A hundred targets of one backend come: their listener hears of it once in a turn of the loop."""
    told: list[BackendKey] = []
    probes = LoopProbes(SystemClock())
    await probes.start()
    probes.subscribe(told.append)
    probes.want({asking(interval="60s"): tuple(Target("127.0.0.1", port) for port in range(1, 101))})
    await asyncio.sleep(0)
    await probes.aclose()

    assert told[:1] == [V1]
    assert len(told) <= 2


async def test_targets_that_are_wanted_no_more_leave_nothing_behind() -> None:
    """No task, and no connection."""
    before = asyncio.all_tasks()
    probes = LoopProbes(SystemClock())
    await probes.start()
    async with serving(hanging) as target:
        probes.want({asking(way): (target,) for way in ("http", "grpc", "tcp")})
        await until(lambda: len(asyncio.all_tasks()) > len(before) + 1)
        await probes.aclose()

    assert asyncio.all_tasks() <= before | {asyncio.current_task()}
