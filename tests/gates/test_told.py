"""Each kind of gate before a controller: what follows is as asked, within its time limit, and told in the status."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from rollout.clock import SystemClock
from rollout.controller.controller import Controller, Options, Ports
from rollout.engine.hooks import GateKey, Hook
from rollout.engine.observation import Command
from rollout.engine.state import State
from rollout.engine.table import Phase
from rollout.gates.addresses import AllowList
from rollout.gates.http import HttpGates
from tests.controller.builders import KEY, ROUTE, UP, V1, V2, WEB, backend, manifest
from tests.fakes.health import FakeBackendHealth
from tests.fakes.measurements import FakeMeasurements
from tests.fakes.routes import FakeRouteTable
from tests.fakes.store import FakeStore
from tests.gates.test_addresses import Names
from tests.gates.test_http import SECRET, huge
from tests.prometheus.liar import Answer, Liar, hangs, lying, says
from tests.waiting import until

LIMIT_SECONDS = 0.3


async def away(_: web.Request) -> web.StreamResponse:
    """Redirect to somewhere inside."""
    raise web.HTTPFound("http://169.254.169.254/latest")


@dataclass
class Stage:
    """A controller over fakes whose gates are called for real."""

    store: FakeStore
    controller: Controller
    lines: Sequence[Mapping[str, Any]]

    @property
    def state(self) -> State:
        """Return where the Rollout stands."""
        return self.controller.state(KEY) or State()

    @property
    def gates(self) -> Any:  # noqa: ANN401 - as JSON has it
        """Return what the recorded status tells of gates."""
        stored = self.store.read(KEY)
        assert stored is not None
        return stored.status.get("gates", [])

    async def begin(self, gate: Mapping[str, object], hooks: Mapping[str, object] | None = None) -> None:
        """Start an attempt whose first step has this gate."""
        steps = [{"weight": 20, "gates": [gate]}, {"weight": 50, "hold": "1h"}]
        await self.store.apply(manifest(steps=steps, hooks=hooks or {}))
        await until(lambda: self.state.stable)
        await self.store.command(KEY, Command("start-1", "start", {"revision": "2"}, at=SystemClock().now()))


@asynccontextmanager
async def stage(*allowed: str, resolver: Names | None = None, secret_file: Path | None = None) -> AsyncIterator[Stage]:
    """Run a controller whose operator lets these hosts be called."""
    clock, routes, health = SystemClock(), FakeRouteTable(), FakeBackendHealth()
    for route in (ROUTE, WEB):
        routes.put(route, {V1: 100, V2: 0})
    for name in (V1, V2):
        health.put(backend(name), UP)
    store = FakeStore(clock)
    with capture_logs() as lines:
        async with HttpGates(AllowList(allowed), clock, secret_file=secret_file, resolver=resolver) as gates:
            ports = Ports(store, routes, health, FakeMeasurements(), gates, clock)
            controller = Controller(ports, Options(cadence_seconds=0.2))
            running = asyncio.create_task(controller.run())
            try:
                yield Stage(store, controller, lines)
            finally:
                running.cancel()
                with suppress(asyncio.CancelledError):
                    await running


@pytest.fixture
async def gate_server() -> AsyncIterator[Liar]:
    """Run a server that answers as it is told."""
    async with lying() as server:
        yield server


def gate_at(url: str, *, on_failure: str) -> dict[str, object]:
    """Return a gate of a spec with one retry."""
    return {"url": url, "name": "ci", "timeout": "300ms", "retries": 1, "onFailure": on_failure}


NOES: Sequence[tuple[str, Answer | None, str, str, int]] = [
    ("403", says("no", status=403), "{url}/ok", "answered 403: no", 1),
    ("500", says("oh", status=500), "{url}/ok", "answered 500: oh", 2),
    ("hang", hangs, "{url}/ok", "no answer within 0.3 s", 2),
    ("redirect", away, "{url}/ok", "answered 302, a redirect, which is not followed", 1),
    ("link-local", None, "http://169.254.169.254/latest", "host 169.254.169.254 is not on the operator's list", 1),
    ("name of a link-local address", None, "http://ci.example:{port}/", "address 169.254.169.254 may not be called", 1),
]


@pytest.mark.parametrize("on_failure", ["Wait", "Abort"])
@pytest.mark.parametrize(("answer", "url", "said", "tries"), [no[1:] for no in NOES], ids=[no[0] for no in NOES])
async def test_a_no_waits_or_aborts_as_asked(  # noqa: PLR0917 - the columns of a table
    gate_server: Liar, answer: Answer | None, url: str, said: str, tries: int, on_failure: str
) -> None:
    """Of each kind: in its time, with its sentence, and in the status with how many calls it took."""
    gate_server.answers = [answer or says("it was called")]
    port = gate_server.url.rsplit(":", 1)[1]
    names = Names("169.254.169.254")
    async with stage("127.0.0.1", "ci.example", resolver=names) as scene:
        await scene.begin(gate_at(url.format(url=gate_server.url, port=port), on_failure=on_failure))
        began = time.monotonic()
        await until(lambda: scene.gates)
        took = time.monotonic() - began
        wanted = Phase.ABORTED if on_failure == "Abort" else Phase.PROGRESSING
        await until(lambda: scene.state.phase is wanted and said in scene.state.message)
        [told] = scene.gates

    assert (told["hook"], told["name"], told["step"], told["agrees"], told["tries"]) == ("step", "ci", 1, False, tries)
    assert said in told["message"]
    assert took < tries * (LIMIT_SECONDS + 2) + 1
    assert (scene.state.step == 1) is (on_failure == "Wait")
    assert answer is not None or not gate_server.seen


@pytest.mark.parametrize("answer", [says("fine"), says("", status=204), huge], ids=["200", "204", "10 MB"])
async def test_a_yes_lets_the_step_be_left(gate_server: Liar, answer: Answer) -> None:
    """Whatever comes with it."""
    gate_server.answers = [answer]
    async with stage("127.0.0.1") as scene:
        await scene.begin(gate_at(gate_server.url, on_failure="Abort"))
        await until(lambda: scene.state.step == 2)
        [told] = scene.gates

    assert (told["agrees"], told["tries"]) == (True, 1)
    assert len(told["message"]) <= 220
    assert replace(scene.state.gates[0].key, asked="") == GateKey(Hook.STEP, "ci", 1, 1)


async def test_the_secret_is_nowhere_but_in_the_signature(gate_server: Liar, tmp_path: Path) -> None:
    """Neither in the log, nor in the status, nor in what gates are told."""
    file = tmp_path / "gates.secret"
    file.write_text(f"{SECRET}\n", encoding="utf-8")
    bodies: list[str] = []

    async def keep(request: web.Request) -> web.StreamResponse:
        bodies.append(str(dict(request.headers)) + await request.text())
        return web.Response(status=403 if len(bodies) < 3 else 200)

    gate_server.answers = [keep]
    async with stage("127.0.0.1", secret_file=file) as scene:
        await scene.begin(
            gate_at(gate_server.url, on_failure="Wait"), {"onStep": [{"url": gate_server.url, "name": "load"}]}
        )
        await until(lambda: scene.state.step == 2)
        status = scene.store.read(KEY)

    said = str(status) + str(scene.lines) + str(bodies)
    assert "v1," in str(bodies)
    assert [part for part in (SECRET, SECRET.removeprefix("whsec_")) if part in said] == []
