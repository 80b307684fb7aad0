"""A real Envoy with one cluster of priorities for each case, whose hosts are listeners of the same Envoy.

Hosts are sockets in the abstract namespace, so that thousands need no port. Which host a request went to is told by
Envoy's own counters. Called by test_priority_formula.py.
"""

import asyncio
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from rollout.failover.shares import Tier
from tests.envoy.world import EnvoyWorld

_HCM = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
_AT_ONCE = 100

Json = dict[str, object]


@dataclass(frozen=True)
class Case:
    """The tiers of one cluster and its overprovisioning factor in percent."""

    tiers: tuple[Tier, ...]
    overprovisioning: int = 140


def _listener(name: str, address: Json, routes: Sequence[Json]) -> Json:
    """Return a listener with these routes."""
    connection = {
        "@type": _HCM,
        "stat_prefix": name,
        "route_config": {"virtual_hosts": [{"name": name, "domains": ["*"], "routes": list(routes)}]},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {"@type": _ROUTER}}],
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": connection}]}
    return {"name": name, "address": address, "filter_chains": [chain]}


def _statuses(tier: Tier) -> list[str]:
    ill = tier.total - tier.healthy - tier.degraded
    return ["HEALTHY"] * tier.healthy + ["DEGRADED"] * tier.degraded + ["UNHEALTHY"] * ill


def _cluster(name: str, case: Case, sockets: Sequence[Sequence[Json]]) -> Json:
    """Return a static cluster: one priority for each tier, its hosts as ill as the tier says."""
    endpoints = [
        {
            "priority": priority,
            "lb_endpoints": [
                {"endpoint": {"address": address}, "health_status": status}
                for address, status in zip(sockets[priority], _statuses(tier), strict=False)
            ],
        }
        for priority, tier in enumerate(case.tiers)
    ]
    policy = {"overprovisioning_factor": case.overprovisioning}
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "2s",
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "load_assignment": {"cluster_name": name, "endpoints": endpoints, "policy": policy},
    }


def bootstrap(cases: Sequence[Case], *, tiers: int, targets: int) -> Json:
    """Return a bootstrap with a cluster and a route for each case, and listeners that stand in for all hosts."""
    run = uuid.uuid4().hex
    sockets: list[list[Json]] = [
        [{"pipe": {"path": f"@rollout-{run}-{tier}-{target}"}} for target in range(targets)] for tier in range(tiers)
    ]
    well: Json = {"match": {"prefix": "/"}, "direct_response": {"status": 200}}
    hosts = [
        _listener(f"host-{tier}-{target}", address, [well])
        for tier, row in enumerate(sockets)
        for target, address in enumerate(row)
    ]
    loopback: Json = {"socket_address": {"address": "127.0.0.1", "port_value": 0}}
    routes: list[Json] = [
        {"match": {"path": f"/{number}"}, "route": {"cluster": f"case-{number}"}} for number in range(len(cases))
    ]
    clusters = [_cluster(f"case-{number}", case, sockets) for number, case in enumerate(cases)]
    listeners = [_listener("ingress", loopback, routes), *hosts]
    return {
        "node": {"id": "test", "cluster": "test"},
        "admin": {"address": loopback},
        "static_resources": {"listeners": listeners, "clusters": clusters},
    }


async def send(envoy: EnvoyWorld, number: int, requests: int) -> None:
    """Send so many requests to the cluster of a case, a hundred at a time on one connection; all are answered well."""
    reader, writer = await asyncio.open_connection("127.0.0.1", envoy.port)
    request = f"GET /{number} HTTP/1.1\r\nHost: test\r\n\r\n".encode()
    try:
        for begun in range(0, requests, _AT_ONCE):
            together = min(_AT_ONCE, requests - begun)
            writer.write(request * together)
            for _ in range(together):
                head = await reader.readuntil(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 200 "), head
    finally:
        writer.close()
        await writer.wait_closed()


async def counted(envoy: EnvoyWorld, cases: Sequence[Case]) -> list[list[int]]:
    """Return how many requests each case's tiers have had since the start, as Envoy counts them by host."""
    address = f"http://{envoy.admin_address}/clusters?format=json"
    async with aiohttp.ClientSession() as session, session.get(address) as response:
        statuses = json.loads(await response.text())["cluster_statuses"]
    found = [[0] * len(case.tiers) for case in cases]
    for status in statuses:
        row = found[int(status["name"].removeprefix("case-"))]
        for host in status.get("host_statuses", ()):
            stats = {stat["name"]: int(stat.get("value", 0)) for stat in host["stats"]}
            row[int(host.get("priority", 0))] += stats["rq_total"]
    return found


def written(folder: Path, body: Json) -> Path:
    """Write a bootstrap into the folder; return where."""
    path = folder / "bootstrap.json"
    path.write_text(json.dumps(body))
    return path
