"""A gate agrees with 2xx and nothing else, and only hosts of the operator's list are called."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from rollout.errors import NotOursError
from rollout.gates.http import MOST_SHOWN, GuardedResolver, HttpGates, refuse_address
from rollout.spec.resource import Gate
from tests.prometheus.liar import Liar, breaks_off, drips, hangs, lying, says
from tests.tools import free_port

BODY = {"rollout": "shop/checkout", "step": 1}


@pytest.fixture
async def gate_server() -> AsyncIterator[Liar]:
    """Run a server that answers as it is told."""
    async with lying() as server:
        yield server


@pytest.fixture
async def gates() -> AsyncIterator[HttpGates]:
    """Return gates that may call this machine."""
    async with HttpGates(frozenset({"127.0.0.1", "localhost"})) as made:
        yield made


def at(url: str, *, patience: str = "5s") -> Gate:
    """Return a gate with this URL."""
    return Gate.model_validate({"url": url, "name": "load-test", "timeout": patience})


async def test_the_gate_is_told_of_what_it_decides(gate_server: Liar, gates: HttpGates) -> None:
    """A POST with a JSON body to the very URL."""
    bodies: list[object] = []

    async def yes(request: web.Request) -> web.Response:
        bodies.append(await request.json())
        return web.Response(text="go ahead")

    gate_server.answers = [yes]
    answer = await gates.ask(at(f"{gate_server.url}/ok?team=a"), body=BODY)

    assert (answer.agrees, answer.message) == (True, "answered 200: go ahead")
    assert bodies == [BODY]
    assert [(r.method, r.path_qs) for r in gate_server.seen] == [("POST", "/ok?team=a")]


@pytest.mark.parametrize(
    ("status", "agrees"),
    [(200, True), (204, True), (299, True), (304, False), (400, False), (404, False), (500, False)],
)
async def test_only_2xx_agrees(gate_server: Liar, gates: HttpGates, *, status: int, agrees: bool) -> None:
    """Everything else is a no with its status."""
    gate_server.answers = [says("", status=status)]
    answer = await gates.ask(at(gate_server.url), body=BODY)

    assert answer.agrees is agrees
    assert str(status) in answer.message


async def test_a_redirect_is_a_no_and_is_not_followed(gate_server: Liar, gates: HttpGates) -> None:
    """Who may be called is decided by the first URL."""

    async def away(_: web.Request) -> web.Response:
        raise web.HTTPFound(f"{gate_server.url}/inside")

    gate_server.answers = [away]
    answer = await gates.ask(at(gate_server.url), body=BODY)

    assert (answer.agrees, answer.message) == (False, "answered 302, a redirect, which is not followed")
    assert len(gate_server.seen) == 1


async def test_a_silent_gate_is_a_no_in_time(gate_server: Liar, gates: HttpGates) -> None:
    """The limit of the gate is told."""
    gate_server.answers = [hangs]
    answer = await gates.ask(at(gate_server.url, patience="200ms"), body=BODY)

    assert (answer.agrees, answer.message) == (False, "no answer within 0.2 s")


async def test_an_answer_without_end_is_not_waited_for(gate_server: Liar, gates: HttpGates) -> None:
    """The status decides; of what trickles after it only the beginning is read."""
    gate_server.answers = [drips]
    async with asyncio.timeout(10):
        answer = await gates.ask(at(gate_server.url, patience="60s"), body=BODY)

    assert (answer.agrees, answer.message) == (True, "answered 200")


async def test_an_answer_that_breaks_off_is_told(gate_server: Liar, gates: HttpGates) -> None:
    """No exception leaves the adapter."""
    gate_server.answers = [breaks_off]
    answer = await gates.ask(at(gate_server.url), body=BODY)

    assert answer.message


async def test_nobody_there_is_a_no(gates: HttpGates) -> None:
    """A refused connection is told as such."""
    answer = await gates.ask(at(f"http://127.0.0.1:{free_port()}"), body=BODY)

    assert not answer.agrees
    assert "cannot be called" in answer.message


async def test_only_the_beginning_of_an_answer_is_shown(gate_server: Liar, gates: HttpGates) -> None:
    """Bounded, on one line, without what a terminal would obey."""
    gate_server.answers = [says(b"a\n\x1b[31mb\xff" + b"x" * 100_000, status=409)]
    answer = await gates.ask(at(gate_server.url), body=BODY)

    assert answer.message.startswith("answered 409: a [31mb")
    assert len(answer.message) <= MOST_SHOWN + 20
    assert answer.message.isprintable()


@pytest.mark.parametrize(
    ("allowed", "refused"),
    [
        ([], True),
        (["ci.example"], True),
        (["127.0.0.1:1"], True),
        (["127.0.0.1"], False),
        (["127.0.0.1:{port}"], False),
    ],
)
async def test_hosts_that_are_not_listed_are_not_called(
    gate_server: Liar, *, allowed: list[str], refused: bool
) -> None:
    """By name, or by name and port; no list means none."""
    gate_server.answers = [says("ok")]
    port = gate_server.url.rsplit(":", 1)[1]
    async with HttpGates(frozenset(one.format(port=port) for one in allowed)) as gates:
        answer = await gates.ask(at(gate_server.url), body=BODY)

    assert answer.agrees is not refused
    assert bool(gate_server.seen) is not refused
    assert not refused or answer.message == "host 127.0.0.1 is not on the operator's list of allowed hosts"


async def test_a_port_that_cannot_be_is_a_no(gates: HttpGates) -> None:
    """It is told, not raised."""
    answer = await gates.ask(at("http://localhost:99999/"), body=BODY)

    assert (answer.agrees, answer.message) == (False, "the URL has a port that cannot be")


async def test_names_are_the_same_in_any_case(gate_server: Liar, gates: HttpGates) -> None:
    """``LOCALHOST`` is ``localhost``."""
    gate_server.answers = [says("ok")]
    port = gate_server.url.rsplit(":", 1)[1]

    assert (await gates.ask(at(f"http://LOCALHOST:{port}"), body=BODY)).agrees


@pytest.mark.parametrize("host", ["169.254.169.254", "[fe80::1]", "[::ffff:169.254.169.254]", "0.0.0.0"])  # noqa: S104 - to be refused
async def test_link_local_addresses_are_never_called(host: str) -> None:
    """Not even when the operator lists them."""
    async with HttpGates(frozenset({host.strip("[]"), "::ffff:a9fe:a9fe"})) as gates:
        answer = await gates.ask(at(f"http://{host}/latest"), body=BODY)

    assert not answer.agrees
    assert "may not be called" in answer.message


@pytest.mark.parametrize(
    "address",
    ["169.254.1.1", "fe80::1%eth0", "::ffff:169.254.1.1", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "::", "224.0.0.1"],
)
def test_addresses_in_disguise_are_refused(address: str) -> None:
    """IPv4 link-local inside IPv6 in its usual clothes, unspecified and multicast."""
    with pytest.raises(NotOursError, match="may not be called"):
        refuse_address(address)


@pytest.mark.parametrize("address", ["10.0.0.1", "127.0.0.1", "::1", "2001:db8::1", "64:ff9b::a00:1"])
def test_other_addresses_may_be_called(address: str) -> None:
    """The list of hosts decides about them."""
    refuse_address(address)


async def test_a_name_is_judged_by_all_its_addresses() -> None:
    """Also where the number is written in an odd way, which only the resolver understands."""
    resolver = GuardedResolver()
    with pytest.raises(NotOursError, match=r"169\.254\.169\.254"):
        await resolver.resolve("0xa9fea9fe", 80)
    found = await resolver.resolve("127.0.0.1", 80)
    await resolver.close()

    assert [one["host"] for one in found] == ["127.0.0.1"]


async def test_closed_gates_say_no() -> None:
    """Before they are opened nothing is called."""
    answer = await HttpGates(frozenset({"127.0.0.1"})).ask(at("http://127.0.0.1:1"), body=BODY)

    assert (answer.agrees, answer.message) == (False, "gates are closed")
