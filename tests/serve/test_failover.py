"""Failover beside a plain Envoy: the primary is killed, then the controller, and people give orders by the command."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from rollout.cli.running import Code
from tests.envoy.forked import ForkedBackends, forked_backends
from tests.envoy.world import Cluster, EnvoyWorld, rds_yaml
from tests.serve.server import Database, Server
from tests.serve.world import FlakyBackend, ServeWorld, Weights, manifest

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

PRIMARY, CANARY, BACKUP = "checkout-v1", "checkout-v2", "checkout-dr"


@dataclass(kw_only=True)
class FailoverWorld(ServeWorld):
    """Envoy with a primary, a canary and a backup that can be killed, and the command beside it."""

    backends: ForkedBackends

    def failover(self) -> Mapping[str, object]:
        """Return where failover stands by the recorded status."""
        found = self.status().get("failover")
        return found if isinstance(found, dict) else {}

    async def stands(self, phase: str, *, seconds: float = 20.0) -> None:
        """Wait until failover is recorded in `phase`."""
        await self.server.until(lambda: self.failover().get("phase") == phase, seconds=seconds)

    async def watched(self) -> None:
        """Wait until the primary is known to be up and carries the traffic."""
        await self.server.until(lambda: self.failover().get("reason") == "Watching")

    async def shares(self, primary: int) -> None:
        """Wait until the route file gives the primary this much of 100 and the backup the rest."""
        await self.weights_are({PRIMARY: primary, CANARY: 0, BACKUP: 100 - primary})

    async def restart(self) -> None:
        """Kill the controller as a crash would, and start it again."""
        await self.server.kill()
        await self.server.serving()

    async def rollout(self, *words: str) -> tuple[int, str]:
        """Run the command of a person; return its exit code and what it said."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "rollout", *words, f"--server={self.server.url}"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, "ROLLOUT_TOKEN": self.server.token},
        )
        said, _ = await asyncio.wait_for(process.communicate(), 60)
        return process.returncode or 0, said.decode()

    def told(self) -> list[object]:
        """Return the reasons of all transitions."""
        return [entry["reason"] for entry in self.database.history("checkout")]


@asynccontextmanager
async def failover_world(folder: Path, **failback: object) -> AsyncIterator[FailoverWorld]:
    """Give the world with failover watching; its way back is quick unless said otherwise."""
    async with AsyncExitStack() as stack:
        backends = await forked_backends(PRIMARY, CANARY, BACKUP)
        stack.push_async_callback(backends.end)
        envoy = EnvoyWorld(folder, [Cluster(name, (port,)) for name, port in backends.ports.items()])
        envoy.rds.write_text(rds_yaml("by-hand", {"checkout": {PRIMARY: 100, CANARY: 0, BACKUP: 0}}))
        stack.push_async_callback(envoy.kill)
        await envoy.start()
        (folder / "manifests").mkdir()
        flags = {"manifests": folder / "manifests", "rds": envoy.rds, "database": folder / "rollout.db"}
        more = {"admin": f"http://{envoy.admin_address}", "listen": "127.0.0.1:0"}
        server = Server(folder, *(f"--{flag}={value}" for flag, value in {**flags, **more}.items()))
        stack.push_async_callback(server.kill)
        idle, database = FlakyBackend("idle"), Database(folder / "rollout.db")
        world = FailoverWorld(folder, envoy, idle, idle, server, database, backends=backends)
        world.put(failing_over(failback))
        await server.serving()
        await world.watched()
        yield world


def failing_over(failback: Mapping[str, object]) -> str:
    """Return the manifest: a probe every 100 ms that must fail twice."""
    return manifest(
        "checkout",
        revision="1",
        steps=[(50, "1m")],
        backends={"stable": {"name": PRIMARY}, "canary": {"name": CANARY}, "backups": [{"name": BACKUP}]},
        failover={
            "signals": {"probe": {"http": {}, "interval": "100ms", "timeout": "2s", "fall": 2, "rise": 2}},
            "confirmFor": "0s",
            "failback": {"stableFor": "1s", "steps": [10, 50, 100], "stepInterval": "3s", **failback},
            "damping": {"cooldown": "0s"},
        },
    )


async def followed(world: FailoverWorld, seen: list[Weights]) -> None:
    """Note all weights that the route file has, for ever."""
    while True:
        weights = world.weights()
        if not seen or seen[-1] != weights:
            seen.append(weights)
        await asyncio.sleep(0.01)


async def test_failover_survives_the_death_of_its_controller(tmp_path: Path) -> None:
    """Killed while failed over and in the middle of failback, it goes on where it was; no step is made twice."""
    seen: list[Weights] = []
    async with failover_world(tmp_path) as world, world.load():
        watching = asyncio.create_task(followed(world, seen))
        world.backends.kill(PRIMARY)
        await world.shares(0)
        failed = world.failed.total()
        await world.restart()
        away = world.failover()
        await world.backends.start(PRIMARY)
        await world.shares(10)
        await world.stands("FailingBack")
        await world.restart()
        await world.stands("Normal", seconds=30)
        watching.cancel()
        served = await world.envoy_weights()

    assert (away["phase"], away["active"], away["epoch"]) == ("FailedOver", BACKUP, 1)
    assert [weights[PRIMARY] for weights in seen] == [100, 0, 10, 50, 100]
    assert all(sum(weights.values()) == 100 for weights in seen)
    assert served["checkout"] == {PRIMARY: 100, CANARY: 0, BACKUP: 0}
    assert world.told() == ["PrimaryDown", "FailedOver", *["FailingBack"] * 3, "FailedBack"]
    assert world.failed.total() - failed <= 5  # what was under way when the weights moved


async def test_people_order_failover_and_failback(tmp_path: Path) -> None:
    """By the command: over to the backup, back by its number and by no other."""
    async with failover_world(tmp_path, steps=[100], stepInterval="0s") as world:
        over = await world.rollout("failover", "shop/checkout", f"--to={BACKUP}", "--reason=for practice")
        await world.shares(0)
        old = await world.rollout("failback", "shop/checkout", "--epoch=7")
        back = await world.rollout("failback", "shop/checkout", "--epoch=1")
        await world.stands("Normal")

    assert over[0] == back[0] == 0, (over, back)
    assert old[0] == Code.REFUSED, old
    assert "names number 7; the present failover is 1" in old[1]
    assert world.weights() == {PRIMARY: 100, CANARY: 0, BACKUP: 0}


async def test_people_hold_failover_still(tmp_path: Path) -> None:
    """Held, it leaves a dead primary its traffic; let go, it moves at once."""
    async with failover_world(tmp_path) as world, world.load():
        held = await world.rollout("hold", "shop/checkout")
        world.backends.kill(PRIMARY)
        await world.server.until(lambda: world.failed.total() > 100)
        still = world.weights()
        let_go = await world.rollout("unlatch", "shop/checkout")
        await world.shares(0)

    assert held[0] == let_go[0] == 0, (held, let_go)
    assert still == {PRIMARY: 100, CANARY: 0, BACKUP: 0}
    assert world.failover()["phase"] == "FailedOver"
