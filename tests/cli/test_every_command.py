"""Each command in each phase by the command line: exit code 0 where the table has it, else 2, and nothing has changed.

The same rows by the API are in ``tests/api/test_every_command.py``.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner, Result

from rollout.cli.main import COMMANDS, app
from rollout.engine.table import Action
from rollout.failover.table import Stage
from tests.api.phases import ARGUMENTS, SCENES, refusal, scene, served
from tests.api.stages import COMMANDS as OF_FAILOVER
from tests.api.stages import refused, staged
from tests.api.world import OPERATOR
from tests.controller.builders import KEY

real = pytest.mark.real

ROWS = [(name, action) for name in SCENES for action in Action]
LEGAL_ROWS = [row for row in ROWS if refusal(*row) is None]
REFUSED_ROWS = [row for row in ROWS if refusal(*row) is not None]
STAGED_ROWS = [(stage, action) for stage in Stage for action in OF_FAILOVER]
LEGAL_STAGED = [row for row in STAGED_ROWS if refused(*row) is None]
REFUSED_STAGED = [row for row in STAGED_ROWS if refused(*row) is not None]

Give = Callable[[str, str, Mapping[str, object]], Coroutine[None, None, Result]]


@pytest.fixture
def give(tmp_path: Path) -> Give:
    """Return the command line asking a server; the log would go to its standard output, being in the same process."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))

    async def call(url: str, action: str, arguments: Mapping[str, object]) -> Result:
        flags = [word for name, value in arguments.items() for word in (f"--{name}", str(value))]
        told = {
            "ROLLOUT_CONFIG": str(tmp_path / "none.toml"),
            "ROLLOUT_SERVER": url,
            "ROLLOUT_TOKEN": OPERATOR,
            "ROLLOUT_NAMESPACE": KEY.namespace,
        }
        return await asyncio.to_thread(lambda: CliRunner().invoke(app, [action, KEY.name, *flags], env=told))

    return call


@real
@pytest.mark.parametrize(("name", "action"), LEGAL_ROWS)
async def test_a_legal_command_is_done(name: str, action: Action, give: Give) -> None:
    """It ends with 0 and the engine's sentence, and the Rollout stands elsewhere."""
    async with scene(name) as rollout, served(rollout) as url:
        before = await rollout.facts()
        result = await give(url, action, ARGUMENTS.get(action, {}))
        after = rollout.untouched

    said = f"{KEY.namespace}/{KEY.name}: {action} was carried out\n"
    assert (result.exit_code, result.stdout, result.stderr) == (0, said, "")
    assert after != before.state


@real
@pytest.mark.parametrize(("name", "action"), REFUSED_ROWS)
async def test_another_is_refused_and_changes_nothing(name: str, action: Action, give: Give) -> None:
    """It ends with 2 and the engine's sentence; state, weights, routes and manifest are what they were."""
    async with scene(name) as rollout, served(rollout) as url:
        before = await rollout.facts()
        result = await give(url, action, ARGUMENTS.get(action, {}))
        at_once, later = rollout.untouched, await rollout.facts_later()

    _, sentence = refusal(name, action) or ("", "")
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"error: {sentence}\n")
    assert at_once == before.state
    assert later == before


@real
@pytest.mark.parametrize(("stage", "action"), LEGAL_STAGED)
async def test_a_legal_command_of_failover_is_done(stage: Stage, action: str, give: Give) -> None:
    """It ends with 0 and the engine's sentence, and the Rollout stands elsewhere."""
    async with staged(stage) as rollout, served(rollout) as url:
        before = await rollout.facts()
        result = await give(url, action, OF_FAILOVER[action])
        after = rollout.untouched

    said = f"{KEY.namespace}/{KEY.name}: {action} was carried out\n"
    assert (result.exit_code, result.stdout, result.stderr) == (0, said, "")
    assert after != before.state


@real
@pytest.mark.parametrize(("stage", "action"), REFUSED_STAGED)
async def test_another_of_failover_is_refused_and_changes_nothing(stage: Stage, action: str, give: Give) -> None:
    """It ends with 2 and failover's sentence; state, weights, routes and manifest are what they were."""
    async with staged(stage) as rollout, served(rollout) as url:
        before = await rollout.facts()
        result = await give(url, action, OF_FAILOVER[action])
        at_once, later = rollout.untouched, await rollout.facts_later()

    _, sentence = refused(stage, action) or ("", "")
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"error: {sentence}\n")
    assert at_once == before.state
    assert later == before


def test_every_action_is_a_command() -> None:
    """What the API takes can be typed, under the same name."""
    assert set(Action) <= set(COMMANDS)
