"""Facts about replicas as programs of their own: what signals do to who may act."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from rollout.kube.resources import LEASES
from tests.kubernetes.cluster import CONTROLLER, Cluster
from tests.waiting import until

LEASE_SECONDS = 2.0
SHARD = "rollout-controller-0"


@dataclass(slots=True)
class Program:
    """A replica that runs; ``looks`` are what it wrote down."""

    name: str
    log: Path
    process: asyncio.subprocess.Process

    def looks(self) -> list[tuple[bool, float]]:
        """Return at which times it might act, and at which not."""
        lines = self.log.read_text(encoding="utf-8").split("\n")[:-1] if self.log.exists() else []
        return [(line[0] == "+", float(line[2:])) for line in lines]

    @property
    def acts(self) -> bool:
        """Return whether it did when it looked last."""
        looks = self.looks()
        return bool(looks) and looks[-1][0]

    def acted(self) -> list[float]:
        """Return the times at which it might act."""
        return [at for held, at in self.looks() if held]


class Programs:
    """Those of one namespace."""

    def __init__(self, cluster: Cluster, namespace: str, folder: Path) -> None:
        """Begin without any."""
        self.cluster = cluster
        self.namespace = namespace
        self._folder = folder
        self._begun: list[Program] = []

    async def begin(self, name: str) -> Program:
        """Let one more compete, and wait until it does."""
        log = self._folder / f"{name}.log"
        arguments = (str(self.cluster.kubeconfig(CONTROLLER)), self.namespace, name, str(LEASE_SECONDS), str(log))
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.kubernetes.acting.program", *arguments
        )
        program = Program(name, log, process)
        self._begun.append(program)
        await until(program.looks, seconds=20)
        return program

    async def two(self) -> tuple[Program, Program]:
        """Return one that acts, and one that waits."""
        first = await self.begin("a")
        await until(lambda: first.acts)
        return first, await self.begin("b")

    async def end(self) -> None:
        """Leave none behind."""
        for program in self._begun:
            if program.process.returncode is None:
                program.process.kill()
            await program.process.wait()

    def holder(self) -> str:
        """Return whom the Lease names."""
        _, lease = self.cluster.ask("GET", LEASES.path(self.namespace, SHARD))
        return str(lease["spec"]["holderIdentity"])


@pytest.fixture
async def programs(cluster: Cluster, namespace: str, tmp_path: Path) -> AsyncIterator[Programs]:
    """Return programs of which none has begun."""
    made = Programs(cluster, namespace, tmp_path)
    try:
        yield made
    finally:
        await made.end()


def are_apart(first: Program, second: Program) -> bool:
    """Return whether all that the first did lies before all that the second did."""
    return max(first.acted()) < min(second.acted())


async def test_who_stood_still_knows_at_once_that_it_holds_nothing(programs: Programs) -> None:
    """SIGSTOP, another takes over, SIGCONT: not one look of the first after that says that it may act."""
    first, second = await programs.two()
    first.process.send_signal(signal.SIGSTOP)
    await until(lambda: second.acts, seconds=LEASE_SECONDS + 2)
    before = len(first.looks())
    first.process.send_signal(signal.SIGCONT)
    await until(lambda: len(first.looks()) > before + 200, seconds=10)

    assert are_apart(first, second)
    assert not [held for held, _ in first.looks()[before:] if held]
    assert programs.holder().startswith("b-")


async def test_who_stood_still_for_a_moment_goes_on(programs: Programs) -> None:
    """Shorter than a renewal: nothing was lost, and nobody took it."""
    first, second = await programs.two()
    first.process.send_signal(signal.SIGSTOP)
    since = len(second.looks())
    await until(lambda: len(second.looks()) > since + 50)
    before = len(first.looks())
    first.process.send_signal(signal.SIGCONT)
    await until(lambda: len(first.looks()) > before + 200)

    assert all(held for held, _ in first.looks()[before:])
    assert second.acted() == []


async def test_sigterm_gives_the_lease_back(programs: Programs) -> None:
    """The other need not wait for its end."""
    first, second = await programs.two()
    first.process.terminate()
    code = await asyncio.wait_for(first.process.wait(), 5)
    await until(lambda: second.acts)

    assert code == 0
    assert are_apart(first, second)
    assert min(second.acted()) - max(first.acted()) < LEASE_SECONDS / 2


async def test_sigkill_is_waited_for(programs: Programs) -> None:
    """Who died may for all that others know be alive: its Lease runs out first."""
    first, second = await programs.two()
    first.process.kill()
    await until(lambda: second.acts, seconds=LEASE_SECONDS + 2)

    assert min(second.acted()) - max(first.acted()) > LEASE_SECONDS * 2 / 3
