"""One failover as the world sees it, with a controller that is played by the test."""

import asyncio
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from rollout.demo.acts import Outcome, RampStep, ServiceResult
from rollout.demo.failing import Failure, fail_over, ramp_of
from rollout.demo.tally import Report, Seen, Tally
from rollout.demo.weights import Change, WeightWatch
from rollout.demo.world import SERVICES
from rollout.engine.state import State
from rollout.errors import Unavailable
from rollout.failover.table import Stage as Standing
from tests.demo.builders import LEFT, a_failover
from tests.demo.worlds import StillWorld, still_world

REVISIONS = {f"{service}-{which}": "v7" for service in SERVICES for which in ("blue", "green", "backup")}


@dataclass(slots=True)
class Stage:
    """The world, the weights as seen, and a controller whose failover goes where the test says."""

    world: StillWorld
    watch: WeightWatch
    states: dict[str, State] = field(default_factory=dict)

    def stand(self, stage: Standing, epoch: int = 1) -> None:
        """Let the failover of both services stand there."""
        for service in SERVICES:
            state = a_failover(service, stage)
            self.states[service] = replace(state, failover=replace(state.failover, epoch=epoch))

    async def report(self, **seen: float) -> None:
        """Let the clients report answers of the backups, or none."""
        backups = {name: {f"{name}-backup": Seen(10, **seen)} if seen else {} for name in SERVICES}  # type: ignore[arg-type]
        services = {name: Tally(10, backups[name]) for name in SERVICES}
        await self.world.traffic.take(Report(0.0, 0.25, services))

    async def until(self, looked_for: set[str]) -> None:
        """Let the clients report until these backends, and no others, are dead."""
        async with asyncio.timeout(10):
            while self.world.dead != looked_for:
                await self.report()
                await asyncio.sleep(0.01)

    async def end(self, running: "asyncio.Task[tuple[ServiceResult, ...]]") -> tuple[ServiceResult, ...]:
        """Let empty reports come until it is over."""
        async with asyncio.timeout(10):
            while not running.done():
                await self.report()
                await asyncio.sleep(0.01)
        return await running


@pytest.fixture
async def stage(tmp_path: Path) -> Stage:
    """Return the stage with both Rollouts at rest and watched."""
    world = still_world(tmp_path)
    stage = Stage(world, WeightWatch(world.gateway.routes))
    stage.stand(Standing.NORMAL, epoch=0)
    return stage


def begun(stage: Stage, *, limit_seconds: float = 10.0) -> "asyncio.Task[tuple[ServiceResult, ...]]":
    """Begin a failover."""
    failure = Failure("v7", REVISIONS, away_seconds=0.01, limit_seconds=limit_seconds)
    return asyncio.create_task(fail_over(stage.world, stage.states.get, stage.watch, failure))


async def test_primaries_die_and_come_back(stage: Stage) -> None:
    """The stable backends are killed, revived once the backups answer, and the traffic's return ends it."""
    running = begun(stage)
    await stage.until({"shop-blue", "cart-blue"})
    stage.stand(Standing.FAILED_OVER)
    await stage.report(failed=2, first_at=time.time() + 0.2)
    await stage.until(set())
    stage.stand(Standing.NORMAL)
    shop, cart = await stage.end(running)

    assert (shop.outcome, cart.outcome) == (Outcome.FAILED_BACK, Outcome.FAILED_BACK)
    assert (shop.failed, shop.sentence) == (2, LEFT)
    assert shop.failover is not None
    assert shop.failover.backup_seconds == pytest.approx(0.2, abs=0.15)


async def test_manifests_ask_for_failover_and_all_run_one_revision(stage: Stage) -> None:
    """The revision stays as it is, so that no attempt begins; the backups run the primary's."""
    running = begun(stage)
    await stage.until({"shop-blue", "cart-blue"})
    running.cancel()
    text = (stage.world.manifests / "cart.yaml").read_text()

    assert "revision: v7" in text
    assert "probe: {grpc: {}, interval: 50ms" in text
    assert stage.world.deployed["shop-backup"].revision == "v7"


async def test_failover_that_does_not_end_has_no_outcome(stage: Stage) -> None:
    """After its time it is undecided, the sentence says where it stands, and the primaries are there again."""
    running = begun(stage, limit_seconds=0.3)
    await stage.until({"shop-blue", "cart-blue"})
    shop, _ = await stage.end(running)

    assert shop.outcome is None
    assert not stage.world.dead
    assert shop.sentence == f"not over after 0 s: Normal, {LEFT}"
    assert shop.failover is not None
    assert (shop.failover.backup_seconds, shop.failover.ramp) == (None, ())


async def test_primary_that_nobody_watches_is_not_killed(stage: Stage) -> None:
    """Before the controller knows that it is well nothing is done to it."""
    for service, state in stage.states.items():
        stage.states[service] = replace(state, failover=replace(state.failover, reason="HealthUnknown"))
    shop, _ = await stage.end(begun(stage, limit_seconds=0.3))

    assert not stage.world.dead
    assert shop.failover is not None
    assert shop.failover.backup_seconds is None


async def test_service_without_a_state_is_an_error(stage: Stage) -> None:
    """Nobody would do anything."""
    stage.states.clear()

    with pytest.raises(Unavailable, match="no state for shop"):
        await begun(stage)


def test_ramp_begins_after_the_primary_had_nothing() -> None:
    """Changes of the other service and before the kill are none of it; a ramp that broke begins anew."""

    def change(at: float, blue: int, cart: int = 0) -> Change:
        return Change(at, {"shop-blue": blue, "shop-backup": 100 - blue, "cart-blue": cart})

    shares = [(1, 100), (2, 0), (3, 10), (4, 0), (5, 10), (6, 10), (8, 50), (11, 100)]
    changes = [change(at, blue, cart=at) for at, blue in shares]

    assert ramp_of(changes, "shop", "shop-blue", 1.5) == (RampStep(0, 10), RampStep(3, 50), RampStep(6, 100))
    assert ramp_of(changes, "shop", "shop-blue", 10) == ()
