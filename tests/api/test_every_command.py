"""Each command in each phase by the API: done where the table has it, else refused with why, and nothing has changed.

Those of failover in each of its stages, too.

The same rows by the command line are in ``tests/cli/test_every_command.py``.
"""

import logging
from collections.abc import Mapping

import aiohttp
import pytest
import structlog

from rollout.engine.table import Action
from rollout.failover.table import Stage
from tests.api.phases import ARGUMENTS, SCENES, refusal, scene, served
from tests.api.stages import COMMANDS, refused, staged
from tests.api.world import OPERATOR, Reply
from tests.controller.builders import KEY

pytestmark = pytest.mark.real

ROWS = [(name, action) for name in SCENES for action in Action]
LEGAL_ROWS = [row for row in ROWS if refusal(*row) is None]
REFUSED_ROWS = [row for row in ROWS if refusal(*row) is not None]
STAGED_ROWS = [(stage, action) for stage in Stage for action in COMMANDS]
LEGAL_STAGED = [row for row in STAGED_ROWS if refused(*row) is None]
REFUSED_STAGED = [row for row in STAGED_ROWS if refused(*row) is not None]


@pytest.fixture(autouse=True)
def quiet() -> None:
    """Keep the log of thousands of passes to itself."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


async def give(url: str, action: str, arguments: Mapping[str, object] | None = None) -> Reply:
    """Give the command by the API, with its usual arguments or these."""
    path = f"{url}/api/v1/rollouts/{KEY.namespace}/{KEY.name}/commands"
    body = {"action": action, **(ARGUMENTS.get(Action(action), {}) if arguments is None else arguments)}
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {OPERATOR}"}) as session,
        session.post(path, json=body) as response,
    ):
        return Reply(response.status, response.headers, await response.read())


@pytest.mark.parametrize(("name", "action"), LEGAL_ROWS)
async def test_a_legal_command_is_done(name: str, action: Action) -> None:
    """The answer is 200 with the engine's sentence, and the Rollout stands elsewhere."""
    async with scene(name) as rollout, served(rollout) as url:
        before = await rollout.facts()
        reply = await give(url, action)
        after = rollout.untouched

    told = {field: reply.json.get(field) for field in ("action", "state", "message")}
    assert (reply.status, told) == (200, {"action": action, "state": "done", "message": f"{action} was carried out"})
    assert after != before.state


@pytest.mark.parametrize(("name", "action"), REFUSED_ROWS)
async def test_another_is_refused_and_changes_nothing(name: str, action: Action) -> None:
    """The answer is a problem 409 with reason and sentence; state, weights, routes and manifest are what they were."""
    async with scene(name) as rollout, served(rollout) as url:
        before = await rollout.facts()
        reply = await give(url, action)
        at_once, later = rollout.untouched, await rollout.facts_later()

    assert (reply.status, reply.headers["Content-Type"]) == (409, "application/problem+json"), reply.content
    assert (reply.json["reason"], reply.json["detail"]) == refusal(name, action)
    assert (reply.json["command"]["action"], reply.json["command"]["state"]) == (action, "refused")
    assert at_once == before.state
    assert later == before


@pytest.mark.parametrize(("stage", "action"), LEGAL_STAGED)
async def test_a_legal_command_of_failover_is_done(stage: Stage, action: str) -> None:
    """The answer is 200 with the engine's sentence, and the Rollout stands elsewhere."""
    async with staged(stage) as rollout, served(rollout) as url:
        before = await rollout.facts()
        reply = await give(url, action, COMMANDS[action])
        after = rollout.untouched

    told = {field: reply.json.get(field) for field in ("action", "state", "message")}
    assert (reply.status, told) == (200, {"action": action, "state": "done", "message": f"{action} was carried out"})
    assert after != before.state


@pytest.mark.parametrize(("stage", "action"), REFUSED_STAGED)
async def test_another_of_failover_is_refused_and_changes_nothing(stage: Stage, action: str) -> None:
    """The answer is a problem 409 with failover's reason; state, weights, routes and manifest are what they were."""
    async with staged(stage) as rollout, served(rollout) as url:
        before = await rollout.facts()
        reply = await give(url, action, COMMANDS[action])
        at_once, later = rollout.untouched, await rollout.facts_later()

    assert (reply.status, reply.headers["Content-Type"]) == (409, "application/problem+json"), reply.content
    assert (reply.json["reason"], reply.json["detail"]) == refused(stage, action)
    assert at_once == before.state
    assert later == before


@pytest.mark.parametrize("action", ["failback", "approve"])
async def test_an_old_number_is_refused(action: str) -> None:
    """A command that was meant for another failover does nothing."""
    stage = Stage.CONFIRMING if action == "approve" else Stage.FAILED_OVER
    async with staged(stage) as rollout, served(rollout) as url:
        before = await rollout.facts()
        reply = await give(url, action, {"epoch": 7})
        later = await rollout.facts_later()

    assert (reply.status, reply.json["reason"]) == (409, "OldNumber")
    assert reply.json["detail"] == f"{action} names number 7; the present failover is 1"
    assert later == before
