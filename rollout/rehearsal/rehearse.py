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
    own_tasks(asyncio.get_running_loop())
    scenario, world = rehearsal.scenario, World(rehearsal)
    chance = Chance(scenario.seed, "jitter").uniform
    options = Options(cadence_seconds=scenario.scrape, chance=chance, calendar_of=Almanac())
    keeper = Keeper(lambda life: Controller(_ports(world, life), options), seed=scenario.seed, over=world.see)
    keeper.start()
    for event in scenario.events:
        if event.at > scenario.until:
            break
        await asyncio.sleep(event.at - world.now)
        happen(event, world, keeper)
    await asyncio.sleep(scenario.until - world.now)
    keeper.check()
    world.account()
    keeper.end()
    return outcome_of(world, rehearsal.bounds)


def happen(event: Event, world: World, keeper: Keeper) -> None:
    """Let one event of the file happen."""
    match event.kind:
        case "controller":
            _befall(event.controller or Fate.RESTART, world, keeper)
        case "status":
            keeper.start_anew()
            world.store.lose_status()
        case _:
            world.apply(event)


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
