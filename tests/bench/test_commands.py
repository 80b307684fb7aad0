"""What 100 kills between a command's acceptance and its effect do to it: nothing. The figures are printed."""

import random
import sys
from pathlib import Path

import pytest

from tests.serve.commanding import Commander, expected_reasons, reasons_of
from tests.serve.world import serve_world
from tests.tools import free_port

TURNS = 20

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]


async def test_a_hundred_commands_survive_a_hundred_kills(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every command takes effect exactly once, and in order."""
    port = free_port()
    async with serve_world(tmp_path, "checkout", listen=f"127.0.0.1:{port}") as world:
        commander = Commander(world, port, "checkout", random.Random(100))
        await commander.begin()
        for number in range(TURNS):
            await commander.turn(number)
        history = world.database.history("checkout")
    made = reasons_of(history)
    toll = commander.toll
    with capsys.disabled():
        sys.stdout.write(
            f"\ncommands and kill -9: {toll.commands} commands, {toll.kills} kills, {dict(toll.hit)},"
            f" {toll.sent_again} sent again, outcomes {dict(toll.outcomes)}\n"
        )

    assert toll.outcomes == {"done": 100}
    assert made == expected_reasons(TURNS)
    assert [entry["number"] for entry in history] == [*range(1, len(history) + 1)]
    assert world.database.integrity() == "ok"
