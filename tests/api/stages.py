"""A Rollout with failover in each of its stages, for tests of every command of failover in every stage.

As ``tests.api.phases``, and by its means. What is beyond the stage is content: a failover is proposed where one can be,
the primary is healthy again where it can go back, and the backup that a command names is healthy.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import assert_never

from rollout.engine.reasons import Refusal as Refused
from rollout.engine.table import Action as OfAttempt
from rollout.failover.reasons import Refusal
from rollout.failover.table import LEGAL, Action, Stage
from tests.api.phases import FAR, Standing, standing
from tests.controller.builders import DOWN, UP, V1, V2, backend
from tests.waiting import until

DR = "checkout-dr"

COMMANDS: Mapping[str, Mapping[str, object]] = {
    Action.FAILOVER: {"to": FAR},
    Action.FAILBACK: {"epoch": 1},
    Action.APPROVE: {"epoch": 1},
    Action.UNLATCH: {},
    Action.HOLD: {},
    Action.DRILL: {},
    OfAttempt.START: {"revision": "9"},
}
"""The commands of failover and what they are given, and one to the attempt, which waits for failover to be Normal."""

BACKENDS = {"stable": {"name": V1}, "canary": {"name": V2}, "backups": [{"name": DR}, {"name": FAR}]}
SLOW = {"mode": "Manual", "stableFor": "0s", "steps": [10, 100], "stepInterval": "1h"}
FAILOVER = {
    "signals": {"endpoints": {}},
    "confirmFor": "0s",
    "failback": SLOW,
    "damping": {"cooldown": "0s"},
    "drill": {"schedule": "0 10 * * 2", "duration": "1h"},
}


@asynccontextmanager
async def staged(stage: Stage) -> AsyncIterator[Standing]:
    """Bring a Rollout into this stage of failover, as long as the context is open."""
    mode = "Propose" if stage is Stage.CONFIRMING else "Auto"
    spec = {"backends": BACKENDS, "failover": {**FAILOVER, "mode": mode}}
    async with standing(weights={V1: 100, V2: 0, DR: 0, FAR: 0}, spec=spec) as rollout:
        await until(lambda: rollout.state_or_none is not None and rollout.state.failover.reason == "Watching")
        await _reach(rollout, stage)
        await until(lambda: rollout.state.failover.stage is stage)
        yield rollout


async def _reach(rollout: Standing, stage: Stage) -> None:
    match stage:
        case Stage.NORMAL:
            return
        case Stage.DRILL:
            await rollout.do("drill")
        case Stage.CONFIRMING:
            rollout.health.put(backend(V1), DOWN)
            await until(lambda: rollout.state.failover.proposed)
        case Stage.FAILED_OVER:
            await _fail_over(rollout)
        case Stage.FAILING_BACK:
            await _fail_over(rollout)
            await rollout.do("failback", epoch=1)
        case Stage.LATCHED:
            await _fail_over(rollout)
            await rollout.do("hold")
        case never:
            assert_never(never)


async def _fail_over(rollout: Standing) -> None:
    """Let the primary be down until the backup has the traffic, and then up again."""
    rollout.health.put(backend(V1), DOWN)
    await until(lambda: rollout.state.failover.active == DR)
    await until(lambda: rollout.weights() == (0, 0, 100, 0))
    rollout.health.put(backend(V1), UP)
    await until(lambda: rollout.state.failover.reason == "WaitingForFailback")


def refused(stage: Stage, action: str) -> tuple[str, str] | None:
    """Return why the command is refused in this stage: reason and sentence; None where it is legal."""
    if action == OfAttempt.START:
        if stage is Stage.NORMAL:
            return None
        return Refused.FAILED_OVER, f"start is refused until failover is Normal; it is {stage}"
    legal = LEGAL[Action(action)]
    if stage not in legal:
        return Refusal.ILLEGAL, f"{action} is legal when failover is {' or '.join(legal)}; it is {stage}"
    if action == Action.APPROVE and stage is not Stage.CONFIRMING:
        return Refusal.NOTHING_PROPOSED, "no failover waits for an approval"
    if action == Action.HOLD and stage is Stage.LATCHED:
        return Refusal.ILLEGAL, "it is held already; unlatch ends that"
    return None
