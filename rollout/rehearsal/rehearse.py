"""The rehearsal itself: the shipped controller on the simulated world, from the start to the end of the file.

Called by ``rollout rehearse`` and by the stories in the tests. Half an hour of it takes a second or two,
because all waiting is virtual (``rollout.rehearsal.virtual_loop``).
"""

from __future__ import annotations

import asyncio
from typing import assert_never

from rollout.controller.almanac import Almanac
from rollout.controller.controller import Controller, Options, Ports
from rollout.rehearsal.chance import Chance
from rollout.rehearsal.life import Life, own_tasks
from rollout.rehearsal.lives import Keeper
from rollout.rehearsal.mortal import MortalHealth, MortalRoutes, MortalStore, MortalSwitch
from rollout.rehearsal.outcome import Outcome, outcome_of
from rollout.rehearsal.probes import SimulatedProbes
from rollout.rehearsal.reading import Rehearsal
from rollout.rehearsal.scenario import Event, Fate
from rollout.rehearsal.virtual_loop import run
from rollout.rehearsal.world import World


def rehearse(rehearsal: Rehearsal) -> Outcome:
    """Run the rehearsal and return what came of it: the same for the same file and seed.

    Raises:
        DeadlockError: the controller waits for something that never comes (a fault of the controller).
    """
    return run(_play(rehearsal))


async def _play(rehearsal: Rehearsal) -> Outcome:
    play, until = Play(rehearsal), rehearsal.scenario.until
    for event in rehearsal.scenario.events:
        if event.at > until:
            break
        await play.wait_until(event.at)
        play.happen(event)
    await play.wait_until(until)
    play.end()
    return outcome_of(play.world, rehearsal.bounds)


class Play:
    """A rehearsal under way on the running loop, which is a virtual one: the world, and a controller in it."""

    def __init__(self, rehearsal: Rehearsal) -> None:
        own_tasks(asyncio.get_running_loop())
        scenario, world = rehearsal.scenario, World(rehearsal)
        chance = Chance(scenario.seed, "jitter").uniform
        options = Options(cadence_seconds=scenario.scrape, chance=chance, calendar_of=Almanac())
        keeper = Keeper(lambda life: Controller(_ports(world, life), options), seed=scenario.seed, over=world.see)
        keeper.start()
        self.world, self._keeper = world, keeper

    async def wait_until(self, seconds: float) -> None:
        """Let time pass up to so many seconds from the start."""
        await asyncio.sleep(seconds - self.world.now)

    def happen(self, event: Event) -> None:
        """Let one event of the file happen, whenever that should have been."""
        match event.kind:
            case "controller":
                _befall(event.controller or Fate.RESTART, self.world, self._keeper)
            case "status":
                self._keeper.start_anew()
                self.world.store.lose_status()
            case _:
                self.world.apply(event)

    def end(self) -> None:
        """End the controller; what it died of by itself, if it did, is raised."""
        self._keeper.check()
        self.world.account()
        self._keeper.end()


def _befall(fate: Fate, world: World, keeper: Keeper) -> None:
    match fate:
        case Fate.BLIND:
            world.go_blind(knowing=keeper.alive)
        case Fate.SEEING:
            world.see()
        case Fate.RESTART | Fate.KILL:
            keeper.befall(fate)
        case _ as never:
            assert_never(never)


def _ports(world: World, life: Life) -> Ports:
    """Return the outside world as one life of the controller has it."""
    return Ports(
        store=MortalStore(world.store, life),
        routes=MortalRoutes(world.routes, life),
        health=MortalHealth(world.health, life),
        measurements=world.source,
        gates=world.gates,
        clock=world.clock,
        probes=SimulatedProbes(world.probe, world.clock, life),
        switch=MortalSwitch(world.switch, life),
    )
