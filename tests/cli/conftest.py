"""A stand-in that listens, and the command line that asks it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from rollout.cli.main import app
from tests.cli.standin import Running, StandIn, standing

Run = Callable[..., Result]


@pytest.fixture
def server() -> StandIn:
    """Return what the stand-in answers."""
    return StandIn()


@pytest.fixture
def running(server: StandIn) -> Iterator[Running]:
    """Return the stand-in as a server that can be stopped and started again."""
    with standing(server) as running:
        yield running


@pytest.fixture
def run(server: StandIn, running: Running, tmp_path: Path) -> Run:
    """Return the command line, without contexts, asking the stand-in."""

    def call(*arguments: str, stdin: str | None = None, **environ: str) -> Result:
        own = {"ROLLOUT_CONFIG": str(tmp_path / "config.toml"), "ROLLOUT_SERVER": server.url, **environ}
        return CliRunner().invoke(app, arguments, input=stdin, env=own)

    return call
