"""What became of commands: who waits is kept only as long as they wait."""

import asyncio

import pytest

from rollout.api.models import CommandRequest
from rollout.api.outcomes import Outcomes
from rollout.engine.table import Action
from rollout.errors import Unavailable
from rollout.ports import Caller
from tests.api.world import WEB, world
from tests.waiting import until

OLGA = Caller("olga", ("operator",))


async def test_nobody_is_kept_waiting() -> None:
    """Once all have been told, or have gone away, nobody is kept."""
    async with world(controlling=False) as api:
        await api.apply()
        outcomes = Outcomes(api.service)
        asked = CommandRequest(action=Action.START, revision="2", id="one")
        calls = [asyncio.create_task(outcomes.leave(WEB, asked, OLGA, wait_seconds=20)) for _ in range(3)]
        await until(lambda: outcomes.waiting == 3)
        for call in calls[:2]:
            call.cancel()
        await until(lambda: outcomes.waiting == 1)
        await outcomes.leave(WEB, CommandRequest(action=Action.ABORT), OLGA, wait_seconds=0)
        told = await calls[2]

    assert told.state == "refused"
    assert outcomes.waiting == 0


async def test_a_store_that_fails_keeps_nobody() -> None:
    """When the command cannot be left, its caller is told and not kept."""
    async with world(controlling=False) as api:
        await api.apply()
        outcomes = Outcomes(api.service)
        api.faults.down = True
        with pytest.raises(Unavailable):
            await outcomes.leave(WEB, CommandRequest(action=Action.ABORT), OLGA, wait_seconds=1)

    assert outcomes.waiting == 0
