"""The gate of the page takes signed calls of ours, and no others."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import pytest

from rollout.clock import SystemClock
from rollout.engine.hooks import GateAnswer
from rollout.gates.addresses import AllowList
from rollout.gates.http import HttpGates
from rollout.ports import GateCall
from rollout.spec.resource import Gate
from tests.gates.test_http import OTHER, SECRET
from tests.house.generate import ROOT
from tests.house.test_docs import blocks
from tests.tools import free_port
from tests.waiting import patient

pytestmark = pytest.mark.real

PAGE = ROOT / "docs" / "how-to" / "gates.md"
ALWAYS, NEVER = 7, 0


@contextmanager
def gate(folder: Path, *, days: int = ALWAYS) -> Iterator[int]:
    """Run the gate of the page, which is open on so many days of a week; yield its port once it listens."""
    [code] = blocks(PAGE, "python")
    (folder / "gate.py").write_text(code, encoding="utf-8")
    (folder / "gates.secret").write_text(f"{SECRET}\n", encoding="utf-8")
    port = free_port()
    command = [sys.executable, "-W", "error", "gate.py", str(port), "gates.secret", str(days)]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL) as process:
        try:
            yield port
        finally:
            process.kill()


async def asked(
    port: int, folder: Path, *, secret: str | None = SECRET, hook: str = "beforeStart", late: float = 0.0
) -> GateAnswer:
    """Call the gate as the controller does, with a clock that is `late`; wait until it listens."""
    file = folder / "ours.secret"
    file.write_text(f"{secret}\n", encoding="utf-8")

    class Late(SystemClock):
        def now(self) -> float:
            return super().now() - late

    call = GateCall(
        "gt_1",
        Gate.model_validate({"url": f"http://127.0.0.1:{port}/", "name": "ci", "retries": 0}),
        {"hook": hook, "revision": "2"},
    )
    until = time.monotonic() + patient(10.0)
    async with HttpGates(AllowList(["127.0.0.1"]), Late(), secret_file=file if secret else None) as gates:
        answer = await gates.ask(call)
        while "Connect" in answer.message and time.monotonic() < until:
            answer = await gates.ask(call)
    return answer


async def test_a_signed_call_is_answered(tmp_path: Path) -> None:
    """With what the gate decides."""
    with gate(tmp_path) as port:
        answer = await asked(port, tmp_path)

    assert (answer.agrees, answer.message) == (True, "answered 200: go ahead with 2")


@pytest.mark.parametrize(("hook", "agrees"), [("beforeStart", False), ("step", True)])
async def test_the_gate_knows_what_it_is_asked(tmp_path: Path, hook: str, *, agrees: bool) -> None:
    """Where no day is good, no attempt starts, and those under way go on."""
    with gate(tmp_path, days=NEVER) as port:
        answer = await asked(port, tmp_path, hook=hook)

    assert answer.agrees is agrees
    assert agrees or answer.message == "answered 403: not at the weekend"


@pytest.mark.parametrize(("secret", "late"), [(None, 0), (OTHER, 0), (SECRET, 400), (SECRET, -400)])
async def test_a_call_that_is_not_ours_is_refused(tmp_path: Path, secret: str | None, late: float) -> None:
    """Unsigned, signed with another secret, old, or from the future."""
    with gate(tmp_path) as port:
        answer = await asked(port, tmp_path, secret=secret, late=late)

    assert (answer.agrees, answer.message) == (False, "answered 401: not signed by us, or too old")


async def test_what_is_no_call_at_all_is_refused(tmp_path: Path) -> None:
    """The gate lives on."""
    with gate(tmp_path) as port:
        await asked(port, tmp_path)
        url, odd = f"http://127.0.0.1:{port}/", {"webhook-id": "x"}
        async with aiohttp.ClientSession() as session, session.post(url, data=b"\xff\x00", headers=odd) as said:
            status = said.status
        answer = await asked(port, tmp_path)

    assert (status, answer.agrees) == (401, True)


async def status_of(port: int, head: str) -> bytes:
    """Return the first line of the answer to a request that has this head and no body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"POST / HTTP/1.1\r\n{head}\r\n".encode())
    async with asyncio.timeout(patient(3.0)):
        status = await reader.readline()
    writer.close()
    return status


@pytest.mark.parametrize("head", ["", *(f"Content-Length: {it}\r\n" for it in ("-1", "x", "65537", "9" * 5000))])
async def test_what_has_no_good_length_is_not_read(tmp_path: Path, head: str) -> None:
    """It is refused at once, before anything of it is taken; who sends it needs no secret."""
    with gate(tmp_path) as port:
        await asked(port, tmp_path)
        status = await status_of(port, head)

    assert b" 413 " in status


async def test_a_slow_caller_holds_up_nobody(tmp_path: Path) -> None:
    """It has announced a body and sends none."""
    with gate(tmp_path) as port:
        await asked(port, tmp_path)
        _, slow = await asyncio.open_connection("127.0.0.1", port)
        slow.write(b"POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\n")
        await slow.drain()
        async with asyncio.timeout(patient(3.0)):
            answer = await asked(port, tmp_path)
        slow.close()

    assert answer.agrees


@pytest.mark.parametrize("lines", [f"{OTHER}\n{SECRET}\n", f"{SECRET}\n{OTHER}\n"])
async def test_the_secret_can_be_changed(tmp_path: Path, lines: str) -> None:
    """Each line of the file is good while it is there; the file is read for each call."""
    with gate(tmp_path) as port:
        await asked(port, tmp_path)
        (tmp_path / "gates.secret").write_text(lines, encoding="utf-8")
        answers = [await asked(port, tmp_path, secret=secret) for secret in (SECRET, OTHER)]
        (tmp_path / "gates.secret").write_text(f"{OTHER}\n", encoding="utf-8")
        old = await asked(port, tmp_path)

    assert [answer.agrees for answer in (*answers, old)] == [True, True, False]
