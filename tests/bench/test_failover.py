"""From the death of a primary to the first answer of its backup, on a plain Envoy under HTTP and gRPC load.

The controller is `rollout serve` in a process of its own, with a probe every 50 ms that must fail twice. Once Envoy
does nothing by itself; once it has the retries and the outlier detection of deploy/envoy. The figures are printed: run
with -s on a quiet machine. Aims: first answer p50 <= 120 ms and max <= 250 ms, failed requests <= 60 each; with
retries <= 3.
"""

import asyncio
import json
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import pytest

from tests.bench.failover_load import Answer
from tests.envoy.backends import METHOD
from tests.envoy.forked import ForkedBackends, forked_backends
from tests.envoy.test_deploy import ROUTES, copy
from tests.envoy.world import Cluster, EnvoyWorld, rds_yaml
from tests.serve.server import Database, Server

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

RUNS = 30
SETTLED_SECONDS = 1.0
"""Requests fail only this long after a kill: what fails later is of something else, and counted apart."""

WHY = 100
"""So much is told of each kind of failure."""

NAMES = {"checkout": "http", "checkout-grpc": "grpc"}
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Kill:
    """One death: of which protocol's primary, and when (CLOCK_MONOTONIC)."""

    protocol: str
    backup: str
    at: float


@dataclass
class Bench:
    """Envoy, the controller beside it, the backends, and when which of them was killed."""

    envoy: EnvoyWorld
    server: Server
    database: Database
    backends: ForkedBackends
    kills: list[Kill] = field(default_factory=list)

    def stands(self, phase: str, reason: str = "") -> bool:
        """Return whether the failover of both Rollouts is in this phase (for this reason)."""
        found = [self.database.status(name).get("failover") for name in NAMES]
        return all(
            isinstance(one, dict) and one.get("phase") == phase and (not reason or one.get("reason") == reason)
            for one in found
        )

    def kill(self) -> None:
        """Kill both primaries."""
        for name, protocol in NAMES.items():
            self.kills.append(Kill(protocol, f"{name}-dr", time.monotonic()))
            self.backends.kill(f"{name}-v1")


def plain_envoy(folder: Path, ports: Mapping[str, int]) -> EnvoyWorld:
    """Return an Envoy that neither checks hosts nor tries anything again."""
    envoy = EnvoyWorld(folder, [Cluster(name, (port,), http2="grpc" in name) for name, port in ports.items()])
    weights = {name: {f"{name}-v1": 100, f"{name}-v2": 0, f"{name}-dr": 0} for name in NAMES}
    text = rds_yaml("1", dict(reversed(weights.items())))
    service = METHOD.rpartition("/")[0]
    envoy.rds.write_text(text.replace('{prefix: "/checkout-grpc"}', f'{{prefix: "{service}/"}}'))
    return envoy


def sample_envoy(folder: Path, ports: Mapping[str, int]) -> EnvoyWorld:
    """Return an Envoy as deploy/envoy has it."""
    target = copy(folder, ports)
    envoy = EnvoyWorld(folder, [], bootstrap=target / "bootstrap.yaml")
    envoy.rds = target / "rds" / "routes.yaml"
    return envoy


def manifest(name: str, routes: Sequence[str], *, standby: int) -> str:
    """Return a Rollout whose failover is quick both ways."""
    probe = {
        NAMES[name]: {"path": "/healthz"} if NAMES[name] == "http" else {},
        "interval": "50ms",
        "timeout": "500ms",
        "fall": 2,
        "rise": 2,
    }
    failover = {
        "signals": {"probe": probe},
        "standbyWeight": standby,
        "confirmFor": "0s",
        "failback": {"stableFor": "500ms", "steps": [100], "stepInterval": "0s"},
        "damping": {"cooldown": "0s", "maxFailovers": 1000},
    }
    document = {
        "apiVersion": "rollout.dev/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {
            "routes": [{"kind": "EnvoyRoute", "name": route} for route in routes],
            "backends": {
                "stable": {"name": f"{name}-v1"},
                "canary": {"name": f"{name}-v2"},
                "backups": [{"name": f"{name}-dr"}],
            },
            "revision": "1",
            "steps": [{"weight": 50, "hold": "1m"}],
            "failover": failover,
        },
    }
    return json.dumps(document)


@asynccontextmanager
async def bench(folder: Path, *, with_retries: bool) -> AsyncIterator[Bench]:
    """Give everything running and quiet, without clients."""
    async with AsyncExitStack() as stack:
        backends = await forked_backends(*(f"{name}-{which}" for name in NAMES for which in ("v1", "v2", "dr")))
        stack.push_async_callback(backends.end)
        envoy = sample_envoy(folder, backends.ports) if with_retries else plain_envoy(folder, backends.ports)
        stack.push_async_callback(envoy.kill)
        await envoy.start()
        (folder / "manifests").mkdir()
        for name in NAMES:
            text = manifest(name, ROUTES[name] if with_retries else (name,), standby=int(with_retries))
            (folder / "manifests" / f"{name}.yaml").write_text(text)
        flags = {"manifests": folder / "manifests", "rds": envoy.rds, "database": folder / "rollout.db"}
        more = {"admin": f"http://{envoy.admin_address}", "listen": "off"}
        server = Server(folder, *(f"--{flag}={value}" for flag, value in {**flags, **more}.items()))
        stack.push_async_callback(server.kill)
        made = Bench(envoy, server, Database(folder / "rollout.db"), backends)
        await server.serving()
        await server.until(lambda: made.stands("Normal", "Watching"), seconds=30)
        yield made


async def killed_again_and_again(made: Bench) -> list[Answer]:
    """Kill the primaries under load and let them come back; return all answers of the clients."""
    load = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.failover_load", str(made.envoy.port)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=_ROOT,
        limit=64 * 1024 * 1024,
    )
    try:
        await asyncio.sleep(2)  # clients connect and warm up
        for _ in range(RUNS):
            await asyncio.sleep(random.uniform(0.3, 0.4))  # any moment between two probes
            made.kill()
            await made.server.until(lambda: made.stands("FailedOver"))
            await asyncio.sleep(SETTLED_SECONDS)
            await made.backends.start(*(f"{name}-v1" for name in NAMES))
            await made.server.until(lambda: made.stands("Normal", "Watching"), seconds=30)
        said, _ = await asyncio.wait_for(load.communicate(b""), 30)
    finally:
        if load.returncode is None:
            load.kill()
            await load.wait()
    return [(at, protocol, who) for at, protocol, who in json.loads(said)]


@dataclass(frozen=True)
class Figures:
    """What came of the kills: seconds to the first answer of the backup, failed requests of each, others that did."""

    seconds: Sequence[float]
    failed: Sequence[int]
    others: int
    requests: int
    why: Counter[str]

    def __str__(self) -> str:
        half, most = median(self.seconds) * 1000, max(self.seconds) * 1000
        return (
            f"{len(self.seconds)} kills, {self.requests} requests: first backup answer p50 {half:.0f} ms, "
            f"max {most:.0f} ms; failed p50 {median(self.failed):.0f}, max {max(self.failed)}; "
            f"at other times {self.others}; {dict(self.why)}"
        )


def figures(kills: Sequence[Kill], answers: Sequence[Answer]) -> Figures:
    """Return the figures of a run."""
    seconds, failed = [], []
    for kill in kills:
        after = [(at, who) for at, protocol, who in answers if protocol == kill.protocol and at >= kill.at]
        seconds.append(min(at for at, who in after if who == kill.backup) - kill.at)
        failed.append(sum(at < kill.at + SETTLED_SECONDS and who.startswith("!") for at, who in after))
    why = Counter(f"{protocol} {who[:WHY]}" for _, protocol, who in answers if who.startswith("!"))
    return Figures(seconds, failed, why.total() - sum(failed), len(answers), why)


async def test_backup_answers_soon_after_the_primary_died(tmp_path: Path) -> None:
    """Envoy alone would send requests into the dead backend for ever; the controller's probe ends that."""
    async with bench(tmp_path, with_retries=False) as made:
        found = figures(made.kills, await killed_again_and_again(made))
    sys.stdout.write(f"\nplain Envoy, probe 50 ms x 2: {found}\n")

    assert len(found.seconds) == len(NAMES) * RUNS


async def test_retries_hide_the_death_from_clients(tmp_path: Path) -> None:
    """With the retries and the outlier detection of deploy/envoy hardly a request fails meanwhile."""
    async with bench(tmp_path, with_retries=True) as made:
        found = figures(made.kills, await killed_again_and_again(made))
    sys.stdout.write(f"\nEnvoy as in deploy/envoy, probe 50 ms x 2: {found}\n")

    assert len(found.seconds) == len(NAMES) * RUNS
