"""The show, with a controller that the test plays."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from rollout.demo.acts import ACTS, ActName, ActResult, Outcome
from rollout.demo.scene import Scene
from rollout.demo.show import Show
from rollout.demo.tally import Report, Seen, Tally
from rollout.demo.world import SERVICES
from rollout.engine.state import State
from rollout.engine.table import Phase
from rollout.errors import Unavailable
from rollout.failover.state import FailoverState
from rollout.failover.table import Stage as Standing
from tests.demo.worlds import StillWorld, still_world


@dataclass
class Audience:
    """A spectator that remembers."""

    scenes: list[Scene] = field(default_factory=list)
    results: list[ActResult] = field(default_factory=list)

    def look(self, scene: Scene) -> None:
        """Remember the picture."""
        self.scenes.append(scene)

    def ended(self, result: ActResult) -> None:
        """Remember the result."""
        self.results.append(result)


@dataclass
class Played:
    """A controller that judges by what was deployed, as soon as a manifest asks for a new revision.

    Where a manifest asks for failover, it follows the primary's death and return at once.
    """

    world: StillWorld
    states: dict[str, State] = field(default_factory=dict)

    async def run(self) -> None:
        """Judge for ever, while the clients report nothing bad."""
        while True:
            for service in SERVICES:
                self._judge(service)
                self._fail_over(service)
            await self.world.traffic.take(Report(0.0, 0.25, {name: self._tally(name) for name in SERVICES}))
            await asyncio.sleep(0.01)

    def _tally(self, service: str) -> Tally:
        away = f"{service}-backup" in self._told(service)
        return Tally(50, {f"{service}-backup": Seen(50, first_at=1.0)} if away else {})

    def _told(self, service: str) -> str:
        state = self.states.get(service)
        return state.failover.active if state is not None else ""

    def _fail_over(self, service: str) -> None:
        manifest = self.world.manifests / f"{service}.yaml"
        if "failover:" not in (manifest.read_text() if manifest.exists() else ""):
            return
        state = self.states[service]
        before, is_dead = state.failover, state.stable in self.world.dead
        stage = Standing.FAILED_OVER if is_dead else Standing.NORMAL
        epoch = before.epoch + (is_dead and not before.active)
        active = f"{service}-backup" if is_dead else ""
        failover = FailoverState(stage, epoch=epoch, reason="Watching", message="Told.", active=active)
        self.states[service] = replace(state, failover=failover)

    def _judge(self, service: str) -> None:
        manifest = self.world.manifests / f"{service}.yaml"
        text = manifest.read_text() if manifest.exists() else ""
        state = self.states.get(service)
        if state is None and text:
            self.states[service] = State(stable=f"{service}-blue", canary=f"{service}-green", seen_revision="v1")
        elif state is not None and f"revision: {state.seen_revision}" not in text:
            behaviour = self.world.deployed[state.canary]
            after = replace(state, attempt=state.attempt + 1, seen_revision=behaviour.revision)
            if behaviour.error_share or behaviour.latency_factor > 1:
                self.states[service] = replace(after, phase=Phase.ABORTED)
            else:
                self.states[service] = replace(after, phase=Phase.IDLE, stable=state.canary, canary=state.stable)


async def played(world: StillWorld, acts: Sequence[ActName], audience: Audience) -> tuple[ActResult, ...]:
    """Return the results of a show with these acts."""
    controller = Played(world)
    running = asyncio.ensure_future(controller.run())
    show = Show(world, controller.states.get, audience, [ACTS[name] for name in acts], "a test")
    try:
        return await asyncio.wait_for(show.play(), 20)
    finally:
        running.cancel()


async def test_acts_follow_each_other_and_end_as_they_must(tmp_path: Path) -> None:
    """Good is promoted, errors and slow are rolled back, each with its own revision; a killed primary comes back."""
    audience = Audience()
    results = await played(still_world(tmp_path), list(ActName), audience)

    assert [result.outcome for result in results] == [
        Outcome.PROMOTED, Outcome.ROLLED_BACK, Outcome.ROLLED_BACK, Outcome.FAILED_BACK,
    ]  # fmt: skip
    assert all(result.as_expected for result in results)
    assert audience.results == list(results)


async def test_after_a_promotion_the_next_revision_goes_to_the_other_backend(tmp_path: Path) -> None:
    """v2 went to green and stays there; v3 comes up on blue."""
    world, audience = still_world(tmp_path), Audience()
    await played(world, [ActName.GOOD, ActName.SLOW], audience)

    assert {name: behaviour.revision for name, behaviour in world.deployed.items()} == {
        "shop-green": "v2", "cart-green": "v2", "shop-blue": "v3", "cart-blue": "v3",
    }  # fmt: skip
    assert audience.scenes[-1].stages[0].revisions == {"shop-blue": "v3", "shop-green": "v2", "shop-backup": "v1"}


async def test_pictures_name_the_act_and_the_weights(tmp_path: Path) -> None:
    """The last picture of an act shows what is in Envoy's file."""
    audience = Audience()
    await played(still_world(tmp_path), [ActName.ERRORS], audience)
    scene = audience.scenes[-1]

    assert (scene.act, scene.number, scene.acts, scene.source) == (ACTS[ActName.ERRORS], 1, 1, "a test")
    assert scene.stages[0].weights == {"shop-blue": 100, "shop-green": 0, "shop-backup": 0}


async def test_lost_program_ends_the_show(tmp_path: Path) -> None:
    """Nothing could be believed after that, so the show does not go on."""
    world = still_world(tmp_path)
    world.lost.set()

    with pytest.raises(Unavailable, match="envoy ended"):
        await played(world, list(ActName), Audience())
