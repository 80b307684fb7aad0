"""What 200 kills of the controller in the middle of attempts do to them: nothing. The figures are printed."""

import sys
from pathlib import Path

import pytest

from tests.serve.killing import (
    Plan,
    expected_transitions,
    expected_weights,
    figures,
    lost_seconds,
    run_with_kills,
    step_times,
    transitions_of,
)
from tests.serve.world import serve_world

NAMES = ("checkout", "search", "basket", "orders")
PLAN = Plan(kills=200, weights=(10, 25, 40, 55, 75, 95), hold_seconds=8, seed=200)
KEPT_SECONDS = 1.0

pytestmark = [pytest.mark.real, pytest.mark.timeout(1500)]


async def test_two_hundred_kills_change_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No step skipped or repeated, hold time kept to 1 s, no transition doubled, the database intact."""
    async with serve_world(tmp_path, *NAMES, tick="1s") as world:
        async with world.load(*NAMES, rate=25):
            account = await run_with_kills(world, NAMES, PLAN)
        served = await world.envoy_weights()
        failed = dict(world.failed)
    histories = {name: world.database.history(name) for name in NAMES}

    assert world.database.integrity() == "ok"
    for name, history in histories.items():
        attempts = account.attempts[name]
        assert transitions_of(history) == expected_transitions(PLAN, attempts)
        assert [entry["number"] for entry in history] == [*range(1, len(history) + 1)]
        assert account.seen[name] == expected_weights(PLAN, name, attempts)
        assert served[name] == account.seen[name][-1]

    times = [time for name, history in histories.items() for time in step_times(account, name, history)]
    with capsys.disabled():
        sys.stdout.write(f"\nkill -9: {figures(account, times)}; requests failed: {failed or 'none'}\n")

    assert failed == {}
    assert min(time.over_seconds for time in times) >= -KEPT_SECONDS
    assert lost_seconds(times, PLAN) <= KEPT_SECONDS
