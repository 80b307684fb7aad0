"""`rollout switch`, against the real API."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner, Result

from rollout.cli.main import app
from rollout.controller.switch import AUTOMATIC
from tests.api.world import VIEWER, World, world
from tests.cli.conftest import Run
from tests.cli.standin import StandIn

Cli = Callable[..., Coroutine[None, None, Result]]


@pytest.fixture
async def api() -> AsyncIterator[World]:
    """Serve the API; its log would go to the standard output of the commands, which are in the same process."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    async with world() as served:
        yield served


@pytest.fixture
def cli(api: World, tmp_path: Path) -> Cli:
    """Return the command line, asking the API as the operator."""

    async def call(*arguments: str, **environ: str) -> Result:
        own = {"ROLLOUT_CONFIG": str(tmp_path / "none.toml"), "ROLLOUT_SERVER": api.url, "ROLLOUT_NAMESPACE": "shop"}
        told = {**own, "ROLLOUT_TOKEN": api.token, **environ}
        return await asyncio.to_thread(lambda: CliRunner().invoke(app, arguments, env=told))

    return call


async def test_it_tells_how_it_stands(cli: Cli) -> None:
    """Without a word it is the status."""
    bare, asked = await cli("switch"), await cli("switch", "status")

    assert (bare.exit_code, bare.stdout) == (0, f"{AUTOMATIC}\n")
    assert asked.stdout == bare.stdout


async def test_it_stops_and_releases_failover(api: World, cli: Cli) -> None:
    """One sentence says who, since when and why."""
    stopped = await cli("switch", "stop", "--reason", "maintenance of the mesh")
    position = api.switch.read()
    released = await cli("switch", "release")

    assert stopped.exit_code == 0
    assert stopped.stdout.startswith("Failover is stopped by olga since ")
    assert stopped.stdout.endswith(" UTC: maintenance of the mesh.\n")
    assert (position.stopped, position.by) == (True, "olga")
    assert released.exit_code == 0
    assert released.stdout.startswith("Failover is automatic by olga since ")


async def test_the_answer_comes_as_json_and_yaml(cli: Cli) -> None:
    """With every field of the API."""
    as_json = await cli("switch", "stop", "-o", "json")
    as_yaml = await cli("switch", "-o", "yaml")

    assert json.loads(as_json.stdout)["stopped"] is True
    assert "stopped: true\n" in as_yaml.stdout


async def test_who_may_not_turn_it_is_told(cli: Cli) -> None:
    """And nothing is turned."""
    refused = await cli("switch", "stop", ROLLOUT_TOKEN=VIEWER)
    after = await cli("switch")

    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr == "error: victor may not update Rollouts in all namespaces\n"
    assert after.stdout == f"{AUTOMATIC}\n"


async def test_a_release_that_the_setting_undoes_fails(tmp_path: Path) -> None:
    """Whoever waits for failover is told that there is none yet."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    async with world(stopped=True) as api:
        own = {"ROLLOUT_CONFIG": str(tmp_path / "none.toml"), "ROLLOUT_SERVER": api.url, "ROLLOUT_TOKEN": api.token}
        result = await asyncio.to_thread(lambda: CliRunner().invoke(app, ["switch", "release"], env=own))

    assert result.exit_code == 1
    assert result.stdout == "Failover is stopped by the setting failover of this replica.\n"
    assert result.stderr == "warning: it is released, and the setting of the service stops it all the same\n"


@pytest.mark.parametrize(
    "arguments", [("status", "--reason", "x"), ("stop", "--reason", ""), ("stop", "--reason", "x" * 300), ("pull",)]
)
def test_a_wrong_command_line_is_refused(run: Run, server: StandIn, arguments: tuple[str, ...]) -> None:
    """Before the server is asked."""
    assert run("switch", *arguments).exit_code == 2
    assert server.asked == []


async def test_get_warns_while_failover_is_stopped(cli: Cli) -> None:
    """Beside the answer, which stays as it is."""
    before = await cli("get", "-o", "json")
    await cli("switch", "stop", "--reason", "fire")
    during = await cli("get", "-o", "json")

    assert before.stderr == ""
    assert during.stdout == before.stdout
    assert during.stderr.startswith("warning: Failover is stopped by olga since ")


@pytest.mark.parametrize(
    ("status", "warning"),
    [
        (404, ""),
        (403, "warning: nobody could tell whether failover is stopped: no\n"),
    ],
)
def test_get_answers_also_where_nobody_can_tell(run: Run, server: StandIn, status: int, warning: str) -> None:
    """A server from before there was a switch is no reason to warn."""
    told = {"type": "urn:x", "title": "x", "status": status, "detail": "no", "instance": "urn:y"}
    server.answers["GET", "/failover"] = (status, told)
    result = run("get", "-o", "json")

    assert (result.exit_code, json.loads(result.stdout)["items"], result.stderr) == (0, [], warning)
