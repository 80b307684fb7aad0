"""The operator's switch of a `rollout serve` that runs: turned by the command line, loud, the same after a crash."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.serve.alone import server_alone
from tests.serve.server import Server
from tests.serve.test_metrics import scraped

pytestmark = [pytest.mark.real, pytest.mark.timeout(90)]


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    """`rollout serve`, not started."""
    server = server_alone(tmp_path)
    yield server
    await server.kill()


async def rollout(server: Server, *arguments: str) -> str:
    """Run a command of the command line that asks the server; return what it prints."""
    own = {"ROLLOUT_SERVER": server.url, "ROLLOUT_TOKEN": server.token, "ROLLOUT_CONFIG": os.devnull}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "rollout", *arguments), stdout=asyncio.subprocess.PIPE, env={**os.environ, **own}
    )
    printed, _ = await process.communicate()
    return printed.decode()


async def test_what_was_stopped_stays_so_over_a_crash(server: Server) -> None:
    """The log warns when it is stopped and at every start, the metric is 1, and the next process knows who did it."""
    await server.serving()
    before = (await scraped(server))["rollout_failover_stopped",]
    said = await rollout(server, "switch", "stop", "--reason", "maintenance of the mesh")
    warned = await server.said("failover is stopped", "maintenance of the mesh")
    during = (await scraped(server))["rollout_failover_stopped",]
    await server.kill()
    await server.serving()
    again = await server.said("failover is stopped", "maintenance of the mesh")
    after = await rollout(server, "switch")

    assert said.startswith("Failover is stopped by first since ")
    assert (before, during) == (0, 1)
    assert [line["level"] for line in (warned, again)] == ["warning", "warning"]
    assert after == said


async def test_the_setting_stops_it_from_the_start(server: Server) -> None:
    """Whatever the switch says."""
    server.arguments += ("--failover", "stopped")
    await server.serving()
    await server.said("failover is stopped", "the setting failover")
    said = await rollout(server, "switch", "release")

    assert said == "Failover is stopped by the setting failover of this replica.\n"
