"""Counters out of a real Envoy: HTTP and gRPC errors once each, latency, restarts."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp
import grpc
import pytest

from rollout.analysis.samples import ERRORS, Batch, Family, slower_than
from rollout.clock import SystemClock
from rollout.controller.requests import Failed, RequestsAsk, count_requests
from rollout.engine.observation import BackendKey
from rollout.envoy.admin import AdminClient
from rollout.envoy.measurements import EnvoyMeasurements
from rollout.errors import Unavailable
from rollout.failover.readings import RequestsSeen
from rollout.ports import Ask
from tests.envoy.backends import METHOD, GrpcBackend, HttpBackend
from tests.envoy.world import Cluster, EnvoyWorld, rds_yaml

pytestmark = pytest.mark.real

_NEVER_READY = {
    "health_checks": [
        {
            "timeout": "0.1s",
            "interval": "0.05s",
            "unhealthy_threshold": 1,
            "healthy_threshold": 1,
            "http_health_check": {"path": "/"},
        }
    ],
    "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
}


@dataclass
class World:
    """An Envoy with routes to an HTTP and a gRPC pair, a dead gRPC cluster and one with nothing healthy."""

    envoy: EnvoyWorld
    http: dict[str, HttpBackend]
    grpc: dict[str, GrpcBackend]
    source: EnvoyMeasurements
    admin: AdminClient

    async def get(self, path: str, times: int) -> None:
        """Send HTTP requests one after the other and read the answers to their end."""
        async with aiohttp.ClientSession() as session:
            for _ in range(times):
                async with session.get(f"http://127.0.0.1:{self.envoy.port}{path}") as response:
                    await response.read()

    async def call(self, cluster: str, times: int) -> None:
        """Send gRPC requests one after the other, whatever comes of them."""
        headers = (("to", cluster),)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{self.envoy.port}") as channel:
            method = channel.unary_unary(METHOD)
            for _ in range(times):
                await asyncio.gather(method(b"", metadata=headers, timeout=5), return_exceptions=True)


def routes() -> str:
    """Return an RDS file with a path for each HTTP cluster, and gRPC requests sent by the header `to`."""
    text = rds_yaml("1", {name: {name: 1} for name in ("h1", "h2", "sick")})
    for name in ("g1", "g2", "dead"):
        match = f'{{prefix: "{METHOD}", headers: [{{name: to, string_match: {{exact: {name}}}}}]}}'
        text += f"    - name: {name}\n      match: {match}\n      route:\n        weighted_clusters:\n"
        text += f"          clusters:\n          - {{name: {name}, weight: 1}}\n"
    return text


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """The world, started."""
    async with AsyncExitStack() as stack:
        http = {name: HttpBackend(name) for name in ("h1", "h2")}
        calls = {name: GrpcBackend(name) for name in ("g1", "g2")}
        for backend in http.values():
            await backend.start()
            stack.push_async_callback(backend.close)
        for server in calls.values():
            await server.start()
            stack.push_async_callback(server.close)
        clusters = [
            *(Cluster(name, (backend.port,)) for name, backend in http.items()),
            *(Cluster(name, (backend.port,), http2=True) for name, backend in calls.items()),
            Cluster("dead", (1,), http2=True),
            Cluster("sick", (1,), extra=_NEVER_READY),
        ]
        envoy = EnvoyWorld(tmp_path, clusters, flush_seconds=0.1)
        envoy.rds.write_text(routes())
        stack.push_async_callback(envoy.kill)
        await envoy.start()
        admin = AdminClient(envoy.admin_address)
        stack.push_async_callback(admin.aclose)
        yield World(envoy, http, calls, EnvoyMeasurements(admin, SystemClock()), admin)


def ask(canary: str, stable: str, **changes: object) -> Ask:
    """Return an ask for errors of these two clusters, of all time."""
    asked = Ask(
        namespace="shop",
        route="checkout",
        canary=BackendKey("shop", canary),
        stable=BackendKey("shop", stable),
        templates=None,
        errors=True,
        bounds=(),
        queries=(),
        since=0.0,
    )
    return replace(asked, **changes)  # type: ignore[arg-type]


def newest(family: Family) -> tuple[float, float]:
    """Return the sums of the last samples: all, and part."""
    total = sum(series.samples[-1][1] for series in family.total)
    return total, sum(series.samples[-1][1] for series in family.part)


def errors(batch: Batch, name: str) -> tuple[float, float]:
    """Return how many requests and how many failed ones the backend had in all."""
    return newest(batch.counters[name, ERRORS])


async def test_http_errors_are_counted_for_each_backend(world: World) -> None:
    """A 500 is an error, a 404 is the client's own fault."""
    await world.get("/h1", 5)
    world.http["h2"].status = 500
    await world.get("/h2", 3)
    world.http["h2"].status = 404
    await world.get("/h2", 2)

    batch = await world.source.measure(ask("h2", "h1"))

    assert errors(batch, "h1") == (5, 0)
    assert errors(batch, "h2") == (5, 3)


@pytest.mark.parametrize("code", list(grpc.StatusCode), ids=lambda code: code.name)
async def test_grpc_codes_of_the_server_are_errors(world: World, code: grpc.StatusCode) -> None:
    """UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE and DATA_LOSS, although HTTP says 200."""
    world.grpc["g2"].code = code
    await world.call("g1", 2)
    await world.call("g2", 2)

    batch = await world.source.measure(ask("g2", "g1"))

    assert errors(batch, "g1") == (2, 0)
    assert errors(batch, "g2") == (2, 2 if code.value[0] in (2, 4, 12, 13, 14, 15) else 0)


async def test_a_failed_connection_of_grpc_is_counted_once(world: World) -> None:
    """The cluster's counters have it as 5xx and as gRPC status 14; one request is one error."""
    await world.call("dead", 3)

    batch = await world.source.measure(ask("dead", "g1"))

    assert errors(batch, "dead") == (3, 3)
    pattern = r"^cluster\.dead\.(upstream_rq_5xx|grpc\.14)$"
    assert sorted((await world.admin.stats(pattern)).numbers.values()) == [3, 3]


async def test_requests_without_a_healthy_host_are_errors(world: World) -> None:
    """They reach no host, so no host counts them."""
    async with asyncio.timeout(5):
        while (await world.admin.clusters(["sick"]))["sick"].hosts[0].ready:
            await asyncio.sleep(0.01)
    await world.get("/sick", 4)

    batch = await world.source.measure(ask("sick", "h1"))

    assert errors(batch, "sick") == (4, 4)


async def requests(world: World, *names: str) -> tuple[RequestsSeen | str | Failed, ...]:
    """Return what is known of the requests of the last minute."""
    asks = [RequestsAsk("shop", "checkout", BackendKey("shop", name), None, 60) for name in names]
    return await count_requests(world.source, asks, now=time.time())


async def test_requests_of_a_window_are_counted_from_the_first_look_on(world: World) -> None:
    """What was before it nobody has seen; a cluster that Envoy does not have is told as that."""
    await world.get("/h1", 5)
    first = await requests(world, "h1", "h2", "nobody")
    world.http["h2"].status = 500
    await world.get("/h1", 3)
    await world.get("/h2", 2)
    second = await requests(world, "h1", "h2", "nobody")

    assert [(seen.total, seen.bad) for seen in first if isinstance(seen, RequestsSeen)] == [(0, 0), (0, 0)]
    assert [(seen.total, seen.bad) for seen in second if isinstance(seen, RequestsSeen)] == [(3, 0), (2, 2)]
    assert first[2] == second[2] == Failed("Envoy has no cluster nobody")


async def test_the_window_of_a_backend_takes_nothing_from_an_attempt(world: World) -> None:
    """The attempt still gets every sample since it began, and the window is no longer for it."""
    since = time.time()
    attempt = ask("h2", "h1", since=since)
    await world.source.measure(attempt)
    await world.get("/h1", 4)
    asks = [RequestsAsk("shop", "checkout", BackendKey("shop", "h1"), None, 0.001)]
    for _ in range(3):
        await count_requests(world.source, asks, now=time.time())
    batch = await world.source.measure(attempt)

    assert min(len(series.samples) for series in batch.counters["h1", ERRORS].total) == 2
    assert errors(batch, "h1") == (4, 0)


async def test_hosts_are_the_pods(world: World) -> None:
    """Each host's own counters tell the judge whether errors come in clumps."""
    await world.get("/h1", 1)

    batch = await world.source.measure(ask("h2", "h1"))

    address = f"127.0.0.1:{world.http['h1'].port}"
    assert [series.pod for series in batch.counters["h1", ERRORS].total] == [address, ""]


async def test_latency_comes_from_the_histogram(world: World) -> None:
    """Part is what was within the bound; both come from the same histogram, so they fit each other."""
    world.http["h2"].paused_seconds = 0.15
    await world.get("/h1", 4)
    await world.get("/h2", 3)
    asked = ask("h2", "h1", bounds=(0.1,))
    name = slower_than(0.1)
    batch = await world.source.measure(asked)
    async with asyncio.timeout(5):
        while newest(batch.counters["h2", name])[0] < 3:
            await asyncio.sleep(0.02)
            batch = await world.source.measure(asked)

    assert newest(batch.counters["h1", name]) == (4, 4)
    assert newest(batch.counters["h2", name]) == (3, 0)
    assert batch.counters["h2", name].part_is_good


async def test_a_bound_that_envoy_does_not_count_is_a_problem(world: World) -> None:
    """The bounds that it has are told."""
    await world.get("/h1", 1)
    asked = ask("h2", "h1", bounds=(0.3,))
    batch = await world.source.measure(asked)
    async with asyncio.timeout(5):
        while not batch.problems:
            await asyncio.sleep(0.02)
            batch = await world.source.measure(asked)

    assert "does not count up to 300 ms" in batch.problems[slower_than(0.3)]
    assert "250, 500" in batch.problems[slower_than(0.3)]
    assert ("h1", slower_than(0.3)) not in batch.counters


async def test_an_unknown_cluster_is_a_problem(world: World) -> None:
    """It is named; the other backend's counters are still there."""
    batch = await world.source.measure(ask("nobody", "h1"))

    assert batch.problems == {ERRORS: "Envoy has no cluster nobody"}
    assert ("h1", ERRORS) in batch.counters


async def test_queries_are_told_to_need_prometheus(world: World) -> None:
    """Envoy answers no queries."""
    batch = await world.source.measure(ask("h2", "h1", queries=(("queue", "max(depth)"),)))

    assert "needs Prometheus" in batch.problems["queue"]


async def test_samples_are_kept_from_one_before_since(world: World) -> None:
    """Older ones are dropped: nobody asks for them again."""
    batches = [await world.source.measure(ask("h2", "h1")) for _ in range(4)]
    times = [at for at, _ in batches[-1].counters["h1", ERRORS].total[0].samples]

    later = await world.source.measure(ask("h2", "h1", since=times[2]))

    assert [at for at, _ in later.counters["h1", ERRORS].total[0].samples][:2] == times[2:]


async def test_after_a_restart_differences_go_on_from_the_checkpoint(world: World) -> None:
    """What happened while nobody looked is the difference to the checkpoint's sample."""
    await world.get("/h1", 2)
    await world.source.measure(ask("h2", "h1"))
    kept = world.source.checkpoint(ask("h2", "h1"))
    await world.get("/h1", 3)
    restarted = EnvoyMeasurements(world.admin, SystemClock())

    batch = await restarted.measure(ask("h2", "h1", checkpoint=kept))

    assert [value for _, value in batch.counters["h1", ERRORS].total[0].samples] == [2, 5]


async def test_a_checkpoint_older_than_what_was_judged_is_not_used(world: World) -> None:
    """Requests that were counted before a crash would be counted again from it."""
    await world.source.measure(ask("h2", "h1"))
    kept = world.source.checkpoint(ask("h2", "h1"))
    await world.get("/h1", 3)
    judged = await world.source.measure(ask("h2", "h1"))
    last = judged.counters["h1", ERRORS].total[0].samples[-1][0]
    restarted = EnvoyMeasurements(world.admin, SystemClock())

    batch = await restarted.measure(ask("h2", "h1", checkpoint=kept, since=last))

    assert [value for _, value in batch.counters["h1", ERRORS].total[0].samples] == [3]


async def test_an_attempt_counts_nothing_from_before_it(world: World) -> None:
    """What a backend failed after an earlier attempt's last look is not held against the next revision."""
    await world.source.measure(ask("h2", "h1"))
    await world.get("/h1", 3)

    batch = await world.source.measure(ask("h2", "h1", since=time.time()))

    assert [value for _, value in batch.counters["h1", ERRORS].total[0].samples] == [3]


async def test_a_checkpoint_of_other_backends_is_not_used(world: World) -> None:
    """After a change of roles or names it would be the wrong baseline."""
    await world.source.measure(ask("h2", "h1"))
    kept = world.source.checkpoint(ask("h2", "h1"))
    restarted = EnvoyMeasurements(world.admin, SystemClock())

    batch = await restarted.measure(ask("h1", "h2", checkpoint=kept))

    assert len(batch.counters["h1", ERRORS].total[0].samples) == 1


async def test_an_envoy_that_is_away_is_unavailable(world: World) -> None:
    """The error is one that may pass, and what was known is kept."""
    await world.source.measure(ask("h2", "h1"))
    await world.envoy.kill()

    with pytest.raises(Unavailable):
        await world.source.measure(ask("h2", "h1"))

    assert set(world.source.checkpoint(ask("h2", "h1"))) == {"canary", "stable"}
