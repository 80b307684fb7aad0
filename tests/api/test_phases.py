"""Each command in each phase, by the API and by the command line: done as the transition table says, or refused.

A refused one answers why, and changes nothing: neither state nor weights.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import structlog
from typer.testing import CliRunner, Result

from rollout.api.app import create_app
from rollout.api.connections import Limits
from rollout.api.server import ServerOptions, serving
from rollout.api.service import Service
from rollout.cli.main import COMMANDS, app
from rollout.engine.commands import FAILOVER_ACTIONS
from rollout.engine.reasons import Refusal
from rollout.engine.table import LEGAL, Action, Phase
from rollout.meters import Meters
from rollout.settings.address import Address
from tests.api.phases import ARGUMENTS, Standing, standing
from tests.api.world import OPERATOR, known_callers, options
from tests.controller.builders import KEY
from tests.waiting import until

pytestmark = pytest.mark.real

ROLES_UNKNOWN = "Paused, roles unknown"

FLAGS = {Action.START: ("--revision", "4"), Action.APPROVE: ("--step", "1"), Action.ADOPT: ("--stable", "checkout-v1")}
"""How the command line is given what ``ARGUMENTS`` has for the API."""

WHERE = (*Phase, ROLES_UNKNOWN)
ROWS = [pytest.param(where, action, id=f"{where}-{action}") for where in WHERE for action in Action]
BY_CLI = [row for row in ROWS if row.values[1] not in FAILOVER_ACTIONS]


def is_legal(where: str, action: Action) -> bool:
    """Return whether the command is done there: by the table, and by whether the roles are known."""
    if where == ROLES_UNKNOWN:
        return action is Action.ADOPT
    return where in LEGAL[action] and action is not Action.ADOPT


@dataclass(frozen=True, slots=True)
class Asked:
    """A Rollout in its phase, and the API before it."""

    rollout: Standing
    url: str

    async def post(self, action: Action) -> tuple[int, dict[str, Any]]:
        """Give a command by the API; return status and answer."""
        url = f"{self.url}/api/v1/rollouts/{KEY.namespace}/{KEY.name}/commands"
        headers = {"Authorization": f"Bearer {OPERATOR}"}
        body = {"action": action, **ARGUMENTS.get(action, {})}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.post(url, json=body) as response,
        ):
            return response.status, await response.json(content_type=None)

    async def command(self, action: Action, config: Path) -> Result:
        """Give a command by the command line."""
        told = {"ROLLOUT_CONFIG": str(config), "ROLLOUT_SERVER": self.url, "ROLLOUT_TOKEN": OPERATOR}
        arguments = (action, f"{KEY.namespace}/{KEY.name}", *FLAGS.get(action, ()))
        return await asyncio.to_thread(lambda: CliRunner().invoke(app, arguments, env=told))


@asynccontextmanager
async def asked(where: str) -> AsyncIterator[Asked]:
    """Bring a Rollout there, and serve the API before it as long as the context is open."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    stable = 50 if where == ROLES_UNKNOWN else 100
    async with AsyncExitStack() as stack:
        rollout = await stack.enter_async_context(standing(stable=stable, canary=100 - stable))
        if where == ROLES_UNKNOWN:
            await until(lambda: rollout.controller.state(KEY) and rollout.state.phase is Phase.PAUSED)
        else:
            await rollout.reach(Phase(where))
        store, limits = rollout.store, options()
        service = Service(
            store, store, store, rollout.controller, known_callers(), rollout.clock, Meters(), "envoy", lambda: ""
        )
        server = ServerOptions(Address("127.0.0.1", 0), Limits(connections=20))
        listening = await stack.enter_async_context(
            serving(create_app(service, limits), server, limits.streams.closing)
        )
        yield Asked(rollout, listening.url)


@pytest.mark.parametrize(("where", "action"), ROWS)
async def test_by_the_api(where: str, action: Action) -> None:
    """Legal: 200 and done. Not legal: 409, a problem with reason and sentence, and nothing has changed."""
    async with asked(where) as here:
        before, weights, writes = here.rollout.untouched, here.rollout.weights(), len(here.rollout.routes.writes)
        status, answer = await here.post(action)
        after, weights_after = here.rollout.untouched, here.rollout.weights()
        writes_after = len(here.rollout.routes.writes)

    if is_legal(where, action):
        assert (status, answer["state"]) == (200, "done"), answer
        assert after != before
    else:
        assert status == 409, answer
        assert answer["reason"] in set(Refusal)
        assert answer["detail"]
        assert answer["command"]["state"] == "refused"
        assert (after, weights_after, writes_after) == (before, weights, writes)


@pytest.mark.parametrize(("where", "action"), BY_CLI)
async def test_by_the_command_line(where: str, action: Action, tmp_path: Path) -> None:
    """Legal: exit code 0. Not legal: 2, the sentence of the engine on standard error, and nothing has changed."""
    async with asked(where) as here:
        before, weights = here.rollout.untouched, here.rollout.weights()
        result = await here.command(action, tmp_path / "none.toml")
        after, weights_after = here.rollout.untouched, here.rollout.weights()
        said = here.rollout.state.handled[-1].message

    if is_legal(where, action):
        assert result.exit_code == 0, result.output
        assert after != before
    else:
        assert result.exit_code == 2, result.output
        assert said in " ".join(result.stderr.split())
        assert (after, weights_after) == (before, weights)


def test_the_command_line_has_every_action() -> None:
    """Each action is a command of its own, but those that are not available yet."""
    assert set(Action) - set(COMMANDS) == set(FAILOVER_ACTIONS)
