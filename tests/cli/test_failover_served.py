"""Failover as the real server tells it, on the command line."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner, Result

from rollout.cli.main import app
from rollout.failover.table import Stage
from tests.api.phases import served
from tests.api.stages import DR, staged
from tests.api.world import OPERATOR
from tests.controller.builders import KEY, V1

pytestmark = pytest.mark.real

Type = Callable[..., Coroutine[None, None, Result]]


@pytest.fixture
def type_(tmp_path: Path) -> Type:
    """Return the command line asking a server; the log would go to its standard output, being in the same process."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))

    async def call(url: str, *words: str) -> Result:
        told = {
            "ROLLOUT_CONFIG": str(tmp_path / "none.toml"),
            "ROLLOUT_SERVER": url,
            "ROLLOUT_TOKEN": OPERATOR,
            "ROLLOUT_NAMESPACE": KEY.namespace,
        }
        return await asyncio.to_thread(lambda: CliRunner().invoke(app, words, env=told))

    return call


async def test_what_the_server_tells_of_failover_is_shown(type_: Type) -> None:
    """In a list with its filter, in a description with evidence and history, and in why with what to type."""
    async with staged(Stage.FAILED_OVER) as rollout, served(rollout) as url:
        listed, elsewhere = (
            await type_(url, "get", "--failover", "FailedOver"),
            await type_(url, "get", "--failover", "Drill"),
        )
        described, why = await type_(url, "describe", KEY.name), await type_(url, "why", KEY.name)

    told = [" ".join(line.split()) for line in described.stdout.splitlines()]
    assert " FailedOver " in listed.stdout.splitlines()[1]
    assert elsewhere.stdout == ""
    assert f"Type: rollout failback {KEY} --epoch 1" in told
    assert any(line.startswith(f"{V1} stable 0% Healthy endpoints Healthy ") for line in told)
    assert any(line.startswith("1 ") and f" {DR} " in line and " so far Failover 1: " in line for line in told)
    assert f"A person is waited for: rollout failback {KEY} --epoch 1" in why.stdout


async def test_a_failback_is_looked_on_until_its_time_is_over(type_: Type) -> None:
    """A step of an hour takes longer than anybody waits here."""
    async with staged(Stage.FAILING_BACK) as rollout, served(rollout) as url:
        result = await type_(url, "watch", KEY.name, "--failover", "--timeout", "2s")

    assert result.exit_code == 4
    assert "FailingBack: Step 1 of 2 of failback" in result.stdout
