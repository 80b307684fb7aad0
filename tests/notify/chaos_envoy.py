"""The telling under kills with plain Envoy and SQLite."""

from dataclasses import replace
from pathlib import Path

from rollout.ports import Key
from tests.notify.chaos import SECRETS, Bus, Plan, Verdict, all_told, id_of, judged, meanwhile, sinks_file
from tests.notify.leaks import leaks
from tests.notify.stands.server import standing
from tests.serve.world import ServeWorld, manifest, serve_world


async def on_envoy(folder: Path, plan: Plan, *, check_seconds: float = 2.0) -> tuple[Verdict, float]:
    """Run the plan; return what came of it, and how long the sink was told after the last transition."""
    async with standing(Bus(plan.seed)) as bus:
        sinks = sinks_file(folder, bus)
        async with serve_world(folder, *plan.names, check_seconds=check_seconds, sinks=str(sinks)) as world:
            put_all(world, plan, revision="1")
            await world.server.serving(seconds=60)
            await world.server.until(lambda: are_all(world, plan, "reason", "Baseline"), seconds=60 + plan.rollouts)
            async with meanwhile(world.server, plan, bus):
                put_all(world, plan, revision="2")
            await world.server.until(lambda: are_all(world, plan, "stable", "-v2"), seconds=plan.settle_seconds)
            made = {name: world.database.history(name) for name in plan.names}
            last = {name: len(history) for name, history in made.items()}
            took = await all_told(bus, last, seconds=plan.settle_seconds)
        ids = {
            name: {int(str(one["row"])): id_of(Key("shop", name), "", one) for one in history}
            for name, history in made.items()
        }
        return replace(judged(bus.told, ids), leaks=leaks(folder, SECRETS, bus.said)), took


def put_all(world: ServeWorld, plan: Plan, *, revision: str) -> None:
    """Write the manifests of all Rollouts at a revision."""
    for name in plan.names:
        steps = [(weight, plan.hold) for weight in plan.weights]
        text = manifest(name, revision=revision, steps=steps, analysis={"checks": []})
        world.put(text, name=f"{name}.yaml")


def are_all(world: ServeWorld, plan: Plan, field: str, ending: str) -> bool:
    """Return whether all statuses end so in this field, with nothing under way."""
    for name in plan.names:
        status = world.status(name)
        if status.get("phase") != "Idle" or not str(status.get(field)).endswith(ending):
            return False
    return True
