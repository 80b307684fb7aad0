"""From calling `write` to the first request on the new weights: 200 changes under HTTP and gRPC load."""

import asyncio
import json
import random
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from rollout.clock import SystemClock
from rollout.engine.observation import Acceptance, BackendKey, RouteKey, RuleWeights
from rollout.envoy.admin import AdminClient
from rollout.envoy.routes import EnvoyRouteTable, RouteTableOptions
from tests.envoy.backends import METHOD
from tests.envoy.world import Cluster, EnvoyWorld, rds_yaml

CHANGES = 200
_ROOT = Path(__file__).parents[2]

Change = tuple[float, float, str]
"""When a change was asked for, when `write` returned, and the cluster that got all weight."""


@asynccontextmanager
async def child(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run `tests.bench.weight_load` with these arguments; it is killed at the end if it has not ended."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.weight_load", *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=_ROOT,
        limit=64 * 1024 * 1024,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def routes() -> str:
    """Return an RDS file with a gRPC route and an HTTP route, both to two versions."""
    grpc_route = f'    - name: calls\n      match: {{prefix: "{METHOD}", grpc: {{}}}}\n      route:\n'
    grpc_route += "        weighted_clusters:\n          clusters:\n"
    grpc_route += "          - {name: calls-v1, weight: 100}\n          - {name: calls-v2, weight: 0}\n"
    text = rds_yaml("1", {"checkout": {"web-v1": 100, "web-v2": 0}})
    return text.replace("    - name: checkout\n", grpc_route + "    - name: checkout\n", 1)


async def change(table: EnvoyRouteTable, *, route: str, clusters: str, to: str) -> Change:
    """Give one version all weight."""
    key = RouteKey("EnvoyRoute", "shop", route)
    view = table.read(key)
    assert view is not None
    weights = {BackendKey("shop", f"{clusters}-{name}"): 100 if name == to else 0 for name in ("v1", "v2")}
    asked = time.monotonic()
    written = await table.write(key, [RuleWeights(0, "everything", weights)], expected=view.version)
    assert written.acceptance is Acceptance.ACCEPTED
    return asked, time.monotonic(), f"{clusters}-{to}"


async def changes(table: EnvoyRouteTable) -> list[Change]:
    """Change both routes in turn, now and then."""
    made: list[Change] = []
    for number in range(CHANGES // 2):
        to = "v1" if number % 2 else "v2"
        for route, clusters in (("calls", "calls"), ("checkout", "web")):
            made.append(await change(table, route=route, clusters=clusters, to=to))
            await asyncio.sleep(random.uniform(0.02, 0.05))
    return made


def figures(what: str, milliseconds: Sequence[float]) -> str:
    """Return the figures of one thing as a line."""
    ordered = sorted(milliseconds)
    half, most = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99) - 1]
    return f"{what}: p50 {half:.1f} ms, p99 {most:.1f} ms, max {ordered[-1]:.1f} ms\n"


@pytest.mark.timeout(90)
async def test_weight_changes_under_load(tmp_path: Path) -> None:
    """No request fails; the figures are printed (aims: p50 <= 5 ms, p99 <= 25 ms)."""
    async with child("backends") as servers, AsyncExitStack() as stack:
        assert servers.stdout is not None
        ports = json.loads(await servers.stdout.readline())
        envoy = EnvoyWorld(tmp_path, [Cluster(name, (port,), http2="calls" in name) for name, port in ports.items()])
        envoy.rds.write_text(routes())
        stack.push_async_callback(envoy.kill)
        await envoy.start()
        admin = AdminClient(envoy.admin_address)
        stack.push_async_callback(admin.aclose)
        table = EnvoyRouteTable(admin, SystemClock(), RouteTableOptions((envoy.rds,)))
        await table.start()
        stack.push_async_callback(table.aclose)
        async with child("clients", str(envoy.port)) as load:
            await asyncio.sleep(1)  # clients connect and warm up
            made = await changes(table)
            await asyncio.sleep(0.3)  # the last change's first request
            said, _ = await load.communicate(b"")
        came, _ = await servers.communicate(b"")

    seen: list[tuple[float, str]] = json.loads(came)
    first = [1000 * (next(at for at, name in seen if at > asked and name == to) - asked) for asked, _, to in made]
    sent = json.loads(said)
    sys.stdout.write(
        f"\n{len(made)} weight changes, {sent['answered']} requests, {len(sent['failed'])} failed\n"
        + figures("write to first request on the new weights", first)
        + figures("write to known as taken", [1000 * (done - asked) for asked, done, _ in made])
    )
    assert sent["failed"] == []
