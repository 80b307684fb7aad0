"""Hooks of a `rollout serve` that is killed: each is called at least once, and under one id."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.prometheus.liar import Liar, hangs, lying, says
from tests.serve.world import ServeWorld, manifest, serve_world

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]


@pytest.fixture
async def gate() -> AsyncIterator[Liar]:
    """Run a gate that does not answer."""
    async with lying() as server:
        server.answers = [hangs]
        yield server


@pytest.fixture
async def world(tmp_path: Path, gate: Liar) -> AsyncIterator[ServeWorld]:
    """Run a service that may call the gate, and one Rollout at rest whose steps and rollbacks call it."""
    flags: dict[str, Any] = {"gate-host": gate.url.removeprefix("http://")}
    async with serve_world(tmp_path, "checkout", **flags) as made:
        made.put(_manifest(gate, revision="1"))
        await made.server.serving()
        await made.adopted()
        yield made


def _manifest(gate: Liar, *, revision: str, **spec: object) -> str:
    call = {"timeout": "20s", "retries": 0}
    hooks = {
        "onStep": [{"name": "load", "url": f"{gate.url}/load", **call}],
        "onRollback": [{"name": "pager", "url": f"{gate.url}/pager", **call}],
    }
    steps = [(10, "1h"), (50, "1h")]
    return manifest("checkout", revision=revision, steps=steps, analysis={"checks": []}, hooks=hooks, **spec)


def calls(gate: Liar, path: str) -> list[web.Request]:
    """Return the calls of the gate at this path."""
    return [request for request in gate.seen if request.path == path]


def answers(world: ServeWorld) -> dict[str, bool]:
    """Return what the recorded status tells of gates."""
    told = world.status().get("gates", [])
    assert isinstance(told, list)
    return {one["name"]: one["agrees"] for one in told}


async def test_hooks_outlive_a_kill(world: ServeWorld, gate: Liar) -> None:
    """Killed before the answer, it is called again under the same id; killed after it, it is not."""
    server = world.server
    world.put(_manifest(gate, revision="2"))
    await server.until(lambda: calls(gate, "/load"))
    await server.kill()
    gate.answers = [says("running")]
    await server.serving()
    await server.until(lambda: answers(world) == {"load": True})
    await server.kill()
    gate.answers = [hangs]
    await server.serving()
    world.put(_manifest(gate, revision="1"))
    await server.until(lambda: calls(gate, "/pager"))
    await server.kill()
    gate.answers = [says("no", status=403)]
    await server.serving()
    await server.until(lambda: answers(world) == {"load": True, "pager": False})
    await server.kill()
    await server.serving()
    await world.in_phase("Aborted")

    ids = [[request.headers["webhook-id"] for request in calls(gate, path)] for path in ("/load", "/pager")]
    assert [len(one) for one in ids] == [2, 2]
    assert [len(set(one)) for one in ids] == [1, 1]
    assert ids[0][0] != ids[1][0]
