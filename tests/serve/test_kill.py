"""A controller that is killed in the middle of attempts goes on as if nothing had been."""

from pathlib import Path

import pytest

from tests.serve.killing import (
    Account,
    Plan,
    expected_transitions,
    expected_weights,
    lost_seconds,
    run_with_kills,
    step_times,
    transitions_of,
)
from tests.serve.world import ServeWorld, serve_world

NAMES = ("checkout", "search")
PLAN = Plan(kills=12, weights=(20, 50, 95), hold_seconds=3, seed=12)
KEPT_SECONDS = 1.0


async def run(world: ServeWorld) -> Account:
    """Run the plan under load."""
    await world.envoy.served_by("/checkout")
    async with world.load(*NAMES, rate=50):
        return await run_with_kills(world, NAMES, PLAN)


@pytest.mark.real
@pytest.mark.timeout(180)
async def test_twelve_kills_change_nothing(tmp_path: Path) -> None:
    """After 12 kills: every transition once and in order, every weight once, hold times kept, the database intact."""
    async with serve_world(tmp_path, *NAMES, tick="1s") as world:
        account = await run(world)
        served = await world.envoy_weights()
    histories = {name: world.database.history(name) for name in NAMES}

    assert world.database.integrity() == "ok"
    for name, history in histories.items():
        attempts = account.attempts[name]
        assert transitions_of(history) == expected_transitions(PLAN, attempts)
        assert [entry["number"] for entry in history] == [*range(1, len(history) + 1)]
        assert account.seen[name] == expected_weights(PLAN, name, attempts)
        assert served[name] == account.seen[name][-1]

    times = [time for name, history in histories.items() for time in step_times(account, name, history)]

    assert min(time.over_seconds for time in times) >= -KEPT_SECONDS
    assert lost_seconds(times, PLAN) <= KEPT_SECONDS
