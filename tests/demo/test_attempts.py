"""One attempt as the world sees it, with a controller that is played by the test."""

import asyncio
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from rollout.demo.acts import Outcome, ServiceResult
from rollout.demo.attempts import Wanted, adopt, attempt, canary_of
from rollout.demo.behaviour import Behaviour
from rollout.demo.tally import Report, Seen, Tally
from rollout.demo.weights import Change, WeightWatch
from rollout.demo.world import SERVICES
from rollout.engine.state import State
from rollout.engine.table import Phase
from rollout.errors import Unavailable
from tests.demo.builders import a_transition
from tests.demo.worlds import StillWorld, still_world


@dataclass(slots=True)
class Stage:
    """The world, the weights as seen, and the states that the test lets the controller have."""

    world: StillWorld
    watch: WeightWatch
    states: dict[str, State] = field(default_factory=dict)

    def set(self, **changes: object) -> None:
        """Change the state of both services' Rollouts."""
        for service in SERVICES:
            before = self.states.get(service, State(stable=f"{service}-blue", seen_revision="v1"))
            self.states[service] = replace(before, **changes)  # type: ignore[arg-type]

    async def report(self, **seen: float) -> None:
        """Let the clients report answers of the green backends."""
        services = {
            name: Tally(100, {f"{name}-blue": Seen(90), f"{name}-green": Seen(10, **seen)})  # type: ignore[arg-type]
            for name in SERVICES
        }
        await self.world.traffic.take(Report(0.0, 0.25, services))

    async def run(
        self, behaviour: Behaviour, *, limit_seconds: float = 10.0
    ) -> "asyncio.Task[tuple[ServiceResult, ...]]":
        """Begin an attempt, and wait until it has asked for the revision."""
        wanted = Wanted(behaviour, limit_seconds=limit_seconds)
        running = asyncio.create_task(attempt(self.world, self.states.get, self.watch, wanted))
        async with asyncio.timeout(5):
            while not (self.world.manifests / "cart.yaml").exists():
                await asyncio.sleep(0.01)
        return running

    async def end(self, running: "asyncio.Task[tuple[ServiceResult, ...]]") -> tuple[ServiceResult, ...]:
        """Let empty reports come until the attempt is over."""
        async with asyncio.timeout(10):
            while not running.done():
                await self.world.traffic.take(Report(0.0, 0.25, {}))
                await asyncio.sleep(0.01)
        return await running


@pytest.fixture
async def stage(tmp_path: Path) -> Stage:
    """Return the stage with both Rollouts at rest."""
    world = still_world(tmp_path)
    stage = Stage(world, WeightWatch(world.gateway.routes))
    stage.set()
    return stage


async def test_promotion_is_seen(stage: Stage) -> None:
    """Idle again with a higher attempt is a promotion; there is no first bad answer."""
    running = await stage.run(Behaviour("v2"))
    await stage.report()
    stage.set(attempt=1, phase=Phase.PROGRESSING)
    await asyncio.sleep(0.05)
    stage.set(phase=Phase.IDLE, stable="shop-green", message="Promoted.")
    shop, cart = await stage.end(running)

    assert (shop.outcome, cart.outcome) == (Outcome.PROMOTED, Outcome.PROMOTED)
    assert (shop.requests, shop.failed, shop.bad_to_zero_seconds, shop.sentence) == (100, 0, None, "Promoted.")


async def test_canary_gets_the_fault_and_the_manifest_its_revision(stage: Stage) -> None:
    """The fault goes to the backend without the stable role, and the revision into the manifest."""
    stage.set(stable="shop-green")
    behaviour = Behaviour("v3", error_share=0.05)
    running = await stage.run(behaviour)
    stage.set(attempt=1, phase=Phase.ABORTED)
    await stage.end(running)

    assert stage.world.deployed["shop-blue"] == behaviour
    assert "revision: v3" in (stage.world.manifests / "shop.yaml").read_text()


async def test_time_to_zero_is_from_the_first_failure_to_the_weights(stage: Stage) -> None:
    """The clock starts with the first failed answer and stops when the file gives the canary no weight."""
    now = time.time()
    stage.watch.changes += [Change(now, {"shop-green": 10, "cart-green": 10}), Change(now + 4.5, {})]
    running = await stage.run(Behaviour("v2", error_share=0.05))
    await stage.report(failed=3, first_failed_at=now + 1.0, first_slow_at=now + 0.5)
    why = replace(a_transition(2, Phase.ABORTING), message="Rolled back: canary failed.")
    stage.set(attempt=1, phase=Phase.ABORTED, transitions=(why,), message="Weights are back.")
    shop, _ = await stage.end(running)

    assert shop.bad_to_zero_seconds == pytest.approx(3.5)
    assert (shop.outcome, shop.failed, shop.sentence) == (Outcome.ROLLED_BACK, 3, "Rolled back: canary failed.")


async def test_slow_answer_counts_as_bad_where_slowness_is_the_fault(stage: Stage) -> None:
    """A slow revision fails nothing; its first slow answer starts the clock."""
    now = time.time()
    stage.watch.changes += [Change(now, {"shop-green": 10, "cart-green": 10}), Change(now + 4.5, {})]
    running = await stage.run(Behaviour("v2", latency_factor=3.0))
    await stage.report(slow=3, first_slow_at=now + 0.5)
    stage.set(attempt=1, phase=Phase.ABORTED)
    shop, _ = await stage.end(running)

    assert shop.bad_to_zero_seconds == pytest.approx(4.0)


async def test_attempt_that_does_not_end_has_no_outcome(stage: Stage) -> None:
    """After its time an attempt is undecided, and the sentence says where it stands."""
    running = await stage.run(Behaviour("v2"), limit_seconds=0.2)
    stage.set(attempt=1, phase=Phase.PROGRESSING, message="Waiting.")
    shop, _ = await stage.end(running)

    assert shop.outcome is None
    assert "Progressing, Waiting." in shop.sentence


async def test_controller_that_does_not_come_is_an_error(stage: Stage) -> None:
    """Without a state of the Rollouts there is no baseline, and the demo says so."""
    with pytest.raises(Unavailable, match="did not take over the Rollout shop"):
        await adopt(stage.world, lambda _: None, limit_seconds=0.1)


async def test_adopted_rollouts_are_ready_for_an_attempt(stage: Stage) -> None:
    """With roles and a baseline known, the first attempt may begin."""
    await asyncio.wait_for(adopt(stage.world, stage.states.get), 5)

    assert sorted(path.name for path in stage.world.manifests.iterdir()) == ["cart.yaml", "shop.yaml"]


def test_canary_is_the_other_backend() -> None:
    """Roles swap, names stay."""
    assert (canary_of("shop", "shop-blue"), canary_of("shop", "shop-green")) == ("shop-green", "shop-blue")
