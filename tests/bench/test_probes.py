"""What 2,000 probes a second cost in one process, and how late they begin."""

import asyncio
import resource
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from statistics import quantiles

import pytest

from rollout.clock import SystemClock
from rollout.engine.observation import BackendKey
from rollout.failover.health import Health
from rollout.probes.probes import LoopProbes
from rollout.signals import ProbeAsk, Target
from rollout.spec.probe import HttpProbe, ProbeSignal, TcpProbe
from tests.waiting import until

TARGETS = 2000
SECONDS = 5.0
ROUNDS = 4
MOST_LATE_SECONDS = 0.1
FILES = 8192


@contextmanager
def many_files() -> Iterator[None]:
    """Let this process have a connection to each target."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, FILES)), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@asynccontextmanager
async def probed() -> AsyncIterator[list[int]]:
    """Run what is probed; return the ports for HTTP and TCP."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.bench.probe_targets"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        yield [int(port) for port in (await child.stdout.readline()).split()]
    finally:
        child.stdin.close()
        await child.wait()


@dataclass(frozen=True, slots=True)
class Figures:
    """What a while of probing came to."""

    per_second: float
    part: float
    late: float

    def __str__(self) -> str:
        """Return all in one line."""
        each = self.part / self.per_second * 1e6
        return (
            f"{self.per_second:.0f}/s, {self.part:.0%} of a core, {each:.0f} µs each, "
            f"lateness p99 {self.late * 1000:.1f} ms"
        )


async def measured(late: list[float]) -> Figures:
    """Measure for a while."""
    late.clear()
    began, used = time.perf_counter(), time.process_time()
    await asyncio.sleep(SECONDS)
    lasted = time.perf_counter() - began
    return Figures(len(late) / lasted, (time.process_time() - used) / lasted, quantiles(late, n=100)[98])


@pytest.mark.parametrize(
    ("signal", "place", "most_part"),
    [
        pytest.param(ProbeSignal(http=HttpProbe(path="/healthz"), rise=1), 0, 0.6, id="http"),
        pytest.param(ProbeSignal(tcp=TcpProbe(), rise=1), 1, 0.3, id="tcp"),
    ],
)
async def test_two_thousand_probes_a_second(signal: ProbeSignal, place: int, most_part: float) -> None:
    """A part of a core, and none much too late in the best of a few rounds: neighbours make all of them late."""
    late: list[float] = []
    with many_files():
        async with probed() as ports:
            wanted = {
                ProbeAsk(BackendKey("shop", f"web-{number}"), signal): (
                    Target(f"127.0.{number // 250 + 1}.{number % 250 + 1}", ports[place]),
                )
                for number in range(TARGETS)
            }
            probes = LoopProbes(SystemClock(), late=late.append)
            await probes.start()
            probes.want(wanted)
            try:
                await until(lambda: len(late) > 2 * TARGETS, seconds=20)
                rounds = [await measured(late) for _ in range(ROUNDS)]
                well = sum(probes.read(ask).health is Health.HEALTHY for ask in wanted)
            finally:
                await probes.aclose()
    for figures in rounds:
        print(f"\n{figures}", end="")  # noqa: T201
    best = min(rounds, key=lambda figures: figures.late)

    assert well == TARGETS
    assert best.per_second >= 0.99 * TARGETS
    assert best.part <= most_part
    assert best.late <= MOST_LATE_SECONDS
