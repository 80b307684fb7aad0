"""What is slow on the way to a gate is bounded by its time limit, and delays nobody else."""

import asyncio
import os
import socket
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from rollout.aside import THREAD
from rollout.clock import SystemClock
from rollout.engine.hooks import Fault, GateAnswer
from rollout.gates.addresses import AllowList
from rollout.gates.http import HttpGates
from rollout.gates.places import MOST_ALIKE, MOST_CALLS, Places
from rollout.ports import GateCall
from rollout.spec.resource import Gate
from tests.prometheus.liar import Answer, Liar, hangs, lying, says
from tests.waiting import patient, until

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SILENT = "silent.example"
MORE_THAN_THREADS = min(32, (os.cpu_count() or 1) + 4) + 1
"""So many calls would take all threads of the loop's own pool."""


@pytest.fixture
async def gate_server() -> AsyncIterator[Liar]:
    """Run a server that answers as it is told."""
    async with lying() as server:
        yield server


@pytest.fixture
async def blocked() -> AsyncIterator[threading.Event]:
    """Return what slow calls wait for; at the end they go on, and are gone."""
    go = threading.Event()
    yield go
    go.set()
    await until(lambda: not any(thread.name == THREAD for thread in threading.enumerate()))


@pytest.fixture
def looks(blocked: threading.Event, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Make the name server of one name silent, and return the looks at that name."""
    look, seen = socket.getaddrinfo, list[str]()

    def slow(host: str, *rest: object, **options: object) -> object:
        if host == SILENT:
            seen.append(host)
            blocked.wait(30)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return look(host, *rest, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    return seen


def at(url: str, *, patience: str = "200ms", retries: int = 0, namespace: str = "shop") -> GateCall:
    """Return the call of a gate with this URL, for a Rollout of this namespace."""
    gate = {"url": url, "name": "ci", "timeout": patience, "retries": retries}
    return GateCall("gt_1", Gate.model_validate(gate), {"namespace": namespace})


async def asked_often(gates: HttpGates, url: str) -> set[str]:
    """Return what is said to more calls than the loop has threads, half of them retried."""
    calls = (gates.ask(at(url, retries=n % 2)) for n in range(MORE_THAN_THREADS))
    return {answer.message for answer in await asyncio.gather(*calls)}


async def test_a_silent_name_server_takes_no_thread_of_others(gate_server: Liar, looks: list[str]) -> None:
    """Neither route files nor probes wait for it, nor other gates."""
    gate_server.answers = [says("now")]
    async with HttpGates(AllowList([SILENT, "localhost"]), SystemClock()) as gates:
        said = await asked_often(gates, f"http://{SILENT}/")
        async with asyncio.timeout(patient(1)):
            await asyncio.to_thread(lambda: None)
            await asyncio.get_running_loop().getaddrinfo("127.0.0.1", 80)
            other = await gates.ask(at(gate_server.url.replace("127.0.0.1", "localhost"), patience="5s"))

    assert said == {"no answer within 0.2 s"}
    assert other.agrees


async def test_a_silent_name_server_holds_one_thread(looks: list[str]) -> None:
    """However often the name is asked for."""
    async with HttpGates(AllowList([SILENT]), SystemClock()) as gates:
        await asked_often(gates, f"http://{SILENT}/")
        await asked_often(gates, f"http://{SILENT}:81/")

    assert looks == [SILENT]


async def test_names_that_do_not_come_back_are_a_fault_of_ours_when_too_many(
    blocked: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gate was not asked, and the sentence says why."""
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: blocked.wait(30) and [])
    names = [f"silent-{n}.example" for n in range(20)]
    async with HttpGates(AllowList(names), SystemClock()) as gates:
        answers = await asyncio.gather(*(gates.ask(at(f"http://{name}/")) for name in names))
    said = [(one.fault, one.message) for one in answers]
    many = "cannot be called: the name server of gates has calls that do not come back"

    assert (said.count((Fault.OURS, many)), len(said)) == (4, 20)
    assert said.count((Fault.UNREACHABLE, "no answer within 0.2 s")) == 16


async def test_a_slow_secret_file_counts_against_the_time_limit(
    gate_server: Liar, blocked: threading.Event, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is called unsigned, and the bound of time holds; the loop's own threads stay free."""
    file = tmp_path / "gates.secret"
    file.write_text(SECRET, encoding="utf-8")
    opens = Path.open

    def slow(path: Path, mode: str = "r") -> object:
        if path == file:
            blocked.wait(30)
        return opens(path, mode)

    monkeypatch.setattr(Path, "open", slow)
    async with HttpGates(AllowList(["127.0.0.1"]), SystemClock(), secret_file=file) as gates:
        async with asyncio.timeout(patient(2.5)):
            said = await asked_often(gates, gate_server.url)
            await asyncio.to_thread(lambda: None)

    assert said == {"cannot be called: the operator's signing secret cannot be used"}
    assert gate_server.seen == []


# ---------------------------------------------------------------- bodies


def late(seconds: float, status: int = 200) -> Answer:
    """Return who answers with a status after a time, and with no body ever."""

    async def answer(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        response = web.StreamResponse(status=status)
        response.enable_chunked_encoding()
        await response.prepare(request)
        return await hangs(request)

    return answer


@pytest.mark.parametrize(("seconds", "limit"), [(0.0, 0.9), (2.2, 3.0)])
@pytest.mark.parametrize(("status", "agrees"), [(200, True), (403, False)])
async def test_the_status_decides_also_near_the_end_of_the_time_limit(
    gate_server: Liar, *, seconds: float, limit: float, status: int, agrees: bool
) -> None:
    """A body that comes too late changes only the message, and is waited for no longer than the limit."""
    gate_server.answers = [late(seconds, status)]
    began = time.monotonic()
    async with HttpGates(AllowList(["127.0.0.1"]), SystemClock()) as gates:
        answer = await gates.ask(at(gate_server.url, patience=f"{limit * 1000:.0f}ms", retries=2))

    assert answer == GateAnswer(agrees=agrees, message=f"answered {status}")
    assert len(gate_server.seen) == 1
    assert time.monotonic() - began < patient(limit + 0.6)


# ---------------------------------------------------------------- places


@pytest.mark.parametrize(("host", "namespace"), [("localhost", "shop"), ("127.0.0.1", "bank")])
async def test_silent_gates_of_others_do_not_delay_mine(gate_server: Liar, *, host: str, namespace: str) -> None:
    """One host has only some of the places for one namespace, however many calls wait for it."""

    async def answer(request: web.Request) -> web.StreamResponse:
        return await hangs(request) if request.path == "/silent" else web.Response(text="now")

    gate_server.answers = [answer]
    async with HttpGates(AllowList(["127.0.0.1", "localhost"]), SystemClock()) as gates:
        silent = at(f"{gate_server.url}/silent", patience="60s")
        others = [asyncio.create_task(gates.ask(silent)) for _ in range(2 * MOST_CALLS)]
        await until(lambda: len(gate_server.seen) == MOST_ALIKE)
        async with asyncio.timeout(patient(2)):
            mine = await gates.ask(at(gate_server.url.replace("127.0.0.1", host), patience="5s", namespace=namespace))
        for one in others:
            one.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    assert mine.agrees


async def test_no_more_calls_than_places_in_all() -> None:
    """Whatever their hosts; who leaves lets the next one in."""
    places, here = Places(most=2, most_alike=1), list[str]()
    go = asyncio.Event()

    async def call(host: str) -> None:
        async with places.one(host, "shop"):
            here.append(host)
            await go.wait()

    calls = [asyncio.create_task(call(host)) for host in ("a", "a", "b", "c")]
    await until(lambda: len(here) == 2)
    first = list(here)
    go.set()
    await asyncio.gather(*calls)

    assert first == ["a", "b"]
    assert sorted(here) == ["a", "a", "b", "c"]
