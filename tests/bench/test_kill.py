"""What 200 kills of the controller in the middle of attempts do to them: nothing. The figures are printed."""

import sys
from pathlib import Path

import pytest

from tests.serve.killing import (
    Plan,
    StepTime,
    expected_transitions,
    expected_weights,
    figures,
    run_with_kills,
    step_times,
)
from tests.serve.world import serve_world

NAMES = ("checkout", "search", "basket", "orders")
PLAN = Plan(kills=200, weights=(10, 25, 40, 55, 75, 95), hold_seconds=8, seed=200)
LATE_SECONDS = 1.0

pytestmark = [pytest.mark.real, pytest.mark.timeout(1500)]


async def test_two_hundred_kills_change_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No step skipped or repeated, hold time kept to 1 s, no transition doubled, the database intact."""
    async with serve_world(tmp_path, *NAMES, tick="1s") as world:
        async with world.load(*NAMES, rate=25):
            account = await run_with_kills(world, NAMES, PLAN)
        served = await world.envoy_weights()
        failed = world.failed_requests()
    histories = {name: world.database.history(name) for name in NAMES}
    times: list[StepTime] = []
    for history in histories.values():
        times += step_times(PLAN, history, account.served_at)
    with capsys.disabled():
        sys.stdout.write(f"\nkill -9: {figures(account, times)}; {failed} requests failed\n")

    assert world.database.integrity() == "ok"
    for name, history in histories.items():
        attempts = account.attempts[name]
        assert [(entry["phase"], entry["step"]) for entry in history] == expected_transitions(PLAN, attempts)
        assert [entry["number"] for entry in history] == [*range(1, len(history) + 1)]
        assert account.seen[name] == expected_weights(PLAN, name, attempts)
        assert served[name] == account.seen[name][-1]
    assert failed == 0
    assert min(time.over_seconds for time in times) >= 0
    assert max(time.late_seconds for time in times) <= LATE_SECONDS
