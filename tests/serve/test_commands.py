"""A command that was accepted takes effect once, whatever happens to the controller meanwhile."""

import random
from pathlib import Path

import pytest

from tests.serve.commanding import Commander, expected_reasons, reasons_of
from tests.serve.world import serve_world
from tests.tools import free_port

TURNS = 2


@pytest.mark.real
@pytest.mark.timeout(150)
async def test_commands_survive_kills(tmp_path: Path) -> None:
    """Ten commands, the controller killed at each: every one takes effect exactly once, in order."""
    port = free_port()
    async with serve_world(tmp_path, "checkout", listen=f"127.0.0.1:{port}") as world:
        commander = Commander(world, port, "checkout", random.Random(7))
        await commander.begin()
        for number in range(TURNS):
            await commander.turn(number)
        history = world.database.history("checkout")

    made = reasons_of(history)

    assert commander.toll.outcomes == {"done": 10}
    assert made == expected_reasons(TURNS)
    assert [entry["number"] for entry in history] == [*range(1, len(history) + 1)]
    assert world.database.integrity() == "ok"
