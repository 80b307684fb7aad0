"""Only hosts of the operator's list are called, and nothing inside this machine by a detour."""

import socket
from collections.abc import AsyncIterator

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from rollout.aside import Aside
from rollout.clock import SystemClock
from rollout.engine.hooks import GateAnswer
from rollout.errors import NotOursError
from rollout.gates.addresses import AllowList, GuardedResolver, refuse_address
from rollout.gates.http import HttpGates
from rollout.names import ResolverAside
from rollout.ports import GateCall
from rollout.spec.resource import Gate
from tests.prometheus.liar import Liar, lying, says


class Names(AbstractResolver):
    """A resolver that gives a name these addresses, another at each question."""

    def __init__(self, *answers: str) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the next address, the last one for ever."""
        self.asked.append(host)
        address = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        kind = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [{"hostname": host, "host": address, "port": port, "family": kind, "proto": 0, "flags": 0}]

    async def close(self) -> None:
        """Do nothing."""


@pytest.fixture
async def gate_server() -> AsyncIterator[Liar]:
    """Run a server that says yes."""
    async with lying() as server:
        server.answers = [says("ok")]
        yield server


async def asked(url: str, *allowed: str, resolver: AbstractResolver | None = None) -> GateAnswer:
    """Return the answer of a gate with this URL, where these hosts are allowed."""
    async with HttpGates(AllowList(allowed), SystemClock(), resolver=resolver) as gates:
        return await gates.ask(GateCall("gt_1", Gate.model_validate({"url": url, "name": "ci", "timeout": "2s"}), {}))


def port_of(server: Liar) -> str:
    """Return the port of the server."""
    return server.url.rsplit(":", 1)[1]


# ---------------------------------------------------------------- the list


@pytest.mark.parametrize(
    ("allowed", "refused"),
    [
        ([], True),
        (["ci.example"], True),
        (["localhost"], True),
        (["127.0.0.1:1"], True),
        (["127.0.0.1"], False),
        (["127.0.0.1:{port}"], False),
    ],
)
async def test_hosts_that_are_not_listed_are_not_called(
    gate_server: Liar, *, allowed: list[str], refused: bool
) -> None:
    """By name, or by name and port; no list means none."""
    answer = await asked(gate_server.url, *(one.format(port=port_of(gate_server)) for one in allowed))

    assert answer.agrees is not refused
    assert bool(gate_server.seen) is not refused
    assert not refused or answer.message == "host 127.0.0.1 is not on the operator's list of allowed hosts"


@pytest.mark.parametrize(
    ("entry", "url"),
    [
        ("LOCALHOST", "http://localhost:{port}/"),
        ("localhost", "http://LocalHost:{port}/"),
        ("localhost:{port}", "http://localhost:{port}/"),
    ],
)
async def test_names_are_the_same_however_they_are_written(gate_server: Liar, entry: str, url: str) -> None:
    """In any case."""
    port = port_of(gate_server)

    assert (await asked(url.format(port=port), entry.format(port=port))).agrees


@pytest.mark.parametrize(
    ("entry", "url", "takes"),
    [
        ("[::1]:8080", "http://[::1]:8080/", True),
        ("[::1]:8080", "http://[::1]:8081/", False),
        ("::1", "http://[0:0:0:0:0:0:0:1]:9/", True),
        ("[2001:db8::1]", "https://[2001:DB8::1]/", True),
        ("ci.example:443", "https://ci.example/", True),
        ("ci.example:443", "http://ci.example/", False),
        ("ci.example", "https://ci.example.evil/", False),
        ("ci.example", "https://evil/ci.example", False),
        ("ci.example", r"https://evil\@ci.example/", False),
        ("ci.example", "https://user@ci.example/", False),
        ("ci.example", "https://ci.example:99999/", False),
        ("0177.0.0.1", "http://0177.0.0.1/", False),
        ("2130706433", "http://2130706433/", False),
    ],
)
def test_which_urls_the_list_lets_through(entry: str, url: str, *, takes: bool) -> None:
    """Host and port as the client will read them; what only looks like an address is none."""
    allowed = AllowList([entry])
    try:
        passed = bool(allowed.checked(url))
    except NotOursError:
        passed = False

    assert passed is takes


# ---------------------------------------------------------------- addresses

SPECIAL = [
    *("127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::1", "::7f00:1"),
    *("169.254.169.254", "fe80::1%eth0", "::ffff:169.254.1.1", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1"),
    *("0.0.0.0", "::", "224.0.0.1", "ff02::1", "0.1.2.3", "255.255.255.255", "fec0::1"),  # noqa: S104 - to be refused
    *("::ffff:0:7f00:1", "::ffff:0:a9fe:a9fe", "::5efe:127.0.0.1", "2001:db8::200:5efe:169.254.169.254"),
    *("64:ff9b:1:a9fe:a9:fe00:102:304", "64:ff9b:1::127.0.0.1", "::ffff:255.255.255.255", "2002:6464:64c8::1"),
    *("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254", "::ffff:168.63.129.16"),
]


@pytest.mark.parametrize("address", SPECIAL)
def test_no_name_leads_to_a_special_address(address: str) -> None:
    """This machine, its link and site, everybody, the clouds' own services; also IPv4 in any clothes of IPv6."""
    with pytest.raises(NotOursError, match="may not be called"):
        refuse_address(address)


ORDINARY = [
    *("10.0.0.1", "192.168.1.1", "100.64.0.1", "1.2.3.4", "2001:db8::1", "64:ff9b::a00:1", "fd00::1"),
    *("64:ff9b:1:a00:0:100:a00:1", "::ffff:0:a00:1", "2001:db8::5efe:10.0.0.1", "::ffff:10.0.0.1"),
]


@pytest.mark.parametrize("address", ORDINARY)
def test_a_name_may_lead_to_other_addresses(address: str) -> None:
    """Private ones, too: the list of names decides about them."""
    refuse_address(address)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_localhost_leads_to_this_machine(address: str) -> None:
    """Where the operator lists it."""
    refuse_address(address, loopback=True)


async def test_localhost_leads_nowhere_else() -> None:
    """A resolver that says otherwise is not believed."""
    answer = await asked("http://localhost/", "localhost", resolver=Names("169.254.169.254"))

    assert (answer.agrees, answer.message) == (False, "address 169.254.169.254 may not be called")


@pytest.mark.parametrize("address", ["169.254.169.254", "127.0.0.1", "::ffff:169.254.169.254"])
async def test_a_listed_name_that_leads_there_is_not_called(gate_server: Liar, address: str) -> None:
    """The name is judged by what it resolves to, and no second try is made of it."""
    names = Names(address)
    answer = await asked(f"http://ci.example:{port_of(gate_server)}/", "ci.example", "127.0.0.1", resolver=names)

    assert (answer.agrees, answer.tries) == (False, 1)
    assert answer.message.endswith("may not be called")
    assert (gate_server.seen, names.asked) == ([], ["ci.example"])


async def test_a_name_is_looked_at_again_at_each_connection() -> None:
    """One that changes its mind after the first look gains nothing by it."""
    names = Names("10.255.255.1", "169.254.169.254")
    resolver = GuardedResolver(names)
    first = await resolver.resolve("ci.example", 80)
    with pytest.raises(NotOursError):
        await resolver.resolve("ci.example", 80)
    await resolver.close()

    assert [one["host"] for one in first] == ["10.255.255.1"]


@pytest.mark.parametrize("host", ["169.254.169.254", "[fe80::1]", "0.0.0.0", "127.0.0.1"])  # noqa: S104 - to be refused
def test_an_address_is_called_where_the_list_names_it(host: str) -> None:
    """The operator has said so; another spelling of a range is not enough."""
    assert AllowList([host]).checked(f"http://{host}:8080/").port == 8080
    with pytest.raises(NotOursError, match="not on the operator's list"):
        AllowList(["localhost", "10.0.0.1"]).checked(f"http://{host}/")


async def test_odd_ways_to_write_an_address_are_resolved_and_refused() -> None:
    """Also where only the system's resolver understands them."""
    resolver = GuardedResolver(ResolverAside(Aside("gates")))
    with pytest.raises(NotOursError, match=r"169\.254\.169\.254"):
        await resolver.resolve("0xa9fea9fe", 80)
    await resolver.close()


async def test_a_name_that_leads_nowhere_is_told(gate_server: Liar) -> None:
    """As a connection that could not be made."""

    class Nothing(Names):
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
        ) -> list[ResolveResult]:
            raise OSError(f"no address of {host}")

    answer = await asked("http://ci.example/", "ci.example", resolver=Nothing(""))

    assert not answer.agrees
    assert answer.message.startswith("cannot be called: ")
