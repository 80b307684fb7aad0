"""What every ``Gates`` does: the fake, and gates over HTTP."""

from collections.abc import AsyncIterator

import pytest

from rollout.clock import SystemClock
from rollout.engine.hooks import GateAnswer
from rollout.gates.addresses import AllowList
from rollout.gates.http import HttpGates
from rollout.ports import GateCall, Gates
from rollout.spec.resource import Gate
from tests.fakes.gates import FakeGates
from tests.prometheus.liar import Liar, lying, says


class FakeWorld:
    """The fake, told what to answer."""

    url = "http://gate.example/"

    def __init__(self) -> None:
        self._gates = FakeGates()

    @property
    def gates(self) -> Gates:
        """Return the gates."""
        return self._gates

    def answers(self, *, agrees: bool) -> None:
        """Let the gate say yes or no from now on."""
        said = "answered 200: fine" if agrees else "answered 503: busy"
        self._gates.answers[self.url] = GateAnswer(agrees=agrees, message=said)


class HttpWorld:
    """Gates over HTTP before a server."""

    def __init__(self, server: Liar, gates: HttpGates) -> None:
        self.url = server.url
        self.gates: Gates = gates
        self._server = server

    def answers(self, *, agrees: bool) -> None:
        """Let the gate say yes or no from now on."""
        self._server.answers = [says("fine") if agrees else says("busy", status=503)]


@pytest.fixture(params=["fake", "http"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[FakeWorld | HttpWorld]:
    """Return a world of each kind."""
    if request.param == "fake":
        yield FakeWorld()
        return
    async with lying() as server, HttpGates(AllowList(["127.0.0.1"]), SystemClock()) as gates:
        yield HttpWorld(server, gates)


def _call(world: FakeWorld | HttpWorld) -> GateCall:
    return GateCall("gt_1", Gate(url=world.url, name="a", retries=0), {})


@pytest.mark.parametrize(("agrees", "said"), [(True, "answered 200: fine"), (False, "answered 503: busy")])
async def test_an_answer_says_yes_or_no_and_what_came(world: FakeWorld | HttpWorld, *, agrees: bool, said: str) -> None:
    """The engine reads the first, people the second."""
    world.answers(agrees=agrees)

    assert await world.gates.ask(_call(world)) == GateAnswer(agrees=agrees, message=said)


async def test_a_gate_may_change_its_mind(world: FakeWorld | HttpWorld) -> None:
    """Each call asks anew."""
    world.answers(agrees=False)
    first = await world.gates.ask(_call(world))
    world.answers(agrees=True)
    second = await world.gates.ask(_call(world))

    assert (first.agrees, second.agrees) == (False, True)
