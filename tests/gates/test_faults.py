"""Who gave no answer is told from who said no: the gate that was not reached, and the one that was never asked."""

import errno
import os
import socket
from pathlib import Path

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from rollout.clock import SystemClock
from rollout.engine.hooks import Fault
from rollout.gates.addresses import AllowList
from rollout.gates.http import HttpGates
from tests.gates.test_http import HERE, at
from tests.prometheus.liar import Answer, breaks_off, hangs, lying, says
from tests.tools import free_port


class Exhausted(AbstractResolver):
    """A resolver of a program that fails with this number."""

    def __init__(self, number: int) -> None:
        """Fail with `number`."""
        self._number = number

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Fail."""
        raise OSError(self._number, os.strerror(self._number))

    async def close(self) -> None:
        """There is nothing to close."""


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (hangs, Fault.UNREACHABLE),
        (breaks_off, Fault.NONE),
        (says("no", status=503), Fault.NONE),
        (says(""), Fault.NONE),
    ],
)
async def test_who_does_not_answer_was_not_reached(answer: Answer, fault: Fault) -> None:
    """A status is an answer, whichever it is and whatever becomes of its body."""
    async with lying() as server, HttpGates(HERE, SystemClock()) as gates:
        server.answers = [answer]
        said = await gates.ask(at(server.url, patience="200ms"))

    assert said.fault is fault


async def test_who_refuses_connections_was_not_reached() -> None:
    """Nobody listens there."""
    async with HttpGates(HERE, SystemClock()) as gates:
        said = await gates.ask(at(f"http://127.0.0.1:{free_port()}"))

    assert said.fault is Fault.UNREACHABLE


async def test_without_its_secret_nobody_was_asked(tmp_path: Path) -> None:
    """That is the operator's fault and not the gate's."""
    async with HttpGates(HERE, SystemClock(), secret_file=tmp_path / "missing") as gates:
        said = await gates.ask(at("http://127.0.0.1:9"))

    assert (said.agrees, said.fault) == (False, Fault.OURS)


@pytest.mark.parametrize(("number", "fault"), [(errno.EMFILE, Fault.OURS), (errno.EHOSTUNREACH, Fault.UNREACHABLE)])
async def test_what_we_lack_ourselves_is_our_own_fault(number: int, fault: Fault) -> None:
    """Without a file or memory left no gate can be called, whether it is there or not."""
    async with HttpGates(AllowList(["ci.example"]), SystemClock(), resolver=Exhausted(number)) as gates:
        said = await gates.ask(at("http://ci.example"))

    assert said.fault is fault


async def test_closed_gates_ask_nobody() -> None:
    """As while the controller ends."""
    said = await HttpGates(HERE, SystemClock()).ask(at("http://127.0.0.1:9"))

    assert said.fault is Fault.OURS
